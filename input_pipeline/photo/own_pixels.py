"""What a reading of a photograph shows, in the photograph's own pixels and proportions."""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from input_pipeline.photo import decode
from input_pipeline.photo.crop import Box, cover
from input_pipeline.photo.reader import Photo


def own_pixels(source: decode.Source, photo: Photo, erase: Sequence[Box] = ()) -> np.ndarray:
    """The part of a photograph inside the box of a reading, at full size.

    Args:
      source: the photograph, as it was given to `read_photo`.
      photo: the reading; edges of its box are rounded to whole pixels.
      erase: boxes in upright original pixels, painted black.

    Returns:
      `[h, w, 3] uint8`, black where the box reaches outside the photograph.

    Raises:
      PhotoError: the photograph cannot be read.
    """
    pixels = np.array(decode.decode(source).image)
    for box in erase:
        pixels[cover(box, (0, 0), 1.0, pixels.shape)] = 0
    left, top, right, bottom = (round(edge) for edge in photo.box)
    shown = Image.fromarray(pixels).crop((left, top, max(right, left + 1), max(bottom, top + 1)))
    return np.asarray(shown)
