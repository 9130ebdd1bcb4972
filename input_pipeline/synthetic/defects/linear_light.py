"""Grey levels and linear light.

Blur, stray light and exposure act on light; a file holds light after the tone curve. The curve
here is sRGB's (IEC 61966-2-1), for that is what a viewer assumes of a file that says nothing.
"""

import numpy as np

STEPS = 65535  # of the table of the tone curve: 0.05 grey levels where it is steepest


def _to_grey(light: np.ndarray) -> np.ndarray:
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055) * 255


def _to_light(grey: np.ndarray) -> np.ndarray:
    level = grey / 255
    return np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4)


_LIGHT = _to_light(np.arange(256)).astype(np.float32)
_GREY = _to_grey(np.arange(STEPS + 1) / STEPS).astype(np.float32)


def decode(image: np.ndarray | np.floating) -> np.ndarray:
    """Linear light in [0, 1], float32, of grey levels uint8 or float in [0, 255]; any shape."""
    if isinstance(image, np.ndarray) and image.dtype == np.uint8:
        return np.asarray(_LIGHT[image])
    return _to_light(np.clip(image, 0, 255)).astype(np.float32)


def encode(light: np.ndarray | np.floating) -> np.ndarray:
    """Grey levels in [0, 255], float32, of linear light; what is below 0 or above 1 clips."""
    scaled = np.clip(light, 0, 1) * STEPS + 0.5
    return _GREY[scaled.astype(np.uint16)]


def slope(light: np.ndarray | np.floating) -> np.ndarray:
    """Grey levels by which a grey level's light changes `encode` there; float32, light > 0."""
    some = np.maximum(light, 1e-5)
    curve = 1.055 / 2.4 * some ** (1 / 2.4 - 1)
    return (255 * np.where(some <= 0.0031308, 12.92, curve)).astype(np.float32)
