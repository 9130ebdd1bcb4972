"""The photograph reader, used alike in preparation, in training and in use.

A file, bytes, an array or a DICOM object -> upright -> field of view -> square crop about it, black
outside -> side x side pixels. `python -m input_pipeline.photo FOLDER --sheet out.png` shows what it
finds in photographs of your own.
"""

import dataclasses
import math
from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image

from input_pipeline.photo import decode
from input_pipeline.photo.colour import as_grey
from input_pipeline.photo.crop import Box, cover, erased, mask
from input_pipeline.photo.crop import crop as cropped
from input_pipeline.photo.errors import PhotoError as PhotoError
from input_pipeline.photo.errors import problem
from input_pipeline.photo.squash import FILTERS, frame_mask, squashed
from input_pipeline.photo.trim import trimmed
from input_pipeline.photo.view import View, view, whole

READER_VERSION = 4  # raised whenever the same file would give other pixels
MODALITIES = ("fundus", "slice")
CROPS = ("field", "frame", "squash")


@dataclasses.dataclass(frozen=True)
class Photo:
    """A photograph as the models see it."""

    # [S, S, 3] uint8 RGB ([S, S, 1] for slices); with crop=field black outside the field
    image: np.ndarray
    fov: np.ndarray  # [S, S] uint8, 1 inside the field
    # Left, top, right, bottom of what is shown, in upright original pixels (pixel i covers the
    # interval from i to i + 1); may reach outside the photograph. A square, but for crop=squash.
    box: tuple[float, float, float, float]
    size: tuple[int, int]  # width and height of the upright original
    field: str  # 'circle': a round field was found | 'frame': none was, the whole frame is used
    # 'format', 'mode', 'field' (what was seen of it), and for DICOM what is known of the camera.
    # Never names, ids or dates.
    meta: dict[str, str]
    scope: str = ""  # '' where it shows the inside of one eye; else what it shows, in a line
    empty: str = ""  # 'black' | 'white' | 'blurred all over': nothing of a retina can be seen
    across: float = math.inf  # original pixels across the field
    shown: float = 1.0  # share of the round field that the picture holds; NaN: not known
    # Another side -> the same photograph at that side, where `read_photo` was told to `keep` it
    larger: "Callable[[int], Photo] | None" = dataclasses.field(
        default=None, repr=False, compare=False
    )

    @property
    def width(self) -> float:
        """Original pixels along an edge of what is shown: how fine a detail it can hold."""
        return self.box[2] - self.box[0]

    def arrays(self) -> dict[str, np.ndarray]:
        """What a model that knows sizes is given: `image`, `fov` and `field_px` `[] float32`."""
        width = np.asarray(self.width, np.float32)
        return {"image": self.image, "fov": self.fov, "field_px": width}


def read_photo(
    source: decode.Source,
    side: int,
    *,
    modality: str = "fundus",
    erase: Sequence[Box] = (),
    crop: str = "field",
    resample: str = "bilinear",
    keep: bool = False,
) -> Photo:
    """Reads one photograph. The same bytes give the same Photo, however given, in any thread.

    Args:
      source: path, bytes or array; see `decode.decode` for the formats.
      side: pixels S of the square output. Smaller photographs are enlarged.
      modality: 'fundus': in colour; the square is the bounding square of the round field of view,
        or of the whole frame where no field is found. 'slice' (CT, OCT): one channel, the whole
        frame.
      erase: boxes (left, top, right, bottom) in upright original pixels, painted black before
        anything else and 0 in `fov`: burned-in stamps.
      crop: 'field': the square about the field, black outside it | 'frame': the whole frame in a
        square, black above and below (or at the sides) | 'squash': the whole frame stretched to a
        square, as many released programs do. Of the latter two, `fov` still is the field, and what
        lies outside it stays as it is.
      resample: 'bilinear' | 'bicubic', of crop='squash'; the others are always bilinear.
      keep: the Photo can be had at another side: its decoded pixels are kept with it, unless they
        are a reduced JPEG's, which is then decoded again; its field is not looked for again.

    Returns:
      The Photo; its `fov` holds at least one 1.

    Raises:
      PhotoError: the photograph cannot be read, or nothing of it is left.
      ValueError: another modality, crop or filter, a side below 1, or a box without an inside.
    """
    if modality not in MODALITIES:
        raise ValueError(f"modality {modality!r}; expected 'fundus' or 'slice'")
    if crop not in CROPS or resample not in FILTERS:
        raise ValueError(
            f"data.crop {crop!r} and data.resample {resample!r}; expected one of {CROPS} and one "
            f"of {tuple(FILTERS)}"
        )
    if side < 1:
        raise ValueError(f"side {side}; expected a number of pixels, 1 or more")
    boxes = [_checked(box) for box in erase]
    grey = modality == "slice"
    need = 2 * side  # decoded pixels across the square
    decoded = decode.decode(source, grey=grey, short_side=None if crop == "squash" else need)
    upright, corner = decoded, (0, 0)
    if grey:
        seen = whole(upright.size, "not searched in a slice")
    elif crop != "field":
        seen = view(upright, boxes)
    else:
        upright, corner, seen = _searched(decoded, boxes)
        boxes = [_moved(box, corner) for box in boxes]
    size = upright.size

    def again(short_side: int) -> decode.Upright:
        more = decode.decode(source, grey=grey, short_side=short_side)
        origin = more.origin[0] - corner[0], more.origin[1] - corner[1]
        return dataclasses.replace(more, size=size, origin=origin)

    if crop == "field" and upright.scale > 1 and seen.across < need * upright.scale:
        # A small field in a large frame needs more pixels than the frame's size let expect.
        upright = again(math.ceil(need * min(decoded.size) / seen.across))
    original = decoded.size

    def shown(pixels: decode.Upright, side: int) -> Photo:
        photo = _shown(pixels, seen, side, boxes, crop, resample)
        if not photo.fov.any():
            raise problem(
                decode.name_of(source),
                f"of its {size[0]} x {size[1]} pixels nothing is left to look at",
                "check `erase`",
            )
        box = _moved(photo.box, (-corner[0], -corner[1]))
        return dataclasses.replace(photo, box=box, size=original)

    photo = shown(upright, side)
    if not keep:
        return photo
    held = upright if upright.scale == 1 else None
    return dataclasses.replace(photo, larger=lambda side: shown(held or again(2 * side), side))


