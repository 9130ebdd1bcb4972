"""Masks drawn over a whole photograph, cut and resized as the reader cut the photograph."""

import os
from typing import Literal

import numpy as np

from input_pipeline.photo import decode
from input_pipeline.photo.errors import problem
from input_pipeline.photo.reader import Photo

# Of the field. Vessels take up about a tenth of it in the public sets; a mask with black for
# vessels, or one of the field of view, passes this by far.
MOST_VESSEL = 0.4


def through_crop(
    mask: np.ndarray, photo: Photo, how: Literal["area", "nearest"], name: str = "the mask"
) -> np.ndarray:
    """A mask of the whole upright photograph as the reader shows the photograph.

    Args:
      mask: `[H, W] uint8` or `[H, W, C] uint8`, of the same picture, at any scale.
      photo: as `photo.read_photo` gave it, S pixels wide.
      how: 'area': every pixel is the mean over what it covers, for masks of coverage; 'nearest':
        the value at its centre, for labels.
      name: of the mask, for the message.

    Returns:
      `[S, S] uint8` or `[S, S, C] uint8`, 0 outside the mask.

    Raises:
      PhotoError: the mask has other proportions than the photograph.
    """
    height, width = mask.shape[:2]
    _check_proportions(name, (width, height), photo.size)
    side = photo.image.shape[0]
    spans = [
        (low * cells / whole, high * cells / whole)
        for low, high, cells, whole in (
            (photo.box[1], photo.box[3], height, photo.size[1]),
            (photo.box[0], photo.box[2], width, photo.size[0]),
        )
    ]
    if how == "nearest":
        out = mask
        for axis, (low, high) in enumerate(spans):
            out = _at_centres(out, low, high, side, axis)
        return out
    mean = mask
    for axis, (low, high) in enumerate(spans):
        mean = _means(mean, low, high, side, axis)
    return np.rint(mean).astype(np.uint8)


def read_vessels(path: str | os.PathLike, photo: Photo) -> tuple[np.ndarray, np.ndarray]:
    """An annotation of the vessels of a photograph.

    A mask in grey says where vessels are: white, or 1 where it holds nothing larger; grey levels
    between are shares. A mask in colours tells arteries from veins, by the code of RITE (Hu et al.
    2013), which the annotations of HRF and LES-AV share: red artery, blue vein, green a crossing of
    both, white a vessel of unknown kind.

    Args:
      path: the mask's file.
      photo: the photograph it belongs to, as `photo.read_photo` gave it.

    Returns:
      Coverage of artery, vein and vessel `[S, S, 3] uint8` 0..255, 0 outside the field of view; and
      which of the three are known, `[3] float32` of 0 or 1.

    Raises:
      PhotoError: the file cannot be read, is not of this photograph, or marks most of the field.
    """
    name = os.fspath(path)
    pixels = np.asarray(decode.decode(path).image)
    grey = bool((pixels == pixels[..., :1]).all())
    out = np.zeros((*photo.fov.shape, 3), np.uint8)
    if grey:
        vessel = pixels[..., 0]
        if vessel.max(initial=0) <= 1:
            vessel = vessel * np.uint8(255)
        out[..., 2] = through_crop(vessel, photo, "area", name)
    else:
        red, green, blue = (pixels[..., k] >= 128 for k in range(3))
        white = red & green & blue
        kinds = ((red | green) & ~white, (blue | green) & ~white, red | green | blue)
        for k, kind in enumerate(kinds):
            out[..., k] = through_crop(kind * np.uint8(255), photo, "area", name)
    out *= photo.fov[..., None]
    share = float(out[..., 2].sum() / (255 * photo.fov.sum()))
    if share > MOST_VESSEL:
        raise problem(
            name,
            f"{share:.0%} of the field of view is marked as vessel",
            "give a mask of the vessels, white on black",
        )
    return out, np.array([not grey, not grey, True], np.float32)


def _check_proportions(name: str, mask: tuple[int, int], photo: tuple[int, int]) -> None:
    """Raises PhotoError unless one is the other, resized: each side may be rounded by a pixel."""
    if abs(mask[0] * photo[1] - mask[1] * photo[0]) > max(sum(mask), sum(photo)):
        raise problem(
            name,
            f"{mask[0]} x {mask[1]} pixels for a photograph of {photo[0]} x {photo[1]}",
            "give a mask of the same picture, of the same size or resized with it",
        )


def _at_centres(mask: np.ndarray, low: float, high: float, side: int, axis: int) -> np.ndarray:
    """The cells at the centres of `side` equal parts of [low, high) along an axis; 0 outside."""
    at = np.floor(low + (np.arange(side) + 0.5) * (high - low) / side).astype(np.int64)
    cells = mask.shape[axis]
    out = np.take(mask, np.clip(at, 0, cells - 1), axis)
    np.moveaxis(out, axis, 0)[(at < 0) | (at >= cells)] = 0
    return out


def _means(mask: np.ndarray, low: float, high: float, side: int, axis: int) -> np.ndarray:
    """Means over `side` equal parts of [low, high) along an axis, float64; 0 outside."""
    rows = np.moveaxis(mask, axis, 0)
    edges = np.clip(np.linspace(low, high, side + 1), 0, len(rows))
    total = np.zeros((len(rows) + 1, *rows.shape[1:]))
    np.cumsum(rows, axis=0, out=total[1:])
    first = np.minimum(edges.astype(np.int64), len(rows) - 1)
    share = (edges - first).reshape(-1, *(1,) * (rows.ndim - 1))
    at = total[first] + share * (total[first + 1] - total[first])
    return np.moveaxis(np.diff(at, axis=0) * (side / (high - low)), 0, axis)
