"""A quality map drawn: bare, for machines, and over its photograph, for eyes.

Over a photograph the retina keeps its colours, for whoever checks the map has to see what it
judges: a contour where the map crosses its threshold, hatching in one direction where places are
bad and in two where they are severely so. Lines are white with a black edge: they show on any
ground and to the colour-blind. A circle marks the optic disc, a cross the macula.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from fiqa_jax.maps.resizing import resized

LINE = (255, 255, 255)
COLOUR = (0, 90, 255)  # of a veil that a page can show and hide: far from orange for every eye
STRENGTH = 0.6  # opacity of that veil where the map is 1
Bytes = NDArray[np.uint8]
Marks = Sequence[tuple[str, float, float, float]]


def enlarged(quality_map: NDArray[np.floating], side: int) -> NDArray[np.float32]:
    """[h, w] float -> [side, side] in [0, 1], bilinear between the centres of cells."""
    return resized(np.clip(np.asarray(quality_map, np.float32), 0, 1), side, side)


def seen_share(fov: Bytes, rows: int, columns: int) -> NDArray[np.float32]:
    """Share `[rows, columns]` of each cell that lies in the field `[S, S] uint8`, 1 inside."""
    inside = (fov > 0).astype(np.float32)
    high, wide = len(fov) // rows, len(fov[0]) // columns
    if (rows * high, columns * wide) == fov.shape:  # cells of whole pixels: means, sooner had
        across = inside.reshape(rows, high, fov.shape[1]).sum(1)
        return across.reshape(rows, columns, wide).sum(2) / np.float32(high * wide)
    return np.asarray(Image.fromarray(inside).resize((columns, rows), Image.Resampling.BOX))


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


def severe_from(threshold: float) -> float:
    """Value from which a bad place counts as severe: half way from the threshold to 1."""
    return (1 + threshold) / 2


def levels(quality_map: NDArray[np.floating], fov: Bytes, threshold: float) -> NDArray[np.uint8]:
    """0 seen, 1 bad, 2 severe for every pixel `[S, S]`; 0 outside the field `[S, S] uint8`."""
    large = enlarged(continued(quality_map, fov), fov.shape[0])
    level = (large >= threshold).astype(np.uint8) + (large >= severe_from(threshold))
    return np.where(fov > 0, level, 0).astype(np.uint8)


def overlay(
    image: Bytes,
    quality_map: NDArray[np.floating],
    fov: Bytes,
    threshold: float,
    marks: Marks = (),
) -> Bytes:
    """The photograph with contours and hatching; between the lines it is untouched.

    Args:
      image: `[S, S, 3]` or `[S, S, 1] uint8`; `quality_map`: `[h, w]` float in [0, 1], 1 = bad.
      fov: `[S, S] uint8`, 1 inside; nothing is drawn outside.
      threshold: places are bad from here on.
      marks: circles and crosses, (shape, y, x, radius) as shares of the side.

    Returns:
      `[S, S, 3] uint8`.
    """
    side = image.shape[0]
    out = np.broadcast_to(image, (side, side, 3)).copy()
    white, shade, black = _lines(quality_map, fov, threshold, marks)
    pixels = out.reshape(-1, 3)
    dimmed = np.flatnonzero(shade)
    pixels[dimmed] = pixels[dimmed] // 3
    pixels[np.flatnonzero(black)] = 0
    pixels[np.flatnonzero(white)] = LINE
    return out


def layer(quality_map: NDArray[np.floating], fov: Bytes, threshold: float) -> Bytes:
    """What `overlay` draws, `[S, S, 4] uint8` RGBA, to be laid over the photograph by others."""
    out = np.zeros((*fov.shape, 4), np.uint8)
    white, shade, black = _lines(quality_map, fov, threshold, ())
    out[shade] = (0, 0, 0, 170)  # two thirds: a third of the photograph is left
    out[black] = (0, 0, 0, 255)
    out[white] = (*LINE, 255)
    return out


def _lines(
    quality_map: NDArray[np.floating], fov: Bytes, threshold: float, marks: Marks
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
    """Pixels `[S, S]` that are white, darkened to a third, and black; the first goes before all."""
    inside = fov > 0
    side = len(inside)
    level = levels(quality_map, fov, threshold)
    white, shade = hatching(level)
    border, edge = contour(level > 0, inside, width_of(side))
    for shape, y, x, radius in marks:
        here, line, dark = _mark(side, shape, y, x, radius)
        white[here] |= line
        shade[here] = (shade[here] | dark) & ~line
    return (white & inside) | border, shade & inside, edge


def width_of(side: int) -> int:
    """Pixels of a contour's half width."""
    return max(1, round(side / 300))


