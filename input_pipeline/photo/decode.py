"""Bytes, files and arrays of any kind -> upright 8-bit pixels.

Colour profiles are not applied: pixel values are taken as stored, as every published pipeline of
this field does.
"""

import contextlib
import dataclasses
import io
import math
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    Jpeg2KImagePlugin,
    JpegImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from input_pipeline.photo import averaging, bit_depth, file_type
from input_pipeline.photo.errors import PhotoError, problem
from input_pipeline.photo.limits import check_memory, check_size
from input_pipeline.photo.pages import choose_page

Source = str | os.PathLike | bytes | np.ndarray

LARGE = 40_000_000  # pixels; larger pictures of any format are averaged to what is needed
MIN_LONG_SIDE = 512  # scaled decoding leaves at least so much, for the search of the field

# Opened by their own classes rather than by Image.open: only these formats, whatever else is
# installed, and without the process-wide limit (and warning) of Pillow on large pictures.
READERS: dict[str, type[ImageFile.ImageFile]] = {
    "JPEG": JpegImagePlugin.JpegImageFile,
    "PNG": PngImagePlugin.PngImageFile,
    "TIFF": TiffImagePlugin.TiffImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
    "GIF": GifImagePlugin.GifImageFile,
    "WebP": WebPImagePlugin.WebPImageFile,
    "JPEG 2000": Jpeg2KImagePlugin.Jpeg2KImageFile,
    "AVIF": AvifImagePlugin.AvifImageFile,
    "PNM": PpmImagePlugin.PpmImageFile,
}

_TURNS = {  # EXIF orientation -> what makes the picture upright (EXIF 2.32, tag 0x0112)
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclasses.dataclass(frozen=True)
class Upright:
    """A decoded picture, the right way up."""

    image: Image.Image  # mode RGB or L, 8 bits
    size: tuple[int, int]  # width, height of the original, upright
    scale: int  # 1, 2, 4 or 8 original pixels per decoded pixel
    origin: tuple[int, int]  # where in the original the decoded picture's corner lies, <= 0
    meta: dict[str, str]  # format, mode, and for DICOM what else is known of the camera


def decode(source: Source, *, grey: bool = False, short_side: int | None = None) -> Upright:
    """Decodes a picture and turns it upright.

    Args:
      source: a file's path, a file's bytes, or an array: `[H, W]`, `[H, W, 1 | 3 | 4]`, uint8,
        uint16 or float in [0, 1]. JPEG, PNG, TIFF, BMP, GIF, WebP, JPEG 2000, AVIF, PNM and DICOM
        of any depth and colour model; transparency on black. Of several pages the largest, where
        the others are previews of at most half its width.
      grey: one channel instead of RGB.
      short_side: pixels of the shorter side that suffice. JPEGs are then decoded at 1/2, 1/4 or
        1/8 of their size, as far as both this and MIN_LONG_SIDE are kept. None for all pixels.

    Raises:
      PhotoError: it cannot be read; the message says what was seen and what to do.
    """
    if isinstance(source, np.ndarray):
        name = name_of(source)
        image = Image.fromarray(from_array(source, name))
        meta = {"format": "array", "mode": f"{source.dtype} {list(source.shape)}"}
        if source.dtype == np.uint16 and (bits := bit_depth.bits_in_use(source)) < 16:
            meta["bits"] = bit_depth.told(bits)
        return Upright(_flatten(image, grey, name), image.size, 1, (0, 0), meta)
    with _opened(source) as (file, name):
        kind = file_type.kind(file, name)
        if kind == "DICOM":
            from input_pipeline.photo.dicom.dicom_file import read_dicom  # pydicom is an extra

            pixels, meta = read_dicom(file, name)
            image = Image.fromarray(pixels)
            return Upright(_flatten(image, grey, name), image.size, 1, (0, 0), meta)
        return _decode_file(file, name, kind, grey, short_side)


def name_of(source: Source) -> str:
    """What messages call it: the path, or what was given in its place."""
    if isinstance(source, np.ndarray):
        return "the array given"
    if isinstance(source, bytes):
        return f"the {len(source)} bytes given"
    return os.fspath(source)


def from_array(array: np.ndarray, name: str) -> np.ndarray:
    """Any picture array as uint8, `[H, W]` or `[H, W, 3 | 4]`.

    uint16 is scaled from the bits in use (`bit_depth`), float in [0, 1] multiplied by 255, both
    rounded.

    Raises:
      PhotoError: another shape or type, or values outside [0, 1].
    """
    expected = "expected [H, W] or [H, W, 1 | 3 | 4], uint8, uint16 or float in [0, 1]"
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)):
        raise problem(name, f"shape {list(array.shape)}", expected)
    check_size(array.shape[1], array.shape[0], name)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    if array.dtype == np.uint8:
        return np.ascontiguousarray(array)
    if array.dtype == np.uint16:
        return bit_depth.to_8_bits(array, bit_depth.bits_in_use(array))
    if not np.issubdtype(array.dtype, np.floating):
        raise problem(name, f"values of type {array.dtype}", expected)
    low, high = float(array.min()), float(array.max())
    if not (math.isfinite(low) and math.isfinite(high)):
        raise problem(name, "NaN or infinite values", expected)
    if low < 0 or high > 1:
        raise problem(name, f"float values from {low:g} to {high:g}", expected)
    return np.rint(array * 255).astype(np.uint8)


