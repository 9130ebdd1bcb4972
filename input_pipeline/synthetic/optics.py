"""Blur: defocus of the whole field or of a part of it, and motion.

A vessel with a profile of standard deviation a keeps a / sqrt(a^2 + b^2) of its peak contrast
under a blur of standard deviation b (exact for Gaussians); severity s = 1 - that share fixes b.
The point spread functions are those of Shen et al. (IEEE TMI 40:996, 2021: Gaussian blur) with
the aperture's disc in place of the Gaussian, and a straight line for motion.
The field stop lies in the image plane: blur mixes light inside the field only, its edge stays.
"""

import math
from collections.abc import Sequence

import numpy as np
from scipy import fft

from input_pipeline.synthetic.effects import Effect, Scene, blend, region
from input_pipeline.synthetic.plans import Degradation

PROFILE = 0.0021  # standard deviation of the usual vessel's profile / side
SHARP = 0.6  # pixels, that of the best possible photograph


def blur_of(severity: float, side: int) -> float:
    """Standard deviation in pixels, at most 8 % of the side, that costs `severity` of contrast."""
    usual = math.hypot(PROFILE * side, SHARP)
    keep = max(1 - severity, 1e-3)
    return min(usual * math.sqrt(1 / keep**2 - 1), 0.08 * side)


def _grid(reach: float) -> tuple[np.ndarray, np.ndarray]:
    k = int(np.ceil(reach + 1))
    y, x = np.mgrid[-k : k + 1, -k : k + 1].astype(np.float32)
    return y, x


def _dilute(kernel: np.ndarray, share: float) -> np.ndarray:
    """The kernel mixed with none: keeps the sum, multiplies the variance by `share`."""
    out = share * kernel
    out[kernel.shape[0] // 2, kernel.shape[1] // 2] += 1 - share
    return out


def aperture(sigma: float) -> np.ndarray:
    """Disc-shaped kernel [k, k] of standard deviation `sigma` pixels per axis; sums to 1."""
    if sigma < 1:  # a smaller disc cannot be told from pixels
        return _dilute(aperture(1.0), sigma**2)
    y, x = _grid(2 * sigma)
    kernel = np.clip(2 * sigma - np.hypot(x, y) + 0.5, 0, 1)
    return kernel / kernel.sum()


def line(sigma: float, angle: float) -> np.ndarray:
    """Kernel [k, k] of a straight movement, `sigma` pixels along it; sums to 1."""
    if sigma < 1:
        return _dilute(line(1.0, angle), sigma**2)
    half = sigma * math.sqrt(3)
    y, x = _grid(half)
    along = np.abs(x * math.cos(angle) + y * math.sin(angle))
    across = np.abs(-x * math.sin(angle) + y * math.cos(angle))
    kernel = np.clip(half - along + 0.5, 0, 1) * np.clip(1 - across, 0, 1)
    return kernel / kernel.sum()


def convolve(picture: np.ndarray, fov: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Convolution inside the field, normalised by the part of the kernel that lies inside.

    Args:
      picture: [S, S, C] float32.
      fov: [S, S] bool.
      kernel: [k, k] float32, k odd, sums to 1.

    Returns:
      [S, S, C] float32; unchanged outside the field.
    """
    side, k = picture.shape[0], kernel.shape[0]
    size = fft.next_fast_len(side + k - 1, real=True)
    inside = fov.astype(np.float32)[..., None]
    stack = np.concatenate([picture * inside, inside], -1)
    transfer = fft.rfft2(kernel.astype(np.float32), (size, size))
    spectrum = fft.rfft2(stack, (size, size), axes=(0, 1)) * transfer[..., None]
    out = fft.irfft2(spectrum, (size, size), axes=(0, 1))
    out = out[k // 2 : k // 2 + side, k // 2 : k // 2 + side]
    return np.where(fov[..., None], out[..., :-1] / np.maximum(out[..., -1:], 1e-3), picture)


def defocus(item: Degradation, scene: Scene) -> Effect:
    """The whole field out of focus."""
    kernel = aperture(blur_of(item.severity, scene.side))
    return Effect(
        lambda picture, channels: convolve(picture, scene.fov, kernel),
        item.severity * scene.fov.astype(np.float32),
    )


def local_defocus(item: Degradation, scene: Scene) -> Effect:
    """A part of the field out of focus: between the sharp and the blurred photograph."""
    where = region(np.random.default_rng(item.seed), scene, item.area, 0.3)
    kernel = aperture(blur_of(item.severity, scene.side))
    half = aperture(0.4 * blur_of(item.severity, scene.side))

    def apply(picture: np.ndarray, channels: Sequence[int]) -> np.ndarray:
        little = blend(picture, convolve(picture, scene.fov, half), np.clip(2 * where, 0, 1))
        return blend(little, convolve(picture, scene.fov, kernel), np.clip(2 * where - 1, 0, 1))

    return Effect(apply, item.severity * where)


def motion(item: Degradation, scene: Scene) -> Effect:
    """The eye moved during the flash: 1.5 times the blur, for vessels along it do not suffer."""
    angle = np.random.default_rng(item.seed).uniform(0, np.pi)
    kernel = line(1.5 * blur_of(item.severity, scene.side), angle)
    return Effect(
        lambda picture, channels: convolve(picture, scene.fov, kernel),
        item.severity * scene.fov.astype(np.float32),
    )
