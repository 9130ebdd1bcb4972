"""The noise of a photograph: how much there is at which level of light, and the picture beneath.

Photon noise grows with light and the amplifier's does not: in linear light the variance is
a L + b (Foi et al., IEEE TIP 17:1737, 2008). It is measured in flat places: the median of the
diagonal differences of 2 x 2 pixels, in which edges and vessels take little part.
"""

import dataclasses

import numpy as np
from scipy import ndimage

from input_pipeline.synthetic.defects import linear_light

LEVELS = 12  # groups of pixels of like brightness
LEAST = 200  # differences per group
MAD = 0.6745  # of a normal variable, in standard deviations
SPLINE = np.array([1, 4, 6, 4, 1], np.float32) / 16
FINEST = 0.889  # deviation of the finest detail of white noise of deviation 1 (Starck 1998)
NEXT = 0.200


@dataclasses.dataclass(frozen=True)
class NoiseFloor:
    """Variance of sensor noise in linear light, `a` times the light plus `b`, per channel."""

    a: np.ndarray  # [3] float32
    b: np.ndarray  # [3] float32

    def variance(self, light: np.ndarray, channel: int) -> np.ndarray:
        """Variance at every pixel of a channel [S, S] of linear light."""
        return self.a[channel] * np.maximum(light, 0) + self.b[channel]

    def grey_sd(self, light: float, channel: int) -> float:
        """Standard deviation in grey levels after the tone curve, at one level of light."""
        variance = float(self.a[channel] * light + self.b[channel])
        return float(np.sqrt(variance) * linear_light.slope(np.float32(light)))


def measure(image: np.ndarray, fov: np.ndarray) -> NoiseFloor:
    """Noise of a photograph.

    Args:
      image: [S, S, 3] uint8.
      fov: [S, S] bool.

    Returns:
      NoiseFloor; both terms at least what rounding to grey levels leaves.
    """
    grey = image.astype(np.float32)
    n = image.shape[0] // 2 * 2
    quad = grey[:n, :n].reshape(n // 2, 2, n // 2, 2, 3)
    diagonal = 0.5 * (quad[:, 0, :, 0] - quad[:, 0, :, 1] - quad[:, 1, :, 0] + quad[:, 1, :, 1])
    mean = quad.mean((1, 3))
    inner = ndimage.binary_erosion(fov, iterations=3)[:n, :n]
    inside = inner.reshape(n // 2, 2, n // 2, 2).all((1, 3))
    fits = [_fit(mean[..., k][inside], diagonal[..., k][inside]) for k in range(3)]
    return NoiseFloor(*(np.array(x, np.float32) for x in zip(*fits, strict=True)))


def _fit(level: np.ndarray, diagonal: np.ndarray) -> tuple[float, float]:
    """Non-negative a and b of one channel from means and differences of 2 x 2 pixels."""
    light, variance = [0.2], [1e-6]
    use = (level > 4) & (level < 250)
    if use.sum() >= LEAST:
        level, diagonal = level[use], diagonal[use]
        groups = max(1, min(LEVELS, len(level) // LEAST))
        order = np.argsort(level)
        light, variance = [], []
        for part in np.array_split(order, groups):
            at = float(linear_light.decode(np.float32(np.median(level[part]))))
            # rounding moves the median of small differences by half steps: the mean of squares of
            # all but the largest tenth does not jump, and is 0.64 of a normal variable's variance
            square = np.sort(diagonal[part] ** 2)[: int(0.9 * len(part))]
            sd = np.sqrt(square.mean() / 0.6398) if len(square) else 0.0
            light.append(at)
            variance.append((float(sd) / float(linear_light.slope(np.float32(at)))) ** 2)
    x, y = np.array(light), np.array(variance)
    a, b = _line(x, y)
    rounding = 1 / 12 / float(linear_light.slope(np.float32(np.median(x)))) ** 2
    return float(a), float(max(b, rounding))


def _line(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Slope and intercept, both at least 0, of y over x; relative errors count alike."""
    weight = 1 / np.maximum(y, 1e-12)
    xx, x1, one = (x * weight) ** 2, x * weight**2, weight**2
    xy, y1 = x * y * weight**2, y * weight**2
    flat, steep = y1.sum() / one.sum(), xy.sum() / xx.sum()
    det = xx.sum() * one.sum() - x1.sum() ** 2
    if det <= 1e-12 * xx.sum() * one.sum():
        return 0.0, float(flat)
    a = (xy.sum() * one.sum() - x1.sum() * y1.sum()) / det
    b = (xx.sum() * y1.sum() - x1.sum() * xy.sum()) / det
    if a < 0:
        return 0.0, float(flat)
    return (float(a), float(b)) if b >= 0 else (float(steep), 0.0)


def beneath(image: np.ndarray, floor: NoiseFloor) -> np.ndarray:
    """The photograph without its noise: details below three deviations shrink to nothing.

    The two finest of an undecimated spline wavelet's scales, garrote shrinkage (Gao, J. Comput.
    Graph. Stat. 7:469, 1998), in grey levels.

    Args:
      image: [S, S, 3] uint8; floor: its noise.

    Returns:
      [S, S, 3] float32 grey levels in [0, 255].
    """
    grey = image.astype(np.float32)
    first = _smoothed(grey, 1)
    second = _smoothed(first, 2)
    light = linear_light.decode(second)
    rise = linear_light.slope(light)
    sd = np.sqrt(floor.a * light + floor.b) * rise
    out = second + _shrunk(first - second, 3 * NEXT * sd) + _shrunk(grey - first, 3 * FINEST * sd)
    return np.clip(out, 0, 255)


def _smoothed(picture: np.ndarray, step: int) -> np.ndarray:
    kernel = np.zeros(4 * step + 1, np.float32)
    kernel[::step] = SPLINE
    rows = ndimage.correlate1d(picture, kernel, axis=0, mode="nearest")
    return ndimage.correlate1d(rows, kernel, axis=1, mode="nearest")


def _shrunk(detail: np.ndarray, limit: np.ndarray) -> np.ndarray:
    size = np.abs(detail)
    return np.where(size > limit, detail - limit**2 / np.where(detail == 0, 1, detail), 0)


def grain(rng: np.random.Generator, side: int, channels: int, coarse: float) -> np.ndarray:
    """Noise of deviation 1: white, or with grains as raw converters leave them.

    Args:
      rng: source of randomness; side: pixels; channels: how many, independent ones.
      coarse: share in [0, 1] that neighbours share; 0 is white noise.

    Returns:
      [S, S, channels] float32, mean near 0, standard deviation near 1.
    """
    white = rng.standard_normal((side, side, channels), dtype=np.float32)
    if coarse <= 0:
        return white
    kernel = np.array([coarse / 2, 1, coarse / 2], np.float32)
    kernel /= np.sqrt((kernel**2).sum())
    rows = ndimage.correlate1d(white, kernel, axis=0, mode="wrap")
    return ndimage.correlate1d(rows, kernel, axis=1, mode="wrap")
