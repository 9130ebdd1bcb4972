"""An annotation of a photograph, seen through the same square as the photograph.

Annotations come at the photograph's size or reduced. They follow `Photo.box`, so that a pixel of
the result shows the truth of the same pixel of the photograph.
"""

import os
from collections.abc import Sequence

import numpy as np
from PIL import Image

from input_pipeline.crop import crop
from input_pipeline.decode import Upright
from input_pipeline.photo_error import problem

_ASPECT = 0.01  # relative difference that rounding of a reduced size explains


def read_mask(path: str | os.PathLike, size: tuple[int, int]) -> np.ndarray:
    """The values of an annotation as they are stored: palette indices stay indices.

    Args:
      path: PNG, TIFF, GIF or BMP; one bit, grey, palette or RGB.
      size: width and height of the upright photograph it belongs to.

    Returns:
      `[h, w] uint8`, or `[h, w, 3] uint8` for RGB.

    Raises:
      PhotoError: no such file, no picture, or a picture of another shape than the photograph.
    """
    name = os.fspath(path)
    try:
        with Image.open(path) as picture:
            plain = picture.mode in ("1", "L", "P", "RGB")
            mode = "RGB" if picture.mode == "RGBA" else "L"
            found = np.asarray(picture if plain else picture.convert(mode))
    except FileNotFoundError:
        raise problem(name, "there is no such annotation", "check the folder") from None
    except (OSError, ValueError) as error:
        raise problem(name, f"the annotation cannot be read ({error})", "replace it") from None
    height, width = found.shape[:2]
    if abs(width * size[1] / (height * size[0]) - 1) > _ASPECT:
        raise problem(
            name,
            f"the annotation is {width} x {height}, its photograph {size[0]} x {size[1]}: "
            "another crop or release",
            "use the photographs that it was drawn on",
        )
    return found.astype(np.uint8)


def labels_through(
    mask: np.ndarray, box: Sequence[float], size: tuple[int, int], side: int, outside: int
) -> np.ndarray:
    """Class indices of the square: each pixel takes the value that its centre lies in.

    Args:
      mask: `[h, w] uint8` of the whole photograph, at any scale.
      box: left, top, right, bottom of the square, in upright original pixels.
      size: width and height of the upright original.
      side: pixels S of the result.
      outside: value where the square reaches outside the photograph.

    Returns:
      `[S, S] uint8`.
    """
    places = []
    for low, high, length, cells in (
        (box[1], box[3], size[1], mask.shape[0]),
        (box[0], box[2], size[0], mask.shape[1]),
    ):
        at = low + (np.arange(side) + 0.5) * (high - low) / side
        places.append(np.floor(at * cells / length).astype(np.int64))
    row, column = places
    inside = ((row >= 0) & (row < mask.shape[0]))[:, None]
    inside = inside & ((column >= 0) & (column < mask.shape[1]))[None, :]
    picked = mask[row.clip(0, mask.shape[0] - 1)][:, column.clip(0, mask.shape[1] - 1)]
    return np.where(inside, picked, np.uint8(outside))


def coverage_through(
    mask: np.ndarray, box: Sequence[float], size: tuple[int, int], side: int
) -> np.ndarray:
    """Share of each pixel of the square that the mask covers, with the photograph's own filter.

    Thin vessels fade when they are reduced, as they do in the photograph.

    Args:
      mask: `[h, w] bool` of the whole photograph, at any scale.
      box, size, side: as in `labels_through`.

    Returns:
      `[S, S] uint8`, 255 where covered whole; 0 outside the photograph.
    """
    height, width = mask.shape
    x, y = width / size[0], height / size[1]
    picture = Image.fromarray(mask.astype(np.uint8) * np.uint8(255))
    whole = Upright(picture, (width, height), 1, (0, 0), {})
    return crop(whole, (box[0] * x, box[1] * y, box[2] * x, box[3] * y), side, ())[..., 0]
