"""Draws a fundus photograph of a given seed, with the truth of everything in it."""

import dataclasses
import math

import numpy as np
from scipy import ndimage


@dataclasses.dataclass(frozen=True)
class Drawn:
    """A drawn photograph and what is in it. `S` is the side in pixels; (y, x) are in pixels."""

    image: np.ndarray  # [S, S, 3] uint8 RGB, black outside the field
    fov: np.ndarray  # [S, S] uint8, 1 inside the field
    vessels: np.ndarray  # [S, S, 3] uint8 coverage 0..255: R artery, G vein, B either
    clean0: np.ndarray  # [S, S, 3] uint8, the same photograph rendered without vessels
    disc: tuple[float, float, float]  # cy, cx, radius
    fovea: tuple[float, float]  # cy, cx
    lesions: np.ndarray  # [S, S] uint8 codes of `LESIONS`
    grade: int  # 0-4, ICDR
    eye: str  # 'L' | 'R'
    centre: str  # 'disc' | 'macula'


LESIONS = ("none", "microaneurysm", "haemorrhage", "hard exudate", "cotton wool", "neovascular")
STYLES = {"a": (1.0, (205, 100, 50)), "b": (0.74, (215, 75, 55)), "c": (1.0, (150, 85, 45))}


def _stroke(depth: np.ndarray, points: list[tuple[float, float, float]]) -> None:
    """Adds the coverage of a chain of (y, x, radius) to `depth` [S, S] by maximum."""
    side = depth.shape[0]
    for y, x, r in points:
        k = int(r + 2)
        y0, y1 = max(0, int(y) - k), min(side, int(y) + k + 2)
        x0, x1 = max(0, int(x) - k), min(side, int(x) + k + 2)
        if y0 >= y1 or x0 >= x1:
            continue
        yy, xx = np.ogrid[y0:y1, x0:x1]
        d = np.sqrt((yy - y) ** 2 + (xx - x) ** 2)
        cover = np.clip(d + 0.5, -r, r) - np.clip(d - 0.5, -r, r)
        np.maximum(depth[y0:y1, x0:x1], cover, out=depth[y0:y1, x0:x1])


