"""Whether what a round field shows is the inside of an eye.

A fundus camera pointed at a face, at a test chart or across the room shows its round field just as
well, so the circle alone cannot tell. Colour can: haemoglobin and melanin swallow blue and the lens
scatters it, so a retina shows little fine detail in blue, and what blue there is (haze,
reflections) is smooth. Red light passes through blood and pigment that stop green, so a retina
looks different in red and in green. Skin, lashes, the white of the eye or print show fine detail in
blue, and the same detail in every colour.

Both must speak against a retina before it is refused. Measured at the thresholds below, over the
photographs with a colour: blue at most 0.051 over HRF, CHASE_DB1 and DRIMDB's good and bad, at
least 0.077 over DRIMDB's outliers; agreement at least 0.74 over those outliers, at most 0.64 in
HRF, 0.77 in CHASE_DB1 (and up to 0.96 in DRIMDB, whose camera mixes red and green).
"""

import dataclasses

import numpy as np
from scipy import ndimage

from input_pipeline.circle import Circle

BLOCKS = 128  # the picture is averaged to about so many blocks along its long side
DETAIL = 13  # blocks; fine detail is a block's difference from the mean over such a square
MAX_BLUE = 0.07
MAX_AGREEMENT = 0.65


@dataclasses.dataclass(frozen=True)
class Content:
    """Two properties of the fine detail inside a field."""

    blue: float  # 90th percentile of |detail in blue| / mean of the brightest colour
    agreement: float  # correlation of the details in red and in green

    @property
    def retina(self) -> bool:
        """False where both properties are beyond what a retina shows."""
        return self.blue <= MAX_BLUE or self.agreement <= MAX_AGREEMENT


def look(image: np.ndarray, field: Circle, dark: int) -> Content | None:
    """Measures what a field shows.

    Args:
      image: `[h, w, 3] uint8` RGB.
      field: a circle in it.
      dark: level, 0 to 255, up to which a pixel holds no light.

    Returns:
      The two properties, or None for a picture without colour (an angiogram, a red-free
      photograph) or with too little light to say.
    """
    step = max(1, round(max(image.shape) / BLOCKS))
    colours = _block_means(image, step)
    y, x = np.ogrid[: colours.shape[1], : colours.shape[2]]
    away = np.hypot((x + 0.5) * step - field.x, (y + 0.5) * step - field.y)
    lit = ndimage.minimum_filter(np.maximum.reduce(colours) > dark, 5, mode="constant")
    inside = lit & (away < 0.95 * field.radius)
    if inside.sum() < 100:
        return None
    part = np.stack([colour[inside] for colour in colours])
    brightest = np.maximum.reduce(part)
    if (brightest - np.minimum.reduce(part)).mean() < 0.05 * brightest.mean():
        return None
    # Means over the part of the square that lies inside.
    layers = np.concatenate([colours * inside, inside[None].astype(np.float32)])
    mean = ndimage.uniform_filter(layers, (0, DETAIL, DETAIL), mode="constant")
    share = mean[3][inside]
    red, green, blue = (c - m[inside] / share for c, m in zip(part, mean[:3], strict=True))
    spread = max(float(red.std() * green.std()), 1e-6)
    agreement = float((red * green).mean() - red.mean() * green.mean()) / spread
    if agreement > 0.995:
        return None  # one colour only
    detail = np.quantile(np.abs(blue), 0.9) / part.mean(axis=1).max()
    return Content(blue=float(detail), agreement=agreement)


def _block_means(image: np.ndarray, step: int) -> np.ndarray:
    """Means of step x step blocks, `[3, h // step, w // step] float32`."""
    h, w = image.shape[0] // step * step, image.shape[1] // step * step
    rows = np.zeros((h // step, image.shape[1], 3), np.uint16)
    for i in range(step):
        rows += image[i:h:step]
    total = np.zeros((h // step, w // step, 3), np.float32)
    for i in range(step):
        total += rows[:, i:w:step]
    return np.ascontiguousarray(np.moveaxis(total, 2, 0)) / step**2