@contextlib.contextmanager
def _opened(source: str | os.PathLike | bytes) -> Iterator[tuple[BinaryIO, str]]:
    if not isinstance(source, bytes | str | os.PathLike):
        raise TypeError(f"a path, bytes or a numpy array was expected, not {type(source).__name__}")
    name = name_of(source)
    if isinstance(source, bytes):
        yield io.BytesIO(source), name
        return
    with contextlib.ExitStack() as stack:
        try:
            mode = os.stat(source).st_mode
            if stat.S_ISDIR(mode):
                raise problem(name, "a folder", "give a file, or a command that walks folders")
            if not stat.S_ISREG(mode):
                raise problem(name, "no ordinary file", "give a file, or its bytes")
            file = stack.enter_context(Path(source).open("rb"))
        except FileNotFoundError:
            raise problem(
                name, "no such file", "check the path, and where relative paths start"
            ) from None
        except PhotoError:
            raise
        except (OSError, ValueError) as error:  # ValueError: a NUL in the path
            raise problem(
                name, f"it cannot be opened ({error})", "check the path and its rights"
            ) from error
        try:
            yield file, name
        except OSError as error:
            raise problem(
                name, f"it cannot be read ({error})", "copy it again; its disk may be failing"
            ) from error


def _decode_file(
    file: BinaryIO, name: str, kind: str, grey: bool, short_side: int | None
) -> Upright:
    try:
        opened = READERS[kind](file)
        pages = choose_page(opened, name)
        image: Image.Image = opened
        width, height = image.size
        _check_memory(opened, file, short_side, name)
        meta = {"format": kind, "mode": image.mode}
        if pages:
            meta["pages"] = pages
        scale = 1
        bit_depth.check_planes(opened, name)
        image, bits = bit_depth.deep(opened, file, READERS[kind])
        if bits < 16:
            meta["bits"] = bit_depth.told(bits)
        if kind == "JPEG" and short_side is not None:
            scale = _scale(width, height, short_side)
            image.draft(image.mode, (width // scale, height // scale))
        image.load()
        if scale == 1:
            width, height = image.size  # Pillow turns TIFFs upright itself, on loading
        orientation = _orientation(image)
        if scale == 1 and short_side is not None and width * height > LARGE:
            scale = _scale(width, height, short_side)
        if scale > 1 and image.width == width and image.mode in averaging.MODES:
            image = averaging.averaged(image, scale)
        elif image.width == width:
            scale = 1
        if isinstance(values := bit_depth.sixteen(image), np.ndarray):
            if (used := bit_depth.bits_in_use(values)) < 16:
                meta["bits"] = bit_depth.told(used)
            plain = bit_depth.to_8_bits(values, used)
            image = Image.fromarray(255 - plain if bit_depth.is_negative(image) else plain)
        flat = _flatten(image, grey, name)
    except PhotoError:
        raise
    except (MemoryError, Image.DecompressionBombError) as error:
        raise problem(name, f"a {kind} too large to decode", "export it smaller") from error
    except Exception as error:  # Pillow's decoders raise nearly anything on damaged data
        raise problem(
            name,
            f"a damaged, truncated or unsupported {kind} ({error})",
            "copy it again, or export it as RGB or grey of 8 or 16 bits",
        ) from error
    # Where the scale does not divide the original, decoded pixels reach beyond it at the right and
    # at the bottom. Turned upright, that overhang can come to lie at the left and at the top.
    right, bottom = flat.width * scale - width, flat.height * scale - height
    if orientation in _TURNS:
        flat = flat.transpose(_TURNS[orientation])
    if orientation >= 5:
        width, height, right, bottom = height, width, bottom, right
    left = right if orientation in (2, 3, 6, 7) else 0
    top = bottom if orientation in (3, 4, 7, 8) else 0
    return Upright(flat, (width, height), scale, (-left, -top), meta)


def _check_memory(
    image: ImageFile.ImageFile, file: BinaryIO, short_side: int | None, name: str
) -> None:
    """Raises PhotoError for a picture that would take more than MEMORY to decode."""
    width, height = image.size
    large = short_side is not None and width * height > LARGE
    averaged = (
        large and _scale(width, height, short_side or 0) > 1 and image.mode in averaging.MODES
    )
    held = 0
    if any(tile[0] == "libtiff" for tile in image.tile):  # it maps the whole file
        at = file.tell()
        held = file.seek(0, os.SEEK_END)
        file.seek(at)
    needed = width * height * bit_depth.bytes_a_pixel(image, averaged) + held
    check_memory(needed, width, height, image.mode, name)


def _scale(width: int, height: int, short_side: int) -> int:
    """Largest of 8, 4, 2, 1 that still leaves enough."""
    for scale in (8, 4, 2):
        if min(width, height) >= scale * short_side and max(width, height) >= scale * MIN_LONG_SIDE:
            return scale
    return 1


def _orientation(image: Image.Image) -> int:
    """EXIF orientation, 1 to 8; 1 where there is none or where it cannot be read."""
    try:
        return int(image.getexif().get(0x0112, 1))
    except Exception:  # a damaged EXIF block does not make the pixels worse
        return 1


def _flatten(image: Image.Image, grey: bool, name: str) -> Image.Image:
    """Any Pillow mode as RGB or L; transparency composited on black."""
    target = "L" if grey else "RGB"
    if image.mode.startswith("I") or image.mode == "F":
        values = np.asarray(image)
        image = Image.fromarray(from_array(values.astype(values.dtype.newbyteorder("=")), name))
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        clear = image.convert("RGBA")
        image = Image.new("RGB", clear.size)
        image.paste(clear, mask=clear.getchannel("A"))
    return image if image.mode == target else image.convert(target)
