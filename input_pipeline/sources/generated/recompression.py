"""Pictures as other programs save them: smaller by some filter, as a JPEG of some quality."""

import io

import numpy as np
from PIL import Image

_FILTERS = (Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS)


def shrunk(image: Image.Image, size: tuple[int, int], rng: np.random.Generator) -> Image.Image:
    """The picture at another size, by a filter that `rng` picks."""
    return image.resize(size, _FILTERS[int(rng.integers(len(_FILTERS)))])


def encoded(image: Image.Image, qualities: tuple[int, int], rng: np.random.Generator) -> bytes:
    """A JPEG of a quality between two, both included, with or without subsampled colours."""
    out = io.BytesIO()
    quality = int(rng.integers(qualities[0], qualities[1] + 1))
    image.save(out, "JPEG", quality=quality, subsampling=int(rng.choice((0, 2))))
    return out.getvalue()
