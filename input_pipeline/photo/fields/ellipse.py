"""A round field squeezed to other proportions: an upright ellipse through points.

Sets of photographs cropped to the field and squared show such fields. Only upright ellipses whose
axes differ by at most MAX_ASPECT are looked for; the edge is measured on the picture stretched back
(`circle.measure`), so that what convinces of a circle convinces of an ellipse.
"""

import dataclasses

import numpy as np
from PIL import Image

from input_pipeline.photo.fields import circle

SAMPLES = 400  # RANSAC samples of 4 points; with half of the points wrong 25 of them are good
MAX_ASPECT = 1.7  # of the axes; sensors are up to 1.5 times as wide as high
NEAR = 2.0  # pixels between a point and the ellipse it lies on, about
MIN_ARC = 90.0  # degrees of edge: fewer fit too many ellipses
MAX_OFFSET = 0.12  # of the centre from the frame's: the picture was cropped to the field


@dataclasses.dataclass(frozen=True)
class Ellipse:
    """An upright ellipse in the pixels of the picture searched, and the evidence for it."""

    x: float
    y: float
    across: float  # half its width
    down: float  # half its height
    arc: float  # degrees of circumference with a clear edge on it, once it is made round

    def away(self, shape: tuple[int, int]) -> np.ndarray:
        """Square of the distance of pixel centres from its centre, 1 on it, `[h, w] float32`."""
        y = (np.arange(shape[0], dtype=np.float32) + np.float32(0.5 - self.y)) / self.down
        x = (np.arange(shape[1], dtype=np.float32) + np.float32(0.5 - self.x)) / self.across
        return np.asarray((y * y)[:, None] + (x * x)[None, :], np.float32)


def guess(points: np.ndarray, shape: tuple[int, int]) -> np.ndarray | None:
    """The upright ellipse that passes near most points, by RANSAC from a fixed seed.

    Args:
      points: `[n, 2] float64` (x, y) on the suspected edge, half of them wrong at most.
      shape: height and width of the frame.

    Returns:
      `[4] float64` x, y, half width, half height; None where no sample gives one.
    """
    if len(points) < 16:
        return None
    h, w = shape
    points = points[:: max(1, len(points) // 160)] - np.array([w / 2, h / 2])
    pick = np.random.default_rng(0).integers(0, len(points), (SAMPLES, 4))
    x, y = points[pick, 0], points[pick, 1]
    # a x^2 + c y^2 + d x + e y = 1 through four points each
    system = np.stack([x * x, y * y, x, y], axis=2)
    fine = np.abs(np.linalg.det(system)) > 1e-3
    if not fine.any():
        return None
    a, c, d, e = np.linalg.solve(system[fine], np.ones((fine.sum(), 4, 1)))[..., 0].T
    with np.errstate(divide="ignore", invalid="ignore"):
        x0, y0 = -d / (2 * a), -e / (2 * c)
        scale = 1 + a * x0**2 + c * y0**2
        across, down = np.sqrt(scale / a), np.sqrt(scale / c)
        ratio = across / down
        fine = (a * scale > 0) & (c * scale > 0)
        fine &= (ratio < MAX_ASPECT) & (ratio > 1 / MAX_ASPECT)
    low, high = 0.25 * min(h, w), 0.75 * np.hypot(h, w)
    fine &= (across > low) & (down > low) & (across < high) & (down < high)
    fine &= (np.abs(x0) < MAX_OFFSET * w) & (np.abs(y0) < MAX_OFFSET * h)
    if not fine.any():
        return None
    found = np.stack([x0, y0, across, down], axis=1)[fine].astype(np.float32)
    p = points.astype(np.float32)
    off = np.hypot(
        (p[:, 0] - found[:, :1]) / found[:, 2:3], (p[:, 1] - found[:, 1:2]) / found[:, 3:]
    )
    off = np.abs(off - 1) * np.sqrt(found[:, 2:3] * found[:, 3:])
    best = found[np.maximum(NEAR - off, 0).sum(axis=1).argmax()].astype(np.float64)
    return best + np.array([w / 2, h / 2, 0, 0])


def measure(level: np.ndarray, points: np.ndarray, veil: np.ndarray | None) -> Ellipse | None:
    """The ellipse through an edge; None where none convinces.

    Args:
      level: `[h, w] uint8` brightness.
      points: `[n, 2]` (x, y) where scan lines first meet light.
      veil: `[h, w] bool`, True where the picture says nothing, or None.
    """
    h, w = level.shape
    found = guess(points, (h, w))
    if found is None:
        return None
    x, y, across, down = found
    wide, high = max(1.0, down / across), max(1.0, across / down)  # stretched until it is round
    size = round(w * wide), round(h * high)
    wide, high = size[0] / w, size[1] / h
    even = Image.fromarray(level).resize(size, Image.Resampling.BILINEAR)
    hidden = None if veil is None else np.asarray(Image.fromarray(veil).resize(size))
    start = np.array([x * wide, y * high, max(across, down)])
    one = circle.measure(np.asarray(even, np.float32), start, hidden)
    if one is None or not one.convincing or one.arc < MIN_ARC or one.offset > MAX_OFFSET:
        return None
    return Ellipse(one.x / wide, one.y / high, one.radius / wide, one.radius / high, one.arc)
