"""JPEG: compressing again as a photograph was compressed before, and doing it badly.

A second compression at the quality of the first changes least: that dip (a JPEG ghost: Farid,
IEEE TIFS 4:154, 2009) tells the quality at which a picture was saved on this very grid of pixels.
"""

import io

import numpy as np
from PIL import Image

CANDIDATES = (40, 50, 60, 70, 75, 80, 85, 90, 92, 95)
USUAL = 92  # of a photograph that was resized since: it no longer tells
DIP = 0.75  # of the change at neighbouring qualities
PATCH = 256  # pixels of the middle that are looked at


def jpeg(picture: np.ndarray, quality: int, shift: int = 0) -> np.ndarray:
    """Compressed and opened again; colour at half resolution, as cameras store it.

    Args:
      picture: [S, S] or [S, S, 3] float32 grey levels.
      quality: libjpeg's scale, 1 to 95.
      shift: pixels by which the grid of blocks lies off the corner (a crop since), 0 to 7.

    Returns:
      The same shape, float32.
    """
    grey = np.clip(picture, 0, 255).round().astype(np.uint8)
    pad = [(shift, 0), (shift, 0), (0, 0)][: grey.ndim]
    if shift:
        grey = np.pad(grey, pad, mode="edge")
    buffer = io.BytesIO()
    if grey.ndim == 3:
        Image.fromarray(grey).save(buffer, "JPEG", quality=quality, subsampling=2)
    else:
        Image.fromarray(grey).save(buffer, "JPEG", quality=quality)
    back = np.asarray(Image.open(buffer), np.float32)
    return back[shift:, shift:]


def quality_of(image: np.ndarray) -> int:
    """Quality at which a photograph [S, S, 3] uint8 was saved, or `USUAL` where it cannot tell."""
    side = image.shape[0]
    size = min(PATCH, side) // 8 * 8
    low = (side - size) // 2 // 8 * 8
    part = image[low : low + size, low : low + size]
    change = []
    for quality in CANDIDATES:
        buffer = io.BytesIO()
        Image.fromarray(part).save(buffer, "JPEG", quality=quality, subsampling=0)
        back = np.asarray(Image.open(buffer), np.float32)
        change.append(float(np.abs(back[..., 1] - part[..., 1]).mean()) + 1e-3)
    for k in range(1, len(change) - 1):
        if change[k] < DIP * min(change[k - 1], change[k + 1]):
            return CANDIDATES[k]
    return USUAL
