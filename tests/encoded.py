"""Pictures as the bytes of a file."""

import io

import numpy as np
from PIL import Image


def pack(picture, kind="JPEG", **options):
    """The bytes that Pillow writes of a picture, or of an array `[H, W]` or `[H, W, 3] uint8`."""
    image = Image.fromarray(picture) if isinstance(picture, np.ndarray) else picture
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()
