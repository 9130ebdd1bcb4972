"""Out of focus: all of it, a side or the rim of it, and what cameras do to hide that.

Blur acts on light; the sensor's noise comes after it and stays. Kernels and what a severity means
for them are those of `synthetic.optics`.
"""

import numpy as np
from PIL import Image
from scipy import fft, ndimage

from input_pipeline.synthetic import optics
from input_pipeline.synthetic.defects import compression
from input_pipeline.synthetic.defects.defect import Base, Defect, Light, Picture

STOPS = (0.0, 0.3, 0.6, 1.0)  # of the largest blur, between which a varying one is interpolated


def blurred(picture: np.ndarray, fov: np.ndarray, kernels: list[np.ndarray]) -> list[np.ndarray]:
    """Convolutions of one picture inside the field, as `optics.convolve`, one transform for all.

    Args:
      picture: [S, S, C] float32; fov: [S, S] bool; kernels: [k, k] each, k odd.
    """
    side, reach = picture.shape[0], max(k.shape[0] for k in kernels)
    size = fft.next_fast_len(side + reach - 1, real=True)
    inside = fov.astype(np.float32)[..., None]
    stack = np.moveaxis(np.concatenate([picture * inside, inside], -1), -1, 0)
    spectrum = fft.rfft2(stack.astype(np.float32), (size, size))
    out = []
    for kernel in kernels:
        k = kernel.shape[0] // 2
        transfer = fft.rfft2(kernel.astype(np.float32), (size, size))
        back = fft.irfft2(spectrum * transfer, (size, size))[:, k : k + side, k : k + side]
        mean = np.moveaxis(back[:-1] / np.maximum(back[-1:], 1e-3), 0, -1)
        out.append(np.where(fov[..., None], np.maximum(mean, 0), picture).astype(np.float32))
    return out


def by_kernel(base: Base, kernel: np.ndarray) -> Light:
    """Light blurred by a kernel [k, k]."""
    fov = base.scene.fov
    return lambda picture, channels: blurred(picture, fov, [kernel])[0]


def unsharp(radius: float, amount: float) -> Picture:
    """Unsharp mask on grey levels: what cameras and viewers call sharpening."""

    def process(grey: np.ndarray) -> np.ndarray:
        soft = ndimage.gaussian_filter(grey, (radius, radius, 0))
        return np.clip(grey + amount * (grey - soft), 0, 255)

    return process


def everywhere(base: Base, severity: float) -> np.ndarray:
    """Local severity [S, S] of what acts in the whole field."""
    return severity * base.scene.fov.astype(np.float32)


def defocus(base: Base, severity: float, rng: np.random.Generator) -> Defect:
    """The whole field out of focus; many cameras sharpen what they take."""
    kernel = optics.aperture(optics.blur_of(severity, base.scene.side))
    sharpen = unsharp(rng.uniform(0.8, 1.5), rng.uniform(0.2, 0.8)) if rng.random() < 0.5 else None
    return Defect(everywhere(base, severity), by_kernel(base, kernel), process=sharpen)


def tilted_focus(base: Base, severity: float, rng: np.random.Generator) -> Defect:
    """Focus that varies over the field: a plane (camera or eye tilted) or a bowl (curvature)."""
    scene, phi = base.scene, rng.uniform(0, 2 * np.pi)
    if rng.random() < 0.6:
        along = scene.y * np.sin(phi) + scene.x * np.cos(phi)
        share = np.clip((along + rng.uniform(0.0, 0.5)) / 1.1, 0, 1)
    else:
        off = rng.uniform(0, 0.3)
        r = np.hypot(scene.y - off * np.sin(phi), scene.x - off * np.cos(phi))
        share = np.clip((r - rng.uniform(0.2, 0.5)) / 0.6, 0, 1)
    share = (share * scene.fov).astype(np.float32)
    widest = optics.blur_of(severity, scene.side)
    kernels = [optics.aperture(stop * widest) for stop in STOPS[1:]]

    def light(picture: np.ndarray, channels: object) -> np.ndarray:
        layers = [picture, *blurred(picture, scene.fov, kernels)]
        out = np.zeros_like(picture)
        for k, stop in enumerate(STOPS):
            below = STOPS[k - 1] if k else stop - 1
            above = STOPS[k + 1] if k + 1 < len(STOPS) else stop + 1
            rise = np.clip((share - below) / (stop - below), 0, 1)
            fall = np.clip((above - share) / (above - stop), 0, 1)
            out += np.minimum(rise, fall)[..., None] * layers[k]
        return out

    sigma = share * widest
    usual = optics.PROFILE * scene.side
    where = 1 - usual / np.hypot(usual, sigma)
    return Defect((where * scene.fov).astype(np.float32), light)


def sharpened_blur(base: Base, severity: float, rng: np.random.Generator) -> Defect:
    """Out of focus, then sharpened hard: crisp noise and halos, and no fine vessels."""
    kernel = optics.aperture(optics.blur_of(severity, base.scene.side))
    process = unsharp(rng.uniform(1.0, 2.0), rng.uniform(1.0, 3.0))
    return Defect(everywhere(base, severity), by_kernel(base, kernel), iso=4.0, process=process)


def upscaled(base: Base, severity: float, rng: np.random.Generator) -> Defect:
    """Taken or saved with few pixels and enlarged: noise and JPEG blocks grow with it."""
    side = base.scene.side
    small = max(24, round(side / max(1.0, 1.7 * optics.blur_of(severity, side))))
    first = int(rng.integers(60, 92))

    def process(grey: np.ndarray) -> np.ndarray:
        planes = [
            np.asarray(Image.fromarray(grey[..., k]).resize((small, small), Image.Resampling.BOX))
            for k in range(grey.shape[-1])
        ]
        low = compression.jpeg(np.stack(planes, -1) if len(planes) == 3 else planes[0], first)
        low = low.reshape(small, small, -1)
        back = [
            np.asarray(Image.fromarray(low[..., k]).resize((side, side), Image.Resampling.BICUBIC))
            for k in range(low.shape[-1])
        ]
        return np.clip(np.stack(back, -1), 0, 255)

    return Defect(everywhere(base, severity), process=process)
