"""Synthetic photographs with a round field of known centre and radius, for the reader's tests."""

import numpy as np


def draw(
    width: int,
    height: int,
    x: float,
    y: float,
    radius: float,
    *,
    level: float = 1.0,
    rim: float = 1.0,
    noise: float = 0.0,
    surround: float = 2.0,
) -> np.ndarray:
    """A retina-coloured disc on a dark surround, `[height, width, 3] uint8`.

    Vessels absorb green most; the choroid below shows in red alone.

    Args:
      width, height: of the frame, in pixels.
      x, y, radius: of the field, pixel i covering the interval from i to i + 1.
      level: factor on all light.
      rim: light at the field's edge as a share of that in its centre (falls with the square).
      noise: sd of noise in grey levels.
      surround: grey level outside.
    """
    rng = np.random.default_rng(7)
    column = (np.arange(width, dtype=np.float32) + 0.5)[None, :]
    row = (np.arange(height, dtype=np.float32) + 0.5)[:, None]
    away = np.hypot(column - x, row - y)
    share = np.clip(radius - away + 0.5, 0, 1)  # of each pixel that the disc covers, nearly
    u, v = (column - x) / radius, (row - y) / radius
    bend = 0.25 * (away / radius) ** 2
    vessels = np.zeros_like(away)
    for angle in rng.uniform(0, np.pi, 7):  # thin bent lines through the disc
        across = u * np.sin(angle) - v * np.cos(angle) + bend - rng.uniform(-1, 1)
        vessels += np.exp(-((across / 0.012) ** 2))
    absorbed = np.clip(vessels, 0, 1)[..., None] * np.float32([0.12, 0.4, 0.3])
    choroid = np.sin(17 * u + 5) * np.sin(19 * v + 1)
    light = level * (1 - (1 - rim) * np.clip(away / radius, 0, 1) ** 2)
    colour = np.float32([190, 95, 35]) * (1 - absorbed)
    colour[..., 0] += 10 * choroid
    colour *= light[..., None]
    image = surround + (colour - surround) * share[..., None]
    if noise:
        image = image + rng.normal(0, noise, image.shape)
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)