def _searched(
    decoded: decode.Upright, boxes: Sequence[Box]
) -> tuple[decode.Upright, tuple[int, int], View]:
    """The picture without padding, where its corner lies, and what is seen of its field.

    What looks like padding may be the half of a field that a transfer has lost: where a circle is
    found with it alone, it stays.
    """
    upright, corner = trimmed(decoded)
    seen = view(upright, [_moved(box, corner) for box in boxes])
    if seen.circle is None and upright is not decoded:
        with_padding = view(decoded, boxes)
        if with_padding.circle is not None and not with_padding.scope:
            return decoded, (0, 0), with_padding
    return upright, corner, seen


def _shown(
    upright: decode.Upright, seen: View, side: int, boxes: Sequence[Box], crop: str, resample: str
) -> Photo:
    """A picture, of which it is known what is seen, as a Photo in its own pixels."""
    width, height = upright.size
    half = max(width, height) / 2
    square = seen.square
    if crop != "field":
        square = (width / 2 - half, height / 2 - half, width / 2 + half, height / 2 + half)
    black = erased(boxes, upright)
    if crop == "squash":
        square = (0.0, 0.0, float(width), float(height))
        image = squashed(upright, side, black, resample)
        fov = frame_mask(side, upright.size, black, seen.inside)
    else:
        image = cropped(upright, square, side, black)
        fov = mask(square, side, upright.size, black, seen.inside)
    one, image = as_grey(image)
    return Photo(
        image=_blackened(image, fov) if crop == "field" else image,
        fov=fov,
        box=square,
        size=upright.size,
        field="frame" if seen.circle is None else "circle",
        meta={**upright.meta, "field": seen.seen, **({"colour": one} if one else {})},
        scope=seen.scope,
        empty=seen.empty,
        across=seen.across,
        shown=seen.shown,
    )


def full_resolution(source: decode.Source, photo: Photo, erase: Sequence[Box] = ()) -> np.ndarray:
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


def _blackened(image: np.ndarray, fov: np.ndarray) -> np.ndarray:
    """The image, black where `fov` is 0."""
    out = np.empty_like(image)  # the mask in every channel: numpy is slow along axes of three
    for channel in range(image.shape[2]):
        out[..., channel] = fov
    return np.multiply(image, out, out=out)


def _moved(box: Box, corner: tuple[int, int]) -> Box:
    """A box in pixels that are counted from a corner."""
    left, top, right, bottom = box
    return left - corner[0], top - corner[1], right - corner[0], bottom - corner[1]


def _checked(box: Box) -> Box:
    left, top, right, bottom = box
    if left >= right or top >= bottom:
        raise ValueError(
            f"erase box {tuple(box)}; expected left < right and top < bottom, in pixels of the "
            "upright original"
        )
    return left, top, right, bottom
