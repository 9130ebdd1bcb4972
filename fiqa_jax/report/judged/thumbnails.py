"""Small pictures of judged photographs, and their maps to lay over them, in a folder of the output.

A thumbnail is a JPEG; its map is a PNG whose opacity says how bad a place is, so that a page can
show, hide or fade it. Both are named after the photograph's id, which may hold anything.
"""

import hashlib
import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fiqa_jax.maps import drawing
from input_pipeline import atomic, marked
from input_pipeline.photo.reader import Photo

FOLDER = "report_files"
SIDE = 512  # pixels of a thumbnail at most: as `open` sees them, which need not be resized
MAP_SIDE = 64  # pixels of a map; browsers interpolate
_JPEG = 80


def stem(id: str) -> str:
    """Name of a photograph's pictures without suffix: 16 hexadecimal digits."""
    return hashlib.sha256(id.encode()).hexdigest()[:16]


def save(out: Path, id: str, photo: Photo, quality: NDArray[np.floating] | None) -> None:
    """Writes the thumbnail, and the map where there is one, into OUT/report_files.

    Args:
      out: folder of the run.
      id: of the photograph.
      photo: as the model saw it.
      quality: `[h, w]` in [0, 1], 1 = bad, or None.
    """
    folder = out / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    atomic.write(folder / f"{stem(id)}.jpg", picture(photo), sync=False)  # can be made again
    if quality is not None:
        atomic.write(folder / f"{stem(id)}.png", layer(quality, photo.fov), sync=False)


def picture(photo: Photo, side: int = SIDE) -> bytes:
    """The photograph as a JPEG of at most `side` pixels: means of whole blocks, soonest had."""
    pixels = np.broadcast_to(photo.image, (*photo.image.shape[:2], 3))
    image = Image.fromarray(np.ascontiguousarray(pixels))
    if image.width > side:
        image = image.reduce(math.ceil(image.width / side))
    return marked.jpeg(image, quality=_JPEG)


def layer(quality: NDArray[np.floating], fov: NDArray[np.uint8]) -> bytes:
    """`veil` as a PNG, to be laid over `picture`."""
    return marked.png(veil(quality, fov), compress_level=1)


def veil(quality: NDArray[np.floating], fov: NDArray[np.uint8]) -> Image.Image:
    """The map as one colour whose opacity is `drawing.STRENGTH` where the map is 1.

    Args:
      quality: `[h, w]` in [0, 1], 1 = bad; `fov`: `[S, S]` uint8, 1 inside.

    Returns:
      MAP_SIDE x MAP_SIDE RGBA, transparent outside the field of view.
    """
    large = drawing.enlarged(drawing.continued(quality, fov), MAP_SIDE)
    inside = drawing.seen_share(fov, MAP_SIDE, MAP_SIDE)
    pixels = np.empty((MAP_SIDE, MAP_SIDE, 4), np.uint8)
    pixels[..., :3] = drawing.COLOUR
    pixels[..., 3] = np.rint(np.clip(large * inside, 0, 1) * drawing.STRENGTH * 255)
    return Image.fromarray(pixels)
