"""Pictures that the package draws say so in their first bytes: none is taken for a photograph.

Maps, overlays, thumbnails and contact sheets; synthetic and degraded photographs are not marked.
"""

import io
from typing import Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo

MARK = "drawn by fiqa_jax"
HEAD = 512  # bytes at the start of a file that hold the mark


def png(image: Image.Image, **options: Any) -> bytes:
    """A picture as a marked PNG; `options` are Pillow's."""
    data, about = io.BytesIO(), PngInfo()
    about.add_text("Software", MARK)
    image.save(data, "PNG", pnginfo=about, **options)
    return data.getvalue()


def jpeg(image: Image.Image, **options: Any) -> bytes:
    """A picture as a marked JPEG; `options` are Pillow's."""
    data = io.BytesIO()
    image.save(data, "JPEG", comment=MARK, **options)
    return data.getvalue()


def is_marked(head: bytes) -> bool:
    """Whether the first HEAD bytes of a file are of such a picture."""
    return MARK.encode() in head[:HEAD]
