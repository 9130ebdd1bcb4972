"""The picture inside lines of exact black that a program has added around it."""

import dataclasses

from input_pipeline.photo.decode import Upright

CORNER = 0.03  # of the longer side: corners that show whether a surround carries noise


def trimmed(upright: Upright) -> tuple[Upright, tuple[int, int]]:
    """The picture without its padding, so that the same pixels are seen with padding and without.

    A camera's own surround carries noise. Where its corners are exactly black, too, nobody knows
    what was added, and all stays.

    Returns:
      The picture, as if it had been decoded from a file of that size; and where its corner lies in
      the original: x, y.
    """
    image, scale = upright.image, upright.scale
    box = image.getbbox()
    if box is None or box == (0, 0, *image.size):
        return upright, (0, 0)
    inner = image.crop(box)
    w, h = inner.size
    n = max(1, round(CORNER * max(w, h)))
    corners = ((0, 0, n, n), (w - n, 0, w, n), (0, h - n, n, h), (w - n, h - n, w, h))
    if not all(inner.crop(corner).getbbox() for corner in corners):
        return upright, (0, 0)
    size, origin, corner = [], [], []
    for axis in (0, 1):
        start = upright.origin[axis] + box[axis] * scale
        end = upright.origin[axis] + box[axis + 2] * scale
        corner.append(max(start, 0))
        origin.append(min(start, 0))
        size.append(min(end, upright.size[axis]) - max(start, 0))
    found = dataclasses.replace(
        upright, image=inner, size=(size[0], size[1]), origin=(origin[0], origin[1])
    )
    return found, (corner[0], corner[1])