def draw(seed: int, side: int, style: str = "a", grade: int | None = None) -> Drawn:
    """Draws one fundus photograph. A pure function of its arguments.

    Args:
      seed: which eye.
      side: pixels of the square photograph.
      style: camera, a key of `STYLES`.
      grade: diabetic retinopathy 0-4 (ICDR); drawn from the seed when None.

    Returns:
      Drawn.

    Raises:
      ValueError: a style or grade that does not exist.
    """
    if style not in STYLES:
        raise ValueError(f"style {style!r} is none of {sorted(STYLES)}")
    if grade is not None and grade not in range(5):
        raise ValueError(f"grade {grade!r} is none of 0, 1, 2, 3, 4")
    rng = np.random.default_rng(np.random.SeedSequence([seed, 17]))
    grade = int(rng.choice(5, p=(0.5, 0.15, 0.2, 0.1, 0.05))) if grade is None else grade
    cut, colour = STYLES[style]
    eye = "LR"[int(rng.integers(2))]
    centre = ("disc", "macula")[int(rng.integers(2))]
    sign = 1.0 if eye == "R" else -1.0
    unit = side * rng.uniform(0.11, 0.14)  # disc diameter
    mid = side / 2 - 0.5
    jitter = rng.normal(0, 0.03 * side, 2)
    disc_x = mid + jitter[0] + (sign * 1.25 * unit if centre == "macula" else 0)
    if centre == "macula":
        disc_x = mid + jitter[0] + sign * 2.4 * unit
    disc_y = mid + jitter[1] * 0.5
    fovea = (disc_y + 0.2 * unit, disc_x - sign * 2.5 * unit)
    yy, xx = np.mgrid[:side, :side].astype(np.float32)
    r = np.hypot(yy - mid, xx - mid)
    fov = (r < side / 2 - 1) & (np.abs(yy - mid) < cut * side / 2)

    red = np.array(colour, np.float32) * rng.uniform(0.8, 1.15) * rng.normal(1, 0.06, 3)
    field = ndimage.gaussian_filter(rng.standard_normal((side, side)), side / 25) * side / 25
    shade = 1 + 0.12 * field - 0.25 * (r / side * 2) ** 2
    to_fovea = np.hypot(yy - fovea[0], xx - fovea[1])
    shade *= 1 - 0.35 * np.exp(-((to_fovea / (0.8 * unit)) ** 2))
    base = red * shade[..., None]
    to_disc = np.hypot(yy - disc_y, xx - disc_x)
    rim = 1 / (1 + np.exp((to_disc - unit / 2) / (0.04 * unit)))
    base += rim[..., None] * (np.array([245, 205, 140]) - base) * 0.8

    cover = np.zeros((2, side, side), np.float32)
    for kind in (0, 1):
        for up in (-1.0, 1.0):
            for away in (-1.0, 1.0):  # temporal, nasal
                _trunk(rng, cover[kind], (disc_y, disc_x), up, away * sign, unit, kind)
    inside = fov.astype(np.float32)
    cover *= inside
    depth = 1 - (1 - 0.45 * cover[0]) * (1 - 0.6 * cover[1])
    absorb = 1 - depth[..., None] * np.array([0.35, 0.9, 0.6], np.float32)

    lesions = np.zeros((side, side), np.uint8)
    spots = base.copy()
    for code, count in ((1, 6 * grade), (2, 4 * max(0, grade - 1)), (3, 4 * max(0, grade - 1))):
        tint = np.array([250, 220, 120]) if code == 3 else np.array([95, 20, 15])
        for _ in range(count):
            y, x = rng.uniform(0.2, 0.8, 2) * side
            size = max(1.0, unit * rng.uniform(0.02, 0.05 if code == 1 else 0.12))
            hit = np.hypot(yy - y, xx - x) < size
            lesions[hit & fov] = code
            spots[hit] = 0.3 * spots[hit] + 0.7 * tint
    noise = rng.normal(0, 2.0, (side, side, 3))

    def photograph(picture: np.ndarray) -> np.ndarray:
        soft = ndimage.gaussian_filter(picture, (0.6, 0.6, 0)) + noise
        return np.clip(soft * inside[..., None], 0, 255).round().astype(np.uint8)

    either = np.maximum(cover[0], cover[1])
    vessels = (np.stack([cover[0], cover[1], either], -1) * 255).round().astype(np.uint8)
    return Drawn(
        photograph(spots * absorb),
        fov.astype(np.uint8),
        vessels,
        photograph(spots),
        (float(disc_y), float(disc_x), float(unit / 2)),
        (float(fovea[0]), float(fovea[1])),
        lesions,
        grade,
        eye,
        centre,
    )


def _trunk(
    rng: np.random.Generator,
    cover: np.ndarray,
    start: tuple[float, float],
    up: float,
    away: float,
    unit: float,
    kind: int,
) -> None:
    """Grows one arcade from the disc; side branches leave it and shrink by Murray's law."""
    side = cover.shape[0]
    angle = up * rng.uniform(1.2, 1.5) + rng.normal(0, 0.1)
    todo = [(start[0], start[1], angle, unit * (0.032 if kind == 0 else 0.045), 0)]
    while todo:
        y, x, angle, radius, level = todo.pop()
        chain = []
        bend = rng.normal(0, 0.01)
        for step in range(int(2 * side)):
            chain.append((y, x, radius))
            if level == 0 and step < 3.2 * unit:
                angle -= up * 0.9 / (3.2 * unit)
            bend = 0.95 * bend + rng.normal(0, 0.012)
            angle += bend
            y += math.sin(angle)
            x -= away * math.cos(angle)
            radius *= 1 - 0.25 / side
            if not (0 <= y < side and 0 <= x < side) or radius < side / 900:
                break
            if rng.random() < 1 / (0.5 * unit) and level < 4:
                small = radius * rng.uniform(0.4, 0.8)
                turn = rng.choice((-1.0, 1.0)) * rng.uniform(0.5, 1.0)
                todo.append((y, x, angle + turn, small, level + 1))
                radius = (radius**3 - small**3) ** (1 / 3)
        _stroke(cover, chain)
