"""The cameras: what part of the eye they see, in which colours, and what the sensor makes of it."""

import dataclasses
import io
import math

import numpy as np
from PIL import Image
from scipy import ndimage

from input_pipeline.synthetic import fields


@dataclasses.dataclass(frozen=True)
class Style:
    """The range of photographs one kind of camera takes. Pairs are ranges, drawn uniformly."""

    degrees: tuple[float, float]  # field of view
    cut: tuple[float, float]  # half height of the field / radius; 1 is round
    notch: float  # probability of a registration mark at the rim
    macula: float  # share of macula-centred photographs
    off_centre: float  # degrees, standard deviation of aim
    red: tuple[float, float]  # grey levels of the red channel, mean over the field
    green: tuple[float, float]  # log(green / red)
    blue: tuple[float, float]  # log(blue / green)
    fall_off: tuple[float, float]  # share of light lost at the rim
    edge: tuple[float, float]  # softness of the rim / radius
    blur: tuple[float, float]  # optics, standard deviation in degrees
    sharpen: tuple[float, float]  # halo strength of the camera's own sharpening
    noise: tuple[float, float]  # grey levels
    jpeg: tuple[int, int]  # quality
    contrast: tuple[float, float]  # factor on the optical density of vessels


STYLES = {
    # table-top, wide and round
    "a": Style(
        (43, 52), (1.0, 1.0), 0.1, 0.7, 1.0, (165, 222), (-1.3, -0.65), (-0.95, -0.3),
        (0.1, 0.35), (0.004, 0.015), (0.02, 0.07), (0.0, 0.6), (0.6, 2.0), (88, 97), (0.8, 1.45),
    ),
    # table-top, cut at top and bottom, redder and darker sensor
    "b": Style(
        (45, 62), (0.72, 0.86), 0.5, 0.6, 1.5, (150, 230), (-1.5, -0.8), (-1.1, -0.45),
        (0.15, 0.5), (0.003, 0.01), (0.02, 0.06), (0.0, 0.9), (0.6, 2.2), (85, 96), (0.85, 1.5),
    ),
    # handheld, narrow, vignetted
    "c": Style(
        (30, 46), (0.9, 1.0), 0.0, 0.45, 2.5, (125, 195), (-0.85, -0.4), (-0.75, -0.15),
        (0.35, 0.7), (0.01, 0.05), (0.04, 0.1), (0.0, 0.4), (1.2, 3.5), (75, 92), (0.8, 1.4),
    ),
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Camera:
    """One shot: a draw from a style."""

    degrees: float
    cut: float
    notch: float  # angle of the registration mark, nan for none
    centre: str  # 'disc' | 'macula'
    aim: tuple[float, float]  # error of aim in degrees
    colour: tuple[float, float, float]  # mean grey levels of the field
    fall_off: float
    edge: float
    blur: float
    sharpen: float
    noise: float
    jpeg: int
    contrast: float


def shoot(rng: np.random.Generator, style: Style) -> Camera:
    """Draws one shot of a style."""
    red = rng.uniform(*style.red)
    green = red * math.exp(rng.uniform(*style.green))
    blue = green * math.exp(rng.uniform(*style.blue))
    notch = rng.uniform(-0.9, -0.6) if rng.random() < style.notch else math.nan
    aim = rng.normal(0, style.off_centre, 2)
    return Camera(
        rng.uniform(*style.degrees),
        rng.uniform(*style.cut),
        notch,
        "macula" if rng.random() < style.macula else "disc",
        (float(aim[0]), float(aim[1])),
        (red, green, blue),
        rng.uniform(*style.fall_off),
        rng.uniform(*style.edge),
        rng.uniform(*style.blur),
        rng.uniform(*style.sharpen),
        rng.uniform(*style.noise),
        int(rng.integers(style.jpeg[0], style.jpeg[1] + 1)),
        rng.uniform(*style.contrast),
    )


def field_of_view(camera: Camera, side: int) -> np.ndarray:
    """Share of each pixel inside the field, [S, S] float32; the circle touches the frame."""
    y, x = fields.axes(side)
    pixel = 2 / side
    r = np.hypot(y, x)
    rim = 1 - pixel  # one pixel of black all round
    field = np.clip((rim - r) / pixel + 0.5, 0, 1)
    if camera.cut < 1:
        field = field * np.clip((camera.cut - np.abs(y)) / pixel + 0.5, 0, 1)
    if not math.isnan(camera.notch):
        ny, nx = 0.97 * math.sin(camera.notch), 0.97 * math.cos(camera.notch)
        if abs(ny) < camera.cut:
            bump = np.clip((0.05 - np.hypot(y - ny, x - nx)) / pixel + 0.5, 0, 1)
            field = np.maximum(field, bump * (np.maximum(abs(y), abs(x)) < rim))
    return field.astype(np.float32)


def light(rng: np.random.Generator, camera: Camera, side: int) -> np.ndarray:
    """Illumination of a good photograph: fall-off to the rim, slightly off centre and uneven.

    Returns:
      [S, S] float32, factor with mean near 1.
    """
    y, x = fields.axes(side)
    oy, ox = rng.normal(0, 0.12, 2)
    power = rng.uniform(1.6, 3.5)
    r = np.hypot(y - oy, x - ox)
    out = 1 - camera.fall_off * np.clip(r, 0, 1.3) ** power
    out *= 1 + 0.06 * rng.normal() * x + 0.05 * rng.normal() * y
    out *= np.exp(0.045 * fields.smooth(rng, side, 2.5))
    if rng.random() < 0.25:  # glow along a part of the rim, as from a lens that is slightly off
        angle = rng.uniform(0, 2 * np.pi)
        facing = np.clip(np.cos(np.arctan2(y, x) - angle), 0, 1) ** 3
        out += rng.uniform(0.05, 0.3) * facing * np.clip((r - 0.75) / 0.25, 0, 1) ** 2
    return np.asarray(out, np.float32)


def expose(
    rng: np.random.Generator,
    scenes: list[np.ndarray],
    field: np.ndarray,
    camera: Camera,
) -> list[np.ndarray]:
    """Takes the same photograph of several versions of one eye: same optics, same noise.

    Args:
      rng: noise.
      scenes: each [S, S, 3] float32 grey levels in front of the camera.
      field: [S, S] float32 share of each pixel inside the field.
      camera: the shot.

    Returns:
      For each scene [S, S, 3] uint8.
    """
    side = field.shape[0]
    sigma = camera.blur * side / camera.degrees
    sigma = math.sqrt(sigma**2 + 0.35**2)  # a pixel of the sensor averages too
    fine = rng.standard_normal((side, side, 4), dtype=np.float32)
    noise = 0.8 * fine[..., :1] + 0.6 * fine[..., 1:]
    noise = camera.noise * ndimage.uniform_filter(noise, (2, 2, 0)) * 1.8
    y, x = fields.axes(side)
    soft = np.clip((1 - np.hypot(y, x)) / max(camera.edge, 1e-6), 0, 1) * 0.7 + 0.3
    gate = (field * soft)[..., None].astype(np.float32)
    out = []
    for scene in scenes:
        picture = ndimage.gaussian_filter(scene, (sigma, sigma, 0), truncate=3.0)
        if camera.sharpen > 0.05:
            wide = ndimage.gaussian_filter(picture, (1.2, 1.2, 0), truncate=2.5)
            picture = picture + camera.sharpen * (picture - wide)
        picture = picture + noise * np.sqrt(np.clip(picture, 0, 255) / 110 + 0.1)
        picture = shoulder(picture) * gate
        grey = np.clip(picture, 0, 255).round().astype(np.uint8)
        out.append(compress(grey, camera.jpeg, field))
    return out


def shoulder(picture: np.ndarray) -> np.ndarray:
    """Film-like shoulder: grey levels above 215 are pressed towards 255."""
    over = np.maximum(picture - 215, 0)
    return np.minimum(picture, 215) + 40 * (1 - np.exp(-over / 40))


def compress(grey: np.ndarray, quality: int, field: np.ndarray) -> np.ndarray:
    """Writes and reads [S, S, 3] uint8 as JPEG; black outside the field."""
    buffer = io.BytesIO()
    Image.fromarray(grey).save(buffer, "JPEG", quality=quality, subsampling=0)
    return np.asarray(Image.open(buffer)) * (field > 0.5)[..., None].astype(np.uint8)
