"""The picture inside lines of exact black that a program has added around it."""

import dataclasses
import math

import numpy as np
from PIL import Image

from input_pipeline.photo.decode import Upright

STRAIGHT = 8.0  # times sqrt(width) pixels that are not black in a line: no round field's outermost


def trimmed(upright: Upright) -> tuple[Upright, tuple[int, int]]:
    """The picture without its padding, so that the same pixels are seen with padding and without.

    A side is padding where a straight edge ends it: the frame that cuts a field, or a camera's own
    surround, which carries noise. A round field in exact black touches a line over its width w in
    2 sqrt(w) pixels, and in 2 sqrt(8 w) where JPEG's blocks blur it; there nobody knows what was
    added, and all stays.

    Returns:
      The picture, as if it had been decoded from a file of that size; and where its corner lies in
      the original: x, y.
    """
    image, scale = upright.image, upright.scale
    box = image.getbbox()
    if box is None or box == (0, 0, *image.size):
        return upright, (0, 0)
    left, top, right, bottom = box
    w, h = image.size
    kept = (
        left if _straight(image, (left, top, left + 1, bottom)) else 0,
        top if _straight(image, (left, top, right, top + 1)) else 0,
        right if _straight(image, (right - 1, top, right, bottom)) else w,
        bottom if _straight(image, (left, bottom - 1, right, bottom)) else h,
    )
    if kept == (0, 0, w, h):
        return upright, (0, 0)
    size, origin, corner = [], [], []
    for axis in (0, 1):
        start = upright.origin[axis] + kept[axis] * scale
        end = upright.origin[axis] + kept[axis + 2] * scale
        corner.append(max(start, 0))
        origin.append(min(start, 0))
        size.append(min(end, upright.size[axis]) - max(start, 0))
    found = dataclasses.replace(
        upright, image=image.crop(kept), size=(size[0], size[1]), origin=(origin[0], origin[1])
    )
    return found, (corner[0], corner[1])


def _straight(image: Image.Image, line: tuple[int, int, int, int]) -> bool:
    """Whether so much of an outermost line is not black that a straight edge lies there."""
    pixels = np.asarray(image.crop(line)).reshape(max(line[2] - line[0], line[3] - line[1]), -1)
    least = min(STRAIGHT * math.sqrt(len(pixels)), len(pixels) / 2)
    return int(pixels.any(axis=1).sum()) >= least
