"""A square of a decoded picture as pixels, and the mask of what it shows."""

import math
from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image

from input_pipeline.photo.decode import Upright

Box = tuple[float, float, float, float]
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
    picture = upright.image
    channels = len(picture.getbands())
    out = np.zeros((side, side, channels), np.uint8)
    rows, columns = _shown(square, side, upright.size)
    scale, (ox, oy) = upright.scale, upright.origin
    step = (square[2] - square[0]) / side
    # What those rows and columns cover, in decoded pixels; some of it may lie outside.
    left, right = ((square[0] + at * step - ox) / scale for at in (columns.start, columns.stop))
    top, bottom = ((square[1] + at * step - oy) / scale for at in (rows.start, rows.stop))
    if boxes:
        picture = picture.copy()
        for box in boxes:
            down, across = cover(box, upright.origin, scale, picture.size[::-1])
            if across.stop > across.start and down.stop > down.start:
                where = (across.start, down.start, across.stop, down.stop)
                picture.paste((0,) * channels, where)
    w, h = picture.size
    if right - left > 2 * w:  # so thin that nearly all of a pixel would be its border repeated
        left, right = 0, w
    if bottom - top > 2 * h:
        top, bottom = 0, h
    size = columns.stop - columns.start, rows.stop - rows.start
    if left < 0 or top < 0 or right > w or bottom > h:
        shown = _with_border(picture, (left, top, right, bottom), size, step / scale)
    else:
        shown = picture.resize(size, Image.Resampling.BILINEAR, (left, top, right, bottom))
    out[rows, columns] = np.asarray(shown).reshape(*shown.size[::-1], channels)
    return out


def _with_border(
    picture: Image.Image, box: tuple[float, float, float, float], size: tuple[int, int], step: float
) -> Image.Image:
    """A box of a picture at another size, its border repeated where the box reaches beyond it.

    So that the filter does not darken the last row. A box reaches beyond by half a step at most.
    Columns are made fewer before rows are added: Pillow goes through the axes in this order, too,
    and the picture that is copied is the smaller one.
    """
    w, h = picture.size
    left, top, right, bottom = box
    margin = 2 + step  # the filter looks so far beyond
    x0, x1 = _span(left - margin, right + margin, w)
    y0, y1 = _span(top - margin, bottom + margin, h)
    above, before = max(0, math.ceil(y0 - top)), max(0, math.ceil(x0 - left))
    below, after = max(0, math.ceil(bottom - y1)), max(0, math.ceil(right - x1))
    part = picture if (x0, y0, x1, y1) == (0, 0, w, h) else picture.crop((x0, y0, x1, y1))
    part = _bordered(part, before, 0, after, 0)
    x, y = before - x0, above - y0
    across = (left + x, 0, right + x, part.height)
    part = part.resize((size[0], part.height), Image.Resampling.BILINEAR, across)
    part = _bordered(part, 0, above, 0, below)
    return part.resize(size, Image.Resampling.BILINEAR, (0, top + y, size[0], bottom + y))


def _bordered(picture: Image.Image, before: int, above: int, after: int, below: int) -> Image.Image:
    """A picture with its outermost columns or rows so often repeated, on one axis alone."""
    w, h = picture.size
    if not (before or above or after or below):
        return picture
    wide = Image.new(picture.mode, (w + before + after, h + above + below))
    wide.paste(picture, (before, above))
    for count, at, line in (
        (before, (0, 0), (0, 0, 1, h)),
        (after, (before + w, 0), (w - 1, 0, w, h)),
    ):
        if count:
            wide.paste(picture.crop(line).resize((count, h)), at)
    for count, at, line in (
        (above, (0, 0), (0, 0, w, 1)),
        (below, (0, above + h), (0, h - 1, w, h)),
    ):
        if count:
            wide.paste(picture.crop(line).resize((w, count)), at)
    return wide


def mask(
    square: Sequence[float],
    side: int,
    size: tuple[int, int],
    boxes: Sequence[Sequence[float]],
    seen: Callable[[np.ndarray, np.ndarray], np.ndarray] | None,
) -> np.ndarray:
    """1 where a pixel's centre lies in the photograph, in the field and well off erased boxes.

    Args:
      square: left, top, right, bottom in original pixels.
      side: pixels S of the result.
      size: width and height of the original.
      boxes: erased, in original pixels; pixels that the filter mixes with them are 0, too.
      seen: of columns `[W]` and rows `[H]` in original pixels, which are in the field `[H, W]`;
        None for all.

    Returns:
      `[S, S] uint8`.
    """
    step = (square[2] - square[0]) / side
    inside = np.zeros((side, side), bool)
    inside[_shown(square, side, size)] = True
    centre = (np.arange(side) + 0.5) * step
    if seen is not None:
        inside &= seen(square[0] + centre, square[1] + centre)
    for box in boxes:
        inside[cover(_grown(box, step), square, step, inside.shape)] = False
    return inside.view(np.uint8)


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
