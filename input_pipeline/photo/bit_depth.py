"""Sensor values of 8 to 14 bits in files of 16: how many bits are in use, and all of them read."""

import sys
from typing import Any, BinaryIO

import numpy as np
from PIL import Image, ImageFile

from input_pipeline.photo.errors import problem

_BITS, _MEANING, _PLANES = 258, 262, 284  # tags of TIFF
SENSORS = (8, 10, 12, 14)  # bits that are found in files of 16


def bits_in_use(values: np.ndarray) -> int:
    """Bits of what is stored in uint16: 8, 10, 12, 14 where the brightest lies near such an end.

    Sensors of 10, 12 and 14 bits are saved into files of 16 without being scaled; taken for 16 bits
    they would be black. Values whose brightest lies in the upper half of such a range are taken for
    it; any others for 16 bits.
    """
    high = int(values.max())
    return next((bits for bits in SENSORS if 2 ** (bits - 1) <= high < 2**bits), 16)


def to_8_bits(values: np.ndarray, bits: int) -> np.ndarray:
    """Values of so many bits, 0 to 255, rounded."""
    top = 2**bits - 1
    return ((values.astype(np.uint32) * 255 + top // 2) // top).astype(np.uint8)


def deep(
    image: ImageFile.ImageFile, file: BinaryIO, reader: type[ImageFile.ImageFile]
) -> tuple[Image.Image, int]:
    """Colour of 16 bits a channel, of which Pillow gives the upper byte, with the bits in use.

    Returns:
      The picture, of 8 bits a channel where it was of 16 with fewer in use; and those bits, 16
      where nothing had to be done.
    """
    if not is_deep(image):
        return image, 16
    page = image.tell()
    image.load()
    upper = np.asarray(image)
    if upper[..., :3].max(initial=0) >= 2 ** (max(SENSORS) - 8):
        return image, 16
    file.seek(0)
    again = reader(file)
    again.seek(page)
    again.tile = [_with_raw_mode(tile, _other_byte(_raw_mode(tile))) for tile in again.tile]
    again.load()
    values = upper.astype(np.uint16) * 256 + np.asarray(again)
    bits = bits_in_use(values[..., :3])
    alpha = values[..., 3:] // 256
    colour = to_8_bits(values[..., :3], bits)
    out = Image.fromarray(np.concatenate([colour, alpha.astype(np.uint8)], axis=2))
    out.info.update(image.info)
    return out, bits


def bytes_a_pixel(image: ImageFile.ImageFile, averaged: bool) -> int:
    """Bytes of memory that every pixel takes at most on its way to RGB, of Pillow's own picture and
    of the copies that are held beside it.

    Args:
      image: opened, not loaded.
      averaged: it is made smaller as soon as it is loaded.
    """
    if is_deep(image):
        return 44
    plain = image.mode in ("RGB", "L", "P", "1") or image.format == "JPEG"
    return 5 if plain or (averaged and image.mode in ("RGBA", "LA", "CMYK")) else 14


def check_planes(image: ImageFile.ImageFile, name: str) -> None:
    """Raises: PhotoError: a TIFF of colours in planes of their own, of more than 8 bits: Pillow
    takes their bytes for other pixels.
    """
    tags = getattr(image, "tag_v2", {})
    bits = tags.get(_BITS, (8,))
    if tags.get(_PLANES) == 2 and len(bits) > 1 and max(bits) > 8:
        raise problem(
            name,
            f"a TIFF with each colour in a plane of its own, of {max(bits)} bits",
            "export it with the colours of a pixel side by side (chunky, interleaved), or as PNG",
        )


def is_negative(image: Image.Image) -> bool:
    """Whether the file says that its least value is white; Pillow turns 8 bits round, not 16."""
    return getattr(image, "tag_v2", {}).get(_MEANING, 1) == 0


def is_deep(image: ImageFile.ImageFile) -> bool:
    """Whether a file that is not loaded yet has colour of 16 bits a channel."""
    modes = [_raw_mode(tile) for tile in getattr(image, "tile", ())]
    return bool(modes) and all(";16" in mode for mode in modes) and image.mode in ("RGB", "RGBA")


def _raw_mode(tile: Any) -> str:
    """How a tile's bytes become pixels, in Pillow's words."""
    args = tile[3]
    return str(args[0] if isinstance(args, tuple) else args)


def _with_raw_mode(tile: Any, mode: str) -> Any:
    args = tile[3]
    return tile._replace(args=(mode, *args[1:]) if isinstance(args, tuple) else mode)


def _other_byte(mode: str) -> str:
    """The raw mode that takes the lower byte where this one takes the upper."""
    name, _, order = mode.partition(";16")
    other = {"B": "L", "L": "B", "N": "B" if sys.byteorder == "little" else "L"}
    return f"{name};16{other[order[:1]]}"


def sixteen(image: Image.Image) -> np.ndarray | None:
    """Grey values of 16 bits, uint16; None for any other picture."""
    if not image.mode.startswith("I"):
        return None
    values = np.asarray(image)
    if image.mode == "I" and (values.min() < 0 or values.max() > 65535):
        return None
    return values.astype(np.uint16)


def told(bits: int) -> str:
    """What a row says of it."""
    return f"{bits}-bit values in a 16-bit file, scaled to their range"
