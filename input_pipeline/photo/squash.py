"""The whole frame as a square, its proportions given up: how many released programs read pictures.

Pillow's resizing of all decoded pixels, so that weights trained by such a program see what they saw
there: torchvision's `Resize((S, S))` is `bilinear`, the image processor of DINOv3 `bicubic`.
"""

from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image

from input_pipeline.photo.crop import cover
from input_pipeline.photo.decode import Upright

FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


def squashed(
    upright: Upright, side: int, boxes: Sequence[Sequence[float]], resample: str
) -> np.ndarray:
    """The frame at `side` x `side` pixels, antialiased.

    Args:
      upright: the picture, decoded at its full size.
      side: pixels S of the result.
      boxes: painted black first, in original pixels.
      resample: a key of FILTERS.

    Returns:
      `[S, S, C] uint8`, C = 3 of an RGB picture, 1 of a grey one.
    """
    picture = upright.image
    if boxes:
        pixels = np.array(picture)
        for box in boxes:
            pixels[cover(box, upright.origin, upright.scale, pixels.shape)] = 0
        picture = Image.fromarray(pixels)
    out = np.asarray(picture.resize((side, side), FILTERS[resample]))
    return out.reshape(side, side, -1)


def frame_mask(
    side: int,
    size: tuple[int, int],
    boxes: Sequence[Sequence[float]],
    seen: Callable[[np.ndarray, np.ndarray], np.ndarray] | None,
) -> np.ndarray:
    """1 where a pixel's centre lies in the field, a circle become an ellipse, off erased boxes.

    Args:
      side: pixels S of the result.
      size: width and height of the original.
      boxes: erased, in original pixels; pixels that the filter mixes with them are 0, too.
      seen: of columns `[W]` and rows `[H]` in original pixels, which are in the field `[H, W]`;
        None for all.

    Returns:
      `[S, S] uint8`.
    """
    steps = size[0] / side, size[1] / side
    x, y = ((np.arange(side) + 0.5) * step for step in steps)
    inside = np.ones((side, side), bool) if seen is None else seen(x, y)
    for left, top, right, bottom in boxes:
        columns = (x > left - steps[0]) & (x < right + steps[0])
        inside[np.ix_((y > top - steps[1]) & (y < bottom + steps[1]), columns)] = False
    return inside.astype(np.uint8)
