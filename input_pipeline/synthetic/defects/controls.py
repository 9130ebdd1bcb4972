"""What changes a photograph and hides nothing: a map must stay calm.

Treatments of the file (gamma, gain, colour, little noise, resizing, mild sharpening) and findings
of the eye (lesions, pigment, a tessellated fundus, scars of a laser). Findings change how much
light the retina returns beneath its vessels; the vessels lie above them and are seen as before.
"""

import math
from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from input_pipeline.synthetic import fields
from input_pipeline.synthetic.defects.defect import GREEN, Base, Defect
from input_pipeline.synthetic.defects.focus import unsharp, upscaled
from input_pipeline.synthetic.defects.illumination import iso_of


def _none(base: Base) -> np.ndarray:
    return np.zeros(base.scene.fov.shape, np.float32)


def gamma(base: Base, severity: float, rng: np.random.Generator) -> Defect:
    """Another tone curve: exponent 1 - 0.35 s or 1 + 0.5 s on grey levels."""
    power = 1 - 0.35 * severity if rng.random() < 0.5 else 1 + 0.5 * severity
    return Defect(_none(base), process=lambda grey: 255 * (grey / 255) ** power)


def gain(base: Base, severity: float, rng: np.random.Generator) -> Defect:
    """Brighter or darker by up to a stop after the sensor; as bright as does not clip green."""
    top = float(np.quantile(base.still[base.scene.fov][:, GREEN], 0.99))
    factor = 2**-severity if rng.random() < 0.5 else min(2**severity, 0.95 / max(top, 1e-3))
    return Defect(_none(base), gain=max(factor, 0.4))


def cast(base: Base, severity: float, rng: np.random.Generator) -> Defect:
    """White balance off: red and blue by up to 60 %, green by up to 15 %."""
    turn = rng.choice((-1.0, 1.0), 3) * rng.uniform(0.4, 1, 3)
    factor = np.exp(severity * turn * np.array([0.45, 0.14, 0.5])).astype(np.float32)

    def light(picture: np.ndarray, channels: Sequence[int]) -> np.ndarray:
        return picture * factor[list(channels)]

    return Defect(_none(base), light)


def red_free(base: Base, severity: float, rng: np.random.Generator) -> Defect:
    """Colour towards the grey of green alone."""

    def process(grey: np.ndarray) -> np.ndarray:
        if grey.shape[-1] == 1:
            return grey
        return grey + severity * (grey[..., GREEN : GREEN + 1] - grey)

    return Defect(_none(base), process=process)


def little_noise(base: Base, severity: float, rng: np.random.Generator) -> Defect:
    """Noise that costs at most 15 % of visibility."""
    return Defect(_none(base), iso=iso_of(base, 0.15 * severity, float(base.mean[GREEN])))


def resized(base: Base, severity: float, rng: np.random.Generator) -> Defect:
    """Made a little smaller and enlarged again."""
    made = upscaled(base, 0.06 * severity, rng)
    return Defect(_none(base), process=made.process)


def sharpened(base: Base, severity: float, rng: np.random.Generator) -> Defect:
    """A sharp photograph sharpened once more."""
    return Defect(_none(base), process=unsharp(rng.uniform(1, 3), 0.8 * severity))


def _returns(base: Base, factor: np.ndarray) -> Defect:
    """The retina returns `factor` [S, S, 3] of its light; never so much that green clips."""
    smooth = ndimage.gaussian_filter(base.still, (4, 4, 0))
    factor = np.minimum(factor, 0.9 / np.maximum(smooth, 0.02)).astype(np.float32)

    def light(picture: np.ndarray, channels: Sequence[int]) -> np.ndarray:
        return picture * factor[..., list(channels)]

    return Defect(_none(base), light)


def _spots(
    base: Base, rng: np.random.Generator, count: int, radius: tuple[float, float], soft: float
) -> np.ndarray:
    """Ragged spots [S, S] in [0, 1], anywhere but on the disc; radii in half sides."""
    scene, out = base.scene, np.zeros(base.scene.fov.shape, np.float32)
    ragged = 1 + 0.35 * fields.smooth(rng, scene.side, 40)
    for _ in range(count):
        size = math.exp(rng.uniform(math.log(radius[0]), math.log(radius[1])))
        for _ in range(20):
            r, phi = 0.9 * math.sqrt(rng.random()), rng.uniform(0, 2 * math.pi)
            row, column = r * math.sin(phi), r * math.cos(phi)
            if math.hypot(row - base.disc[0], column - base.disc[1]) > 1.6 * base.disc[2] + size:
                break
        d = np.hypot(scene.y - row, scene.x - column) * ragged
        out = np.maximum(out, 1 / (1 + np.exp(np.clip((d / size - 1) / soft, -30, 30))))
    return out


def haemorrhages(base: Base, severity: float, rng: np.random.Generator) -> Defect:
    """Dot and blot haemorrhages and microaneurysms, under the vessels."""
    blot = _spots(base, rng, int(4 + 16 * severity), (0.012, 0.07), 0.12)
    dots = _spots(base, rng, int(10 + 30 * severity), (0.006, 0.012), 0.25)
    dark = np.maximum(0.75 * blot, 0.6 * dots)[..., None] * np.array([0.6, 1.0, 1.0])
    return _returns(base, 1 - dark)


def exudates(base: Base, severity: float, rng: np.random.Generator) -> Defect:
    """Hard exudates, drusen and cotton wool: yellow and white spots."""
    hard = _spots(base, rng, int(20 + 80 * severity), (0.006, 0.022), 0.15)
    wool = _spots(base, rng, int(1 + 6 * severity), (0.03, 0.08), 0.35)
    bright = np.maximum(hard, 0.7 * wool)[..., None] * np.array([0.5, 1.4, 0.9])
    return _returns(base, 1 + bright)


def pigment(base: Base, severity: float, rng: np.random.Generator) -> Defect:
    """A dark fundus, a naevus or two, clumps of pigment."""
    naevus = _spots(base, rng, int(1 + 2 * severity), (0.08, 0.22), 0.2)
    clumps = _spots(base, rng, int(5 + 15 * severity), (0.006, 0.02), 0.25)
    dark = np.maximum(0.45 * naevus, 0.7 * clumps)[..., None] * np.array([0.8, 1.0, 1.0])
    return _returns(base, (1 - dark) * (1 - 0.35 * severity))


def tessellated(base: Base, severity: float, rng: np.random.Generator) -> Defect:
    """Choroidal vessels that show through a thin pigment epithelium."""
    web = np.abs(
        fields.smooth(rng, base.scene.side, 16) + 0.5 * fields.smooth(rng, base.scene.side, 30)
    )
    pattern = np.exp(-((web / 0.45) ** 2))
    factor = 1 + severity * 0.5 * (pattern[..., None] - 0.5) * np.array([0.9, 0.7, 0.4])
    return _returns(base, factor)


def laser_scars(base: Base, severity: float, rng: np.random.Generator) -> Defect:
    """Rows of pale spots with pigmented middles, away from disc and macula."""
    spots = _spots(base, rng, int(30 + 120 * severity), (0.018, 0.03), 0.12)
    core = ndimage.gaussian_filter(spots**6, 1.5)
    pale = spots[..., None] * np.array([0.35, 0.8, 0.8]) - 0.7 * core[..., None]
    return _returns(base, 1 + 0.8 * np.maximum(pale, -0.6))
