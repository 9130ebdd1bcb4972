"""Tests of two predictions of the same photographs that do not resample: McNemar, DeLong; Holm.

McNemar and DeLong treat photographs as independent. Where patients have several, their p values are
too small: `UNCLUSTERED` is printed beside them and the patient bootstrap of `intervals` is the
primary result.
"""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

UNCLUSTERED = "photographs taken as independent"


@dataclasses.dataclass(frozen=True)
class McNemar:
    """Who was right where the other was wrong."""

    only_first: int  # first right, second wrong
    only_second: int
    statistic: float  # chi-square with one degree of freedom, or the smaller count if exact
    p: float  # two-sided
    exact: bool


def mcnemar(first: ArrayLike, second: ArrayLike) -> McNemar:
    """McNemar's test (1947) of two [N] bool arrays of correctness; statsmodels' arithmetic.

    Exact binomial below 25 disagreements, else chi-square with continuity correction.

    Raises:
      ValueError: lengths that differ.
    """
    from statsmodels.stats.contingency_tables import mcnemar as test

    a, b = np.asarray(first, bool), np.asarray(second, bool)
    if a.shape != b.shape:
        raise ValueError(f"McNemar compares the same photographs; seen {a.shape} and {b.shape}")
    only_a, only_b = int((a & ~b).sum()), int((~a & b).sum())
    if only_a + only_b == 0:
        return McNemar(0, 0, 0.0, 1.0, True)
    table = [[int((a & b).sum()), only_a], [only_b, int((~a & ~b).sum())]]
    exact = only_a + only_b < 25
    result = test(table, exact=exact, correction=True)
    return McNemar(only_a, only_b, float(result.statistic), min(1.0, float(result.pvalue)), exact)


@dataclasses.dataclass(frozen=True)
class DeLong:
    """Areas under the ROC curves of M scores on the same examples, with their covariance."""

    auroc: NDArray[np.float64]  # [M]
    covariance: NDArray[np.float64]  # [M, M]

    def se(self) -> NDArray[np.float64]:
        """[M] standard errors."""
        return np.sqrt(np.diag(self.covariance))

    def interval(self, level: float = 0.95) -> NDArray[np.float64]:
        """[M, 2] normal intervals, cut to [0, 1]."""
        from scipy.stats import norm

        half = float(norm.ppf(0.5 + level / 2)) * self.se()
        return np.clip(np.stack([self.auroc - half, self.auroc + half], -1), 0, 1)

    def difference(self, first: int = 0, second: int = 1) -> tuple[float, float, float]:
        """(difference, its standard error, two-sided p) of two of the areas; p is NaN at se 0."""
        from scipy.stats import norm

        contrast = np.zeros(len(self.auroc))
        contrast[first] += 1
        contrast[second] -= 1
        gap = float(contrast @ self.auroc)
        se = math.sqrt(max(0.0, float(contrast @ self.covariance @ contrast)))
        return gap, se, float(2 * norm.sf(abs(gap) / se)) if se > 0 else float("nan")


def delong(truth: ArrayLike, scores: ArrayLike) -> DeLong:
    """Areas and covariance of DeLong et al. (1988), by the midranks of Sun and Xu (2014).

    Args:
      truth: [N] 0/1.
      scores: [M, N] (or [N]) float, higher for class 1; ties count half.

    Raises:
      ValueError: fewer than two examples of a class, or shapes that do not fit.
    """
    from scipy.stats import rankdata

    y = np.asarray(truth) == 1
    s = np.atleast_2d(np.asarray(scores, np.float64))
    m, n = int(y.sum()), int((~y).sum())
    if s.shape[-1] != len(y) or m < 2 or n < 2:
        raise ValueError(
            f"DeLong needs [M, N] scores and two or more examples of each class; seen {s.shape} "
            f"with {m} of class 1 and {n} of class 0"
        )
    among_all = rankdata(s, axis=-1)
    above = (among_all[:, y] - np.asarray(rankdata(s[:, y], axis=-1))) / n  # [M, m]
    below = 1 - (among_all[:, ~y] - rankdata(s[:, ~y], axis=-1)) / m  # [M, n]
    covariance = np.atleast_2d(np.cov(above)) / m + np.atleast_2d(np.cov(below)) / n
    return DeLong(above.mean(-1), covariance)


def holm(p: Sequence[float]) -> list[float]:
    """Holm's (1979) adjusted p values of one family of tests, in the order given.

    A NaN stays NaN and does not count as a test.
    """
    from statsmodels.stats.multitest import multipletests

    values = np.asarray(p, np.float64)
    here = np.isfinite(values)
    out = np.full(len(values), np.nan)
    if here.any():
        out[here] = multipletests(values[here], method="holm")[1]
    return out.tolist()