def contour(
    region: NDArray[np.bool_], inside: NDArray[np.bool_], width: int
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Pixels `[S, S]` within `width` of the region's border, on its inner side; as many beyond."""
    if not region.any():
        return np.zeros_like(region), np.zeros_like(region)
    # the field's rim is no border of a region: the picture ends there
    beyond = inside & ~region
    border = region & within(beyond, width)
    return border, region & within(beyond, 2 * width) & ~border


def within(region: NDArray[np.bool_], distance: int) -> NDArray[np.bool_]:
    """Pixels whose centres lie within `distance` pixels of one of the region's, `[H, W] bool`.

    A disc is a row of each length: rows are widened once for all lengths, then laid on each other.
    A transform of all distances would take twenty times as long.
    """
    out, wide = region.copy(), region.copy()
    across = 0  # so far; the rows of a disc, from its shortest to its longest
    for down in range(min(distance, len(wide) - 1), -1, -1):
        reach = math.isqrt(distance**2 - down**2)
        while across < reach:
            across += 1
            wide[:, across:] |= region[:, :-across]
            wide[:, :-across] |= region[:, across:]
        out[down:] |= wide[: len(wide) - down]
        out[: len(wide) - down] |= wide[down:]
    return out


def hatching(seen: NDArray[np.uint8]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """White lines and their black edges, `[S, S]` each, of levels `[S, S]`: 1 one way, 2 both."""
    side = seen.shape[0]
    gap, width = max(6, side // 40), max(1, round(side / 500))
    rows, columns = seen.shape
    white, black = np.zeros(seen.shape, bool), np.zeros(seen.shape, bool)
    # A line lies where y + x, or y - x, is the same: rows are windows of one row, moved along it.
    falling = np.lib.stride_tricks.sliding_window_view(np.arange(rows + columns - 1) % gap, columns)
    rising = np.arange(1 - columns, rows)[::-1] % gap
    rising = np.lib.stride_tricks.sliding_window_view(rising, columns)[::-1]
    for level, place in ((1, falling), (2, rising)):
        here = seen >= level
        if here.any():
            white |= here & (place < width)
            black |= here & (place >= width) & (place < 2 * width)
    return white, black & ~white


def _mark(
    side: int, shape: str, y: float, x: float, radius: float
) -> tuple[tuple[slice, slice], NDArray[np.bool_], NDArray[np.bool_]]:
    """The part of the picture that a mark lies in, its white lines there and their black edges."""
    width = width_of(side)
    reach = radius * side + 2 * width
    rows, columns = (
        slice(*(int(np.clip(at * side + by, 0, side)) for by in (-reach, reach + 1)))
        for at in (y, x)
    )
    row, column = (np.arange(part.start, part.stop, dtype=np.float32) for part in (rows, columns))
    row, column = row[:, None], column[None]
    dy, dx = np.abs(row + 0.5 - y * side), np.abs(column + 0.5 - x * side)
    if shape == "circle":
        off = np.abs(np.hypot(dy, dx) - radius * side)
        dashes = (np.arctan2(row - y * side, column - x * side) * 8 / np.pi) % 2 < 1.4
        off = np.where(dashes, off, np.inf)
    else:
        off = np.where(np.maximum(dy, dx) <= radius * side, np.minimum(dy, dx), np.inf)
    return (rows, columns), off <= 0.6 * width, off <= 1.6 * width
