"""A square of a decoded picture as pixels, and the mask of what it shows."""

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image

from input_pipeline.photo.decode import Upright

Box = tuple[int, int, int, int]
# JPEG pixels decoded at a reduced scale mix with their neighbours in a block of 8 (colour: 16);
# erased boxes grow by so much there, so that nothing of a stamp shows beside them.
BLOCK = 16


def erased(boxes: Sequence[Box], upright: Upright) -> list[tuple[float, float, float, float]]:
    """What has to be painted black for the boxes to be gone, in original pixels."""
    return [_grown(box, BLOCK if upright.scale > 1 else 0) for box in boxes]


def cover(
    box: Sequence[float], origin: Sequence[float], scale: float, shape: Sequence[int]
) -> tuple[slice, slice]:
    """Rows and columns of a grid that a box touches, however little.

    Args:
      box: left, top, right, bottom in original pixels.
      origin: x, y of the grid's corner, in original pixels.
      scale: original pixels per cell.
      shape: rows and columns of the grid.
    """
    spans = []
    for axis, cells in ((1, shape[0]), (0, shape[1])):
        first = math.floor((box[axis] - origin[axis]) / scale)
        last = math.ceil((box[axis + 2] - origin[axis]) / scale)
        spans.append(slice(min(max(first, 0), cells), min(max(last, 0), cells)))
    return spans[0], spans[1]


def crop(
    upright: Upright, square: Sequence[float], side: int, boxes: Sequence[Sequence[float]]
) -> np.ndarray:
    """The square as pixels, antialiased, the boxes black before it is resized.

    A triangle filter (Pillow's bilinear, which widens with the reduction): it neither aliases nor
    rings, either of which a judge of sharpness would take for detail.

    Args:
      upright: the decoded picture.
      square: left, top, right, bottom in original pixels; may reach outside.
      side: pixels S of the result.
      boxes: painted black, in original pixels.

    Returns:
      `[S, S, C] uint8`, 0 where a pixel's centre lies outside the photograph.
    """
    picture = np.asarray(upright.image)
    picture = picture.reshape(*picture.shape[:2], -1)
    out = np.zeros((side, side, picture.shape[2]), np.uint8)
    rows, columns = _shown(square, side, upright.size)
    scale, (ox, oy) = upright.scale, upright.origin
    step = (square[2] - square[0]) / side
    # What those rows and columns cover, in decoded pixels; some of it may lie outside.
    left, right = ((square[0] + at * step - ox) / scale for at in (columns.start, columns.stop))
    top, bottom = ((square[1] + at * step - oy) / scale for at in (rows.start, rows.stop))
    margin = 2 + step / scale  # the filter looks so far beyond
    x0, x1 = _span(left - margin, right + margin, picture.shape[1])
    y0, y1 = _span(top - margin, bottom + margin, picture.shape[0])
    part = picture[y0:y1, x0:x1]
    if boxes:
        part = part.copy()
        for box in boxes:
            part[cover(box, (ox + x0 * scale, oy + y0 * scale), scale, part.shape)] = 0
    # The border is repeated, so that the filter does not darken the last row.
    above, before = max(0, math.ceil(y0 - top)), max(0, math.ceil(x0 - left))
    below, after = max(0, math.ceil(bottom - y1)), max(0, math.ceil(right - x1))
    if above or below or before or after:
        part = np.pad(part, ((above, below), (before, after), (0, 0)), mode="edge")
    x, y = before - x0, above - y0
    shown = Image.fromarray(part[..., 0] if part.shape[2] == 1 else part).resize(
        (columns.stop - columns.start, rows.stop - rows.start),
        Image.Resampling.BILINEAR,
        box=(left + x, top + y, right + x, bottom + y),
    )
    out[rows, columns] = np.asarray(shown).reshape(*shown.size[::-1], -1)
    return out


def mask(
    square: Sequence[float],
    side: int,
    size: tuple[int, int],
    boxes: Sequence[Sequence[float]],
    circle: tuple[float, float, float] | None,
) -> np.ndarray:
    """1 where a pixel's centre lies in the photograph, in the circle and well off erased boxes.

    Args:
      square: left, top, right, bottom in original pixels.
      side: pixels S of the result.
      size: width and height of the original.
      boxes: erased, in original pixels; pixels that the filter mixes with them are 0, too.
      circle: x, y, radius in original pixels, or None.

    Returns:
      `[S, S] uint8`.
    """
    step = (square[2] - square[0]) / side
    inside = np.zeros((side, side), bool)
    inside[_shown(square, side, size)] = True
    if circle is not None:
        x = square[0] + (np.arange(side) + 0.5) * step - circle[0]
        y = square[1] + (np.arange(side) + 0.5) * step - circle[1]
        inside &= x[None, :] ** 2 + y[:, None] ** 2 <= circle[2] ** 2
    for box in boxes:
        inside[cover(_grown(box, step), square, step, inside.shape)] = False
    return inside.astype(np.uint8)


def _grown(box: Sequence[float], by: float) -> tuple[float, float, float, float]:
    return box[0] - by, box[1] - by, box[2] + by, box[3] + by


def _shown(square: Sequence[float], side: int, size: tuple[int, int]) -> tuple[slice, slice]:
    """Rows and columns of the result whose centres lie in the photograph.

    Of a strip so thin that it falls between centres, the row or column that its middle lies in.
    """
    step = (square[2] - square[0]) / side
    spans = []
    for low, length in ((square[1], size[1]), (square[0], size[0])):
        first = max(math.ceil(-low / step - 0.5), 0)
        last = min(math.ceil((length - low) / step - 0.5), side)
        if first >= last:
            first = min(max(math.floor((length / 2 - low) / step), 0), side - 1)
            last = first + 1
        spans.append(slice(first, last))
    return spans[0], spans[1]


def _span(low: float, high: float, cells: int) -> tuple[int, int]:
    """The whole cells of [0, cells) that an interval touches, one at least."""
    first = min(max(math.floor(low), 0), cells - 1)
    return first, max(min(math.ceil(high), cells), first + 1)
