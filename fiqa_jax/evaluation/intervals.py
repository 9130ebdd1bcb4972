"""Intervals: patients resampled for one run, seeds for several, never pooled into one.

Photographs of one patient are alike, so the bootstrap draws patients with replacement and takes all
of a patient's photographs with them (Field and Welsh 2007, the cluster bootstrap). Two predictions
of the same photographs are compared on the same draws, which keeps their correlation.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fiqa_jax.evaluation import bootstrap, metrics

LOWER_IS_BETTER = frozenset({"nll", "brier", "ece"})
COUNT_DRAWS = 10_000
RANK_DRAWS = 2_000
LEVEL = 0.95

Floats = NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Interval:
    """A value, or a paired difference of two, with its uncertainty."""

    value: float
    low: float  # NaN where there is none
    high: float
    se: float
    level: float  # 0.95: two-sided
    unit: str  # what was resampled: patient | seed
    units: int  # how many of them
    draws: int  # bootstrap draws used; 0 for a t interval
    undefined: int = 0  # draws on which the metric was NaN, left out
    p: float = float("nan")  # two-sided, of a difference from 0

    def __format__(self, form: str) -> str:
        """`f"{interval:.3f}"` is '0.912 [0.874, 0.941]', '-' in place of what there is not."""
        if not np.isfinite(self.value):
            return "-"
        return f"{self.value:{form}} [{self.ends(form, ', ')}]"

    def ends(self, form: str, to: str) -> str:
        """'0.874 to 0.941' for '.3f' and ' to '; '-' where one patient or seed gives none."""
        if not np.isfinite([self.low, self.high]).any():
            return "-"
        return f"{self.low:{form}}{to}{self.high:{form}}"


def intervals(
    truth: ArrayLike,
    prob: ArrayLike,
    patient: ArrayLike,
    names: Sequence[str],
    *,
    seed: int,
    count_draws: int = COUNT_DRAWS,
    rank_draws: int = RANK_DRAWS,
    level: float = LEVEL,
) -> dict[str, Interval]:
    """Percentile intervals of every metric of one head, patients resampled.

    Args:
      truth: [N] int, negative = absent (left out).
      prob: [N, C] rows summing to 1, or [N] probability of the second of two classes.
      patient: [N] any hashable; photographs with the same value go together.
      names: class names.
      seed: of the draws; the same seed gives the same interval.
      count_draws: draws for metrics of the confusion matrix; `rank_draws`: for AUROC, AP and the
        probability metrics; 0 leaves that kind out.
      level: two-sided coverage.

    Returns:
      Metric name (as metrics.scores gives) to Interval, with NaN bounds for a single patient.
    """
    rows = bootstrap.rows_of(truth, [prob], patient)
    point = metrics.scores(rows.truth, rows.probs[0], names).values
    draws = bootstrap.draws(rows, names, seed, count_draws, rank_draws)[0]
    return {
        name: percentile(point[name], values, rows.patients, level)
        for name, values in draws.items()
    }


def differences(
    truth: ArrayLike,
    prob: ArrayLike,
    other: ArrayLike,
    patient: ArrayLike,
    names: Sequence[str],
    *,
    seed: int,
    count_draws: int = COUNT_DRAWS,
    rank_draws: int = RANK_DRAWS,
    level: float = LEVEL,
) -> dict[str, Interval]:
    """Paired differences `prob` - `other` of every metric, patients resampled.

    p is two-sided from the draws: twice the smaller share of draws on either side of 0, each
    counted with one draw added (so it is never 0; Davison and Hinkley 1997, section 4.2).

    Args and returns: as `intervals`; `other` has the shape of `prob`.
    """
    rows = bootstrap.rows_of(truth, [prob, other], patient)
    point = [metrics.scores(rows.truth, p, names).values for p in rows.probs]
    first, second = bootstrap.draws(rows, names, seed, count_draws, rank_draws)
    out = {}
    for name in first:
        gap = first[name] - second[name]
        out[name] = lead(point[0][name] - point[1][name], gap, rows.patients, level)
    return out


def mean_interval(
    values: ArrayLike,
    patient: ArrayLike,
    *,
    seed: int,
    draws: int = COUNT_DRAWS,
    level: float = LEVEL,
) -> Interval:
    """Interval of the mean of one number per photograph, patients resampled.

    For metrics that are computed on each photograph (pixel AUROC, Dice), or for paired differences
    of two of them; p is then two-sided against 0, as in `differences`.

    Args:
      values: [N] float; NaN are left out.
      patient: [N] any hashable.
      seed, draws, level: as `intervals`.
    """
    x, who = np.asarray(values, np.float64), np.asarray(patient)
    x, who = x[np.isfinite(x)], who[np.isfinite(x)]
    if not len(x):
        return percentile(float("nan"), np.empty(0), 0, level)
    weights = bootstrap.patient_weights(who, draws, seed)
    means = np.concatenate([w @ x / w.sum(-1) for w in weights])
    return lead(float(x.mean()), means, len(np.unique(who)), level)


def seed_interval(values: ArrayLike, level: float = LEVEL) -> Interval:
    """Student's t interval of the mean over training seeds.

    Args:
      values: [S] one metric per seed, on the same test set. For a paired difference give the
        differences; p is then that of the one-sample t test.

    Returns:
      Interval with unit 'seed'; NaN bounds for fewer than two seeds. It says how much training
      varies and nothing about other patients.
    """
    from scipy import stats

    x = np.asarray(values, np.float64)
    mean = float(x.mean())
    nan = float("nan")
    if len(x) < 2:
        return Interval(mean, nan, nan, nan, level, "seed", len(x), 0)
    se = float(x.std(ddof=1) / np.sqrt(len(x)))
    half = float(stats.t.ppf(0.5 + level / 2, len(x) - 1)) * se
    p = float(2 * stats.t.sf(abs(mean) / se, len(x) - 1)) if se > 0 else nan
    return Interval(mean, mean - half, mean + half, se, level, "seed", len(x), 0, p=p)


def non_inferior(name: str, difference: Interval, margin: float) -> bool:
    """Whether a difference's interval excludes a loss of `margin` or more.

    Args:
      name: the metric; for those of LOWER_IS_BETTER a loss is an increase.
      difference: from `differences` or `seed_interval`.
      margin: above 0, in the metric's own unit.

    Returns:
      True where the bound on the bad side is strictly better than the margin. With a two-sided 95 %
      interval this is a one-sided test at 2.5 %. NaN bounds give False.

    Raises:
      ValueError: a margin that is not positive.
    """
    if not margin > 0:
        raise ValueError(f"non-inferiority margin {margin}: expected a number above 0")
    if name in LOWER_IS_BETTER:
        return bool(difference.high < margin)
    return bool(difference.low > -margin)


def lead(value: float, draws: Floats, units: int, level: float) -> Interval:
    """`percentile` of a difference, with its p; NaN where there is no interval."""
    whole = percentile(value, draws, units, level)
    if np.isnan(whole.low):
        return whole
    here = draws[np.isfinite(draws)]
    side = (1 + min((here <= 0).sum(), (here >= 0).sum())) / (1 + len(here))
    return dataclasses.replace(whole, p=min(1.0, float(2 * side)))


def percentile(value: float, draws: Floats, units: int, level: float) -> Interval:
    """Interval of a value from its [D] bootstrap draws; NaN draws are left out and counted.

    One unit gives a value alone: drawn again and again it says nothing of others.
    """
    here = draws[np.isfinite(draws)]
    lost = len(draws) - len(here)
    if np.isnan(value) or not len(here) or units < 2:
        nan = float("nan")
        return Interval(value, nan, nan, nan, level, "patient", units, len(here), lost)
    low, high = np.quantile(here, [0.5 - level / 2, 0.5 + level / 2])
    se = float(here.std(ddof=1)) if len(here) > 1 else float("nan")
    return Interval(value, float(low), float(high), se, level, "patient", units, len(here), lost)
