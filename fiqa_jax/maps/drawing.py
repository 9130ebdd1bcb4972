"""A quality map drawn: bare, for machines, and over its photograph, for eyes."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

COLOUR = (255, 0, 200)  # a hue that no retina shows
STRENGTH = 0.6  # of the colour where the map is 1

Bytes = NDArray[np.uint8]


def enlarged(quality_map: NDArray[np.floating], side: int) -> NDArray[np.float32]:
    """[h, w] float -> [side, side] in [0, 1], bilinear between the centres of cells."""
    clipped = np.clip(np.asarray(quality_map, np.float32), 0, 1)
    large = Image.fromarray(clipped).resize((side, side), Image.Resampling.BILINEAR)
    return np.asarray(large)


def seen_share(fov: Bytes, rows: int, columns: int) -> NDArray[np.float32]:
    """Share `[rows, columns]` of each cell that lies in the field `[S, S] uint8`, 1 inside."""
    inside = Image.fromarray((fov > 0).astype(np.float32))
    return np.asarray(inside.resize((columns, rows), Image.Resampling.BOX))


def continued(quality_map: NDArray[np.floating], fov: Bytes) -> NDArray[np.float32]:
    """A map whose cells outside the field have what their neighbours inside have.

    Else the zeros out there would draw a rim of better places when the map is enlarged.

    Args:
      quality_map: `[h, w] float`; `fov`: `[S, S] uint8`, 1 inside.
    """
    plain = np.asarray(quality_map, np.float32)
    inside = (seen_share(fov, *plain.shape) > 0).astype(np.float32)
    sums = [ndimage.gaussian_filter(x, 1.0, mode="constant") for x in (plain * inside, inside)]
    return np.where(inside > 0, plain, sums[0] / np.maximum(sums[1], 1e-6))


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
    large = bare(continued(quality_map, fov), side)
    share = STRENGTH * large[..., None] / 255 * (fov[..., None] > 0)
    mixed = photo * (1 - share) + np.asarray(COLOUR, np.float32) * share
    return np.rint(mixed).astype(np.uint8)
