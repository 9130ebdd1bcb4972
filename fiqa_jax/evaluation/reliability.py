"""Whether probabilities come true: bins of a reliability diagram and the error they sum to.

The expected calibration error (ECE) is the sum over 15 equal-width bins of |mean confidence -
frequency|, weighted by the bin's share (Guo et al. 2017, equation 3). Several classes: confidence
of the predicted class against its accuracy. Two classes: probability of the second class against
its frequency.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fiqa_jax.evaluation.decisions import predicted_class

ECE_BINS = 15

Floats = NDArray[np.float64]


def ratio(top: ArrayLike, bottom: ArrayLike) -> Floats:
    """Elementwise top / bottom in float64, NaN where bottom is 0, without a warning."""
    a, b = np.broadcast_arrays(np.asarray(top, np.float64), np.asarray(bottom, np.float64))
    return np.divide(a, b, out=np.full(a.shape, np.nan), where=b != 0)


def bin_of(confidence: ArrayLike, bins: int = ECE_BINS) -> NDArray[np.int64]:
    """Bin 0..bins-1 of each [N] confidence: equal widths, ]m/M, (m+1)/M], 0 in the first."""
    p = np.asarray(confidence, np.float64)
    return np.clip(np.ceil(p * bins).astype(np.int64) - 1, 0, bins - 1)


def diagram(
    confidence: ArrayLike, happened: ArrayLike, bins: int = ECE_BINS
) -> tuple[Floats, Floats, Floats]:
    """Bins of a reliability diagram (Guo et al. 2017, equations 1-2).

    Args:
      confidence: [N] in [0, 1].
      happened: [N] 0/1, whether what was foretold came about.
      bins: number of bins, see `bin_of`.

    Returns:
      (count [M], mean confidence [M], frequency [M]) float64; NaN means in empty bins.
    """
    p, y = np.asarray(confidence, np.float64), np.asarray(happened, np.float64)
    where = bin_of(p, bins)
    count = np.bincount(where, minlength=bins).astype(np.float64)
    mean = ratio(np.bincount(where, p, bins), count)
    return count, mean, ratio(np.bincount(where, y, bins), count)


def expected_error(confidence: ArrayLike, happened: ArrayLike, bins: int = ECE_BINS) -> float:
    """ECE (Guo et al. 2017, equation 3) of [N] confidences in [0, 1] and [N] 0/1 outcomes."""
    count, mean, frequency = diagram(confidence, happened, bins)
    return float(np.nansum(count * np.abs(mean - frequency)) / max(count.sum(), 1))


def confidences(truth: ArrayLike, prob: ArrayLike) -> tuple[Floats, Floats]:
    """What the reliability of a head is measured on (see the module's docstring).

    Args:
      truth: [N] int, no absent labels.
      prob: [N, C] (several classes) or [N] (probability of the second of two).

    Returns:
      (confidence [N] in [0, 1], outcome [N] 0/1), float64.
    """
    y, p = np.asarray(truth), np.asarray(prob, np.float64)
    if p.ndim == 1:
        return p, (y == 1).astype(np.float64)
    return p.max(-1), (predicted_class(p) == y).astype(np.float64)
