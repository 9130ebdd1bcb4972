"""The enhancement that RRWNet and R2-V2 were trained on, so that their published weights see it.

Follows the released code of both. Background is taken away by subtracting a wide blur; what lies
outside the field is filled first, so that the rim does not ring.
"""

import importlib
from typing import Any

import numpy as np
from PIL import Image
from scipy import ndimage

WIDTH = 1408  # pixels that R2-V2 brings every photograph to
MULTIPLE = 32  # padded sides
_ZOOM = 1.15
_BLUR = 10.0  # pixels
_RIM = 5  # pixels by which the field shrinks
_CLIP = 0.01  # of the adaptive equalisation


def enhanced(
    image: np.ndarray, fov: np.ndarray, *, equalise: bool = True, dark_fill: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """The photograph with its background subtracted.

    Args:
      image: `[H, W, 3] uint8`, or float in [0, 1].
      fov: `[H, W]`, more than 0 inside the field.
      equalise: adaptive histogram equalisation at the end: R2-V2 has it, RRWNet has not. Needs
        scikit-image.
      dark_fill: as R2-V2 does when it enhances on the fly: it divides by 255 once too often before
        the fill, which comes out black but for saturated pixels. False for what its training data
        were prepared with; only a band along the rim differs.

    Returns:
      `[H, W, 3] float64` in [0, 1], 0 outside, and the shrunk field `[H, W] uint8`.

    Raises:
      ValueError: scikit-image is missing, or nothing lies inside the field.
    """
    plain = image / 255.0 if image.dtype == np.uint8 else image.astype(np.float64)
    inside = ndimage.binary_erosion(fov > 0, _disc(_RIM))
    if not inside.any():
        raise ValueError("the field of view is empty: there is nothing to enhance")
    fill = _zoomed((plain if dark_fill else plain * 255.0).astype(np.uint8))
    fill = fill if dark_fill else fill / 255.0
    composed = np.where(inside[..., None], plain, fill)
    out = composed - ndimage.gaussian_filter(composed, (_BLUR, _BLUR, 0))
    out[~inside] = 0.0
    span = out.max() - out.min()
    out = (out - out.min()) / (span if span > 0 else 1.0)
    out[~inside] = 0.0
    out = (out * 255.0).astype(np.uint8)
    return (_equalised(out) if equalise else out / 255.0), inside.astype(np.uint8)


def field(image: np.ndarray) -> np.ndarray:
    """Where the colours of an `[H, W, 3]` image in [0, 1] sum to more than 0.01, `[H, W] uint8`:
    R2-V2's rule for photographs without a mask."""
    return (image.sum(-1) > 0.01).astype(np.uint8)


def resized(image: np.ndarray, width: int = WIDTH) -> np.ndarray:
    """An `[H, W, ...]` float image at `width` pixels, aspect ratio kept, antialiased.

    Raises:
      ValueError: scikit-image is missing.
    """
    if image.shape[1] == width:
        return image
    shape = (int(image.shape[0] * (width / image.shape[1])), width)
    return _skimage("transform").resize(image, shape, anti_aliasing=True, preserve_range=True)


def padding(size: int) -> tuple[int, int]:
    """Pixels before and after a side: always up to the NEXT multiple of 32, half on each side.

    A side that is a multiple already gets 32 more, as in the released code.
    """
    more = MULTIPLE - size % MULTIPLE
    return more // 2, more - more // 2


def padded(array: np.ndarray) -> np.ndarray:
    """`[H, W, ...]` with zeros about it, see `padding`."""
    return np.pad(array, [padding(n) for n in array.shape[:2]] + [(0, 0)] * (array.ndim - 2))


def unpadded(array: np.ndarray, height: int, width: int) -> np.ndarray:
    """The inside of what `padded` made of an image of `height` x `width`."""
    top, left = padding(height)[0], padding(width)[0]
    return array[top : top + height, left : left + width]


def _disc(radius: int) -> np.ndarray:
    y, x = np.ogrid[-radius : radius + 1, -radius : radius + 1]
    return x * x + y * y <= radius * radius


def _zoomed(image: np.ndarray) -> np.ndarray:
    height, width = image.shape[:2]
    size = (int(width * _ZOOM), int(height * _ZOOM))
    larger = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC))
    top, left = size[1] // 2 - height // 2, size[0] // 2 - width // 2
    return larger[top : top + height, left : left + width]


def _equalised(image: np.ndarray) -> np.ndarray:
    return _skimage("exposure").equalize_adapthist(image, clip_limit=_CLIP)


def _skimage(name: str) -> Any:
    try:
        return importlib.import_module(f"skimage.{name}")
    except ImportError:
        raise ValueError(
            "RRWNet's and R2-V2's preparation needs scikit-image: pip install scikit-image"
        ) from None
