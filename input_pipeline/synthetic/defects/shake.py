"""Movement during the exposure: a path of the eye or the hand, and double images."""

import math

import numpy as np
from scipy import ndimage

from input_pipeline.synthetic import optics
from input_pipeline.synthetic.defects.defect import Base, Defect
from input_pipeline.synthetic.defects.focus import by_kernel, everywhere


def path_kernel(points: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Kernel [k, k] of a path: the time spent at each place.

    Args:
      points: [n, 2] (x, y) in pixels; centred on their mean here.
      weights: [n], time at each.
    """
    weights = weights / weights.sum()
    points = points - (points * weights[:, None]).sum(0)
    reach = int(np.ceil(np.abs(points).max() + 2))
    kernel = np.zeros((2 * reach + 1,) * 2, np.float32)
    for (x, y), weight in zip(points + reach, weights, strict=True):
        i, j = int(y), int(x)
        fy, fx = y - i, x - j
        kernel[i, j] += weight * (1 - fy) * (1 - fx)
        kernel[i, j + 1] += weight * (1 - fy) * fx
        kernel[i + 1, j] += weight * fy * (1 - fx)
        kernel[i + 1, j + 1] += weight * fy * fx
    return kernel


def shake(base: Base, severity: float, rng: np.random.Generator) -> Defect:
    """A curved path with stops; vessels along its main direction suffer less."""
    steps = 60
    turn = np.cumsum(rng.normal(0, 0.12, steps))
    heading = rng.uniform(0, 2 * np.pi) + turn
    path = np.cumsum(np.stack([np.cos(heading), np.sin(heading)], 1), 0)
    spread = math.sqrt(path.var(0).sum())
    path *= 1.5 * optics.blur_of(severity, base.scene.side) / max(spread, 1e-6)
    time = np.exp(ndimage.gaussian_filter1d(rng.normal(0, 1.5, steps), 4, mode="nearest"))
    return Defect(everywhere(base, severity), by_kernel(base, path_kernel(path, time)))


def double_image(base: Base, severity: float, rng: np.random.Generator) -> Defect:
    """Two or three copies beside each other, each drawn out a little: vessels stand there twice."""
    side = base.scene.side
    copies = 2 if severity < 0.5 else 3
    angle = rng.uniform(0, 2 * np.pi) + np.append(0, np.cumsum(rng.normal(0, 0.5, copies - 1)))
    step = rng.uniform(0.008, 0.016) * side * (0.5 + severity)
    stops = np.cumsum(step * np.stack([np.cos(angle), np.sin(angle)], 1), 0)
    share = np.array([1.0, *rng.uniform(0.6, 1.0, copies - 1) * min(1, 1.4 * severity)])
    drawn = 0.7 * optics.blur_of(max(severity - 0.4, 0), side)
    t = np.linspace(-1, 1, 15)
    lean = np.stack([np.cos(angle[0] + 1.0 + 0.3 * t), np.sin(angle[0] + 1.0 + 0.3 * t)], 1)
    points = (stops[:, None] + 1.7 * drawn * t[None, :, None] * lean[None]).reshape(-1, 2)
    kernel = path_kernel(points, np.repeat(share, len(t)))
    return Defect(everywhere(base, severity), by_kernel(base, kernel))
