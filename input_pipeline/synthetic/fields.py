"""Smooth random fields: the raw material of background, light and clouds."""

import numpy as np
from PIL import Image
from scipy import ndimage


def smooth(rng: np.random.Generator, side: int, cells: float) -> np.ndarray:
    """A random field with bumps about 1 / `cells` of the side wide.

    White noise on a coarse grid at a random offset, enlarged bicubically: its cost does not depend
    on how smooth it is, and its look not on the resolution.

    Args:
      rng: source of randomness.
      side: pixels.
      cells: grid points across the side, at least 1.

    Returns:
      [side, side] float32, mean near 0, standard deviation near 1.
    """
    n = int(np.ceil(cells)) + 4
    grid = Image.fromarray(rng.standard_normal((n, n)).astype(np.float32))
    left, top = rng.uniform(1.0, 2.0, 2)
    box = (left, top, left + cells, top + cells)
    field = np.asarray(grid.resize((side, side), Image.Resampling.BICUBIC, box=box))
    return field / 0.72  # bicubic weights keep 0.72 of white noise's deviation on average


def streaks(
    rng: np.random.Generator, distance: np.ndarray, angle: np.ndarray, length: float, turns: float
) -> np.ndarray:
    """A random field drawn out along the radii of a polar grid.

    Args:
      rng: source of randomness.
      distance: [S, S] float32, distance from the pole, in any unit.
      angle: [S, S] float32, radians.
      length: how long a streak is, in that unit.
      turns: number of bumps round the pole.

    Returns:
      [S, S] float32, mean near 0, standard deviation near 1.
    """
    rows = int(distance.max() / length) + 4
    columns = max(3, int(turns))
    tile = rng.standard_normal((rows, columns)).astype(np.float32)
    tile = np.concatenate([tile, tile[:, :1]], 1)
    at = (distance / length + 1.0, (angle / (2 * np.pi) % 1.0) * columns)
    return ndimage.map_coordinates(tile, at, order=1, mode="nearest") / 0.67


def axes(side: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows [S, 1] and columns [1, S] float32 of pixel centres, 0 in the middle, -1..1 across."""
    line = (np.arange(side, dtype=np.float32) + 0.5) / (side / 2) - 1
    return line[:, None], line[None, :]
