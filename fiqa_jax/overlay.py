"""A quality map drawn: bare, for machines, and over its photograph, for eyes."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

COLOUR = (255, 0, 200)  # a hue that no retina shows
STRENGTH = 0.6  # of the colour where the map is 1

Bytes = NDArray[np.uint8]


def enlarged(quality_map: NDArray[np.floating], side: int) -> NDArray[np.float32]:
    """[h, w] float -> [side, side] in [0, 1], bilinear between the centres of cells."""
    clipped = np.clip(np.asarray(quality_map, np.float32), 0, 1)
    large = Image.fromarray(clipped).resize((side, side), Image.Resampling.BILINEAR)
    return np.asarray(large)


def bare(quality_map: NDArray[np.floating], side: int) -> Bytes:
    """[h, w] float in [0, 1] -> [side, side] uint8 grey, 255 = bad, bilinear."""
    return np.rint(enlarged(quality_map, side) * 255).astype(np.uint8)


def over(image: Bytes, quality_map: NDArray[np.floating], fov: Bytes) -> Bytes:
    """The photograph with bad places tinted, nothing drawn outside the field of view.

    Args:
      image: [S, S, 3] or [S, S, 1] uint8; `quality_map`: [h, w] float in [0, 1], 1 = bad;
      fov: [S, S] uint8, 1 inside.

    Returns:
      [S, S, 3] uint8.
    """
    side = image.shape[0]
    photo = np.broadcast_to(image, (side, side, 3)).astype(np.float32)
    share = STRENGTH * bare(quality_map, side)[..., None] / 255 * (fov[..., None] > 0)
    mixed = photo * (1 - share) + np.asarray(COLOUR, np.float32) * share
    return np.rint(mixed).astype(np.uint8)
