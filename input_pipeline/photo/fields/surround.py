"""What of a picture is lit: its dark surround, padding that somebody added, light without a field.

Everything here asks about grey levels against the surround; where the round field lies is asked in
`field`.
"""

import math

import numpy as np
from scipy import ndimage

LIT = 6  # grey levels above the surround from which a pixel is lit
WHITE = 235  # grey levels; a border as bright as this throughout is paper, not a dark surround

Frame = tuple[float, float, float, float]  # left, top, right, bottom
Window = tuple[slice, slice]  # rows, columns


def brightness(image: np.ndarray) -> tuple[np.ndarray, bool]:
    """The brightest channel, its surround dark.

    Args:
      image: `[h, w, 3] uint8` RGB.

    Returns:
      `[h, w] uint8`; and whether a white surround was turned dark.
    """
    rim = np.concatenate([image[:2].reshape(-1, 3), image[-2:].reshape(-1, 3)])
    rim = np.concatenate([rim, image[:, :2].reshape(-1, 3), image[:, -2:].reshape(-1, 3)])
    red, green, blue = (image[..., channel] for channel in range(3))
    if np.count_nonzero((rim >= WHITE).all(axis=1)) > 0.75 * len(rim):
        return np.uint8(255) - np.minimum(np.minimum(red, green), blue), True
    return np.maximum(np.maximum(red, green), blue), False


def opened(level: np.ndarray) -> np.ndarray:
    """Grey opening by a 5 x 5 square: removes specks and the thin strokes of burned-in text.

    Args:
      level: `[h, w] uint8`.

    Returns:
      `[h, w] uint8`.
    """
    h, w = level.shape
    for op, fill in ((np.minimum, 255), (np.maximum, 0)):
        wide = np.full((h + 4, w + 4), fill, np.uint8)
        wide[2:-2, 2:-2] = level
        two = op(wide[:-1], wide[1:])
        rows = op(op(two[:-2], two[2:])[:-1], wide[4:])
        two = op(rows[:, :-1], rows[:, 1:])
        level = op(op(two[:, :-2], two[:, 2:])[:, :-1], rows[:, 4:])
    return level


def surround_of(calm: np.ndarray, hidden: np.ndarray | None) -> int:
    """Level of the dark surround: nearly the darkest along the frame's border, 0 to 255.

    Args:
      calm: `[h, w] uint8`, opened brightness.
      hidden: `[h, w] bool`, True where the picture says nothing, or None.
    """
    parts = [slice(None, 3), slice(-3, None)]
    border = [(part, slice(None)) for part in parts] + [(slice(3, -3), part) for part in parts]
    rim = np.concatenate([calm[at].ravel() for at in border])
    if hidden is not None:
        rim = rim[~np.concatenate([hidden[at].ravel() for at in border])]
    if not len(rim):
        return 0
    # The quantile by linear interpolation, rounded down: between two values next to each other in
    # rank. By counting, which is faster than numpy's.
    place = 0.03 * (len(rim) - 1)
    count = np.bincount(rim, minlength=256).cumsum()
    low, high = np.searchsorted(count, (int(place) + 0.5, math.ceil(place) + 0.5))
    return int(low + (high - low) * (place - int(place)))


def uncut(light: np.ndarray) -> Window:
    """The part of a picture in which to search: what was there before somebody padded it.

    Where a field cut by the frame was padded, light ends in a straight line, much longer than the
    flat of a circle; that line is the frame's true border.

    Args:
      light: `[h, w] bool`.
    """
    window = []
    for axis in (0, 1):
        count = np.count_nonzero(light, axis=1 - axis)
        place = np.flatnonzero(count)
        start, stop = 0, len(count)
        if len(place) > 8:
            flat = 0.3 * count.max()
            start = int(place[0]) if count[place[0] + 1] > flat else 0
            stop = int(place[-1]) + 1 if count[place[-1] - 1] > flat else len(count)
        window.append(slice(start, stop))
    return window[0], window[1]


def padding(calm: np.ndarray, surround: int, window: Window) -> Frame:
    """The true frame: a line of `uncut` counts where the picture breaks off there at once.

    A shadow, too, can end in a long line, but over many pixels: it is a dark part of the field.

    Args:
      calm: `[h, w] uint8`, opened brightness.
      surround: its level.
      window: from `uncut`.
    """
    ends = []
    for axis in (0, 1):
        lines = calm if axis == 0 else calm.T
        across = window[1 - axis]
        start, stop = window[axis].start, window[axis].stop
        size = len(lines)
        if start and not _breaks_off(lines[start:, across], surround):
            start = 0
        if stop < size and not _breaks_off(lines[:stop, across][::-1], surround):
            stop = size
        ends.append((start, stop))
    (top, bottom), (left, right) = ends
    return float(left), float(top), float(right), float(bottom)


def _breaks_off(lines: np.ndarray, surround: int) -> bool:
    """Whether lines `[n, k]`, from the outermost inward, are as bright near the end as deeper."""
    if len(lines) < 16:
        return False
    deep = lines[12].astype(np.float32) - surround
    columns = deep > LIT
    if columns.sum() < 8:
        return False
    near = lines[3].astype(np.float32) - surround
    return bool(np.median(near[columns] / deep[columns]) > 0.5)


def within(shape: tuple[int, int], frame: Frame) -> np.ndarray:
    """Whether pixel centres lie in a frame, `[h, w] bool`."""
    left, top, right, bottom = frame
    y, x = (np.arange(n) + 0.5 for n in shape)
    return ((y > top) & (y < bottom))[:, None] & ((x > left) & (x < right))[None, :]


def lit(light: np.ndarray, frame: Frame) -> np.ndarray:
    """Where a picture without a round field shows anything: its frame less the black about it.

    Black counts as surround where it reaches the frame's border and lies outside the ellipse that
    fills what is lit: a cut or squared field holds that ellipse, and what is dark inside it is a
    dark part of the photograph.

    Args:
      light: `[h, w] bool`, lit, without specks.
      frame: of the photograph in its padding.

    Returns:
      `[h, w] bool`; all of the frame where next to nothing is lit.
    """
    inside = within(light.shape, frame)
    light = light & inside
    if np.count_nonzero(light) < 0.05 * np.count_nonzero(inside):
        return inside
    rows, columns = np.flatnonzero(light.any(axis=1)), np.flatnonzero(light.any(axis=0))
    y, x = np.ogrid[: light.shape[0], : light.shape[1]]
    across = (2 * x - columns[0] - columns[-1]) / (columns[-1] + 1 - columns[0])
    down = (2 * y - rows[0] - rows[-1]) / (rows[-1] + 1 - rows[0])
    dark = inside & ~light & ~(across**2 + down**2 <= 1)
    label, number = ndimage.label(dark)
    if not number:
        return inside
    outside = np.zeros(number + 1, bool)
    rim = inside & ~ndimage.binary_erosion(inside)
    outside[label[rim]] = True
    outside[0] = False
    return inside & ~outside[label]
