"""Whether what a round field shows is the inside of an eye.

A fundus camera pointed at a face, at a test chart or across the room shows its round field just as
well, so the circle alone cannot tell. Colour can: haemoglobin and melanin swallow blue and the lens
scatters it, so a retina shows little fine detail in blue, and what blue there is (haze,
reflections) is smooth. Red light passes through blood and pigment that stop green, so a retina
looks different in red and in green. Skin, lashes, the white of the eye or print show fine detail in
blue, and the same detail in every colour.

The product of the two is judged. Measured over all photographs with a colour it is at most 0.017 in
HRF, 0.029 in CHASE_DB1 and 0.021 in DRIMDB's good and bad (at most 0.058 with their blue doubled,
as another camera's white balance might), and 0.067 to 0.22 in DRIMDB's outliers but one, a dark
room, at 0.047.
"""

import dataclasses

import numpy as np
from scipy import ndimage

from input_pipeline.photo.circle import Circle

BLOCKS = 128  # the picture is averaged to about so many blocks along its long side
DETAIL = 13  # blocks; fine detail is a block's difference from the mean over such a square
MAX_SHARED = 0.055  # more fine detail in blue, shared by the other colours, shows no retina


@dataclasses.dataclass(frozen=True)
class Content:
    """Two properties of the fine detail inside a field."""

    blue: float  # 90th percentile of |detail in blue| / mean of the brightest colour
    agreement: float  # correlation of the details in red and in green

    @property
    def shared(self) -> float:
        """How much fine detail blue shares with the other colours."""
        return self.blue * max(self.agreement, 0.0)

    @property
    def retina(self) -> bool:
        """False where that is more than a retina shows."""
        return self.shared <= MAX_SHARED


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
