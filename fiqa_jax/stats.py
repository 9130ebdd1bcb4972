"""Intervals: patients resampled for one run, seeds for several, never pooled into one.

Photographs of one patient are alike, so the bootstrap draws patients with replacement and takes all
of a patient's photographs with them (Field and Welsh 2007, the cluster bootstrap). Two predictions
of the same photographs are compared on the same draws, which keeps their correlation.

Metrics of the confusion matrix need only each patient's own matrix: patients with equal matrices
are exchangeable, so one multinomial draw over the distinct ones stands for a whole resample.
Rank and probability metrics take a weight per photograph; with unit weights they are the numbers
of `fiqa_jax.metrics`.
"""

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fiqa_jax import metrics

LOWER_IS_BETTER = frozenset({"nll", "brier", "ece"})
COUNT_DRAWS = 10_000
RANK_DRAWS = 2_000
LEVEL = 0.95
_CELLS = 2_000_000  # weights held at a time

Floats = NDArray[np.float64]
Draws = dict[str, Floats]


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
      Metric name (as metrics.scores gives) to Interval.
    """
    found = _same_rows(truth, [prob], patient)
    point = metrics.scores(found.truth, found.probs[0], names).values
    draws = _draws(found, names, seed, count_draws, rank_draws)[0]
    return {
        name: _percentile(point[name], values, found.patients, level)
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
    found = _same_rows(truth, [prob, other], patient)
    point = [metrics.scores(found.truth, p, names).values for p in found.probs]
    one, two = _draws(found, names, seed, count_draws, rank_draws)
    out = {}
    for name in one:
        gap = one[name] - two[name]
        whole = _percentile(point[0][name] - point[1][name], gap, found.patients, level)
        here = gap[np.isfinite(gap)]
        side = (1 + min((here <= 0).sum(), (here >= 0).sum())) / (1 + len(here))
        out[name] = dataclasses.replace(whole, p=min(1.0, float(2 * side)))
    return out


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


@dataclasses.dataclass(frozen=True)
class _Rows:
    truth: NDArray[np.int64]
    probs: list[Floats]
    group: NDArray[np.int64]  # [N] patient as 0..patients-1
    patients: int


def _same_rows(truth: ArrayLike, probs: Sequence[ArrayLike], patient: ArrayLike) -> _Rows:
    y, who = np.asarray(truth, np.int64), np.asarray(patient)
    p = [np.asarray(prob, np.float64) for prob in probs]
    if who.shape != y.shape or any(len(one) != len(y) for one in p):
        raise ValueError(
            f"{len(y)} labels need as many patients and probabilities; seen {who.shape} and "
            f"{[one.shape for one in p]}"
        )
    here = y >= 0
    distinct, group = np.unique(who[here], return_inverse=True)
    return _Rows(y[here], [one[here] for one in p], group, len(distinct))


def _percentile(value: float, draws: Floats, units: int, level: float) -> Interval:
    here = draws[np.isfinite(draws)]
    lost = len(draws) - len(here)
    if np.isnan(value) or not len(here):
        nan = float("nan")
        return Interval(value, nan, nan, nan, level, "patient", units, len(here), lost)
    low, high = np.quantile(here, [0.5 - level / 2, 0.5 + level / 2])
    se = float(here.std(ddof=1)) if len(here) > 1 else float("nan")
    return Interval(value, float(low), float(high), se, level, "patient", units, len(here), lost)


def _draws(
    rows: _Rows, names: Sequence[str], seed: int, count_draws: int, rank_draws: int
) -> list[Draws]:
    """For each set of probabilities: metric -> [draws], all on the same resampled patients."""
    out: list[Draws] = [{} for _ in rows.probs]
    if not rows.patients:
        return out
    for_counts, for_ranks = np.random.default_rng(seed).spawn(2)
    if count_draws:
        tables = _resampled_confusions(rows, len(names), for_counts, count_draws)
        for k, draws in enumerate(out):
            draws |= metrics.count_scores(tables[:, k], names)
    if rank_draws:
        parts: list[list[Draws]] = [[] for _ in rows.probs]
        for weight in _weights(rows, for_ranks, rank_draws):
            for k, prob in enumerate(rows.probs):
                parts[k].append(weighted_scores(rows.truth, prob, weight, names))
        for draws, part in zip(out, parts, strict=True):
            draws |= {name: np.concatenate([p[name] for p in part]) for name in part[0]}
    return out


def _resampled_confusions(
    rows: _Rows, classes: int, rng: np.random.Generator, draws: int
) -> NDArray[np.int64]:
    """[draws, len(probs), C, C] confusion matrices of resampled patients."""
    size, models = classes * classes, len(rows.probs)
    own = np.zeros((rows.patients, models * size), np.int64)
    for k, prob in enumerate(rows.probs):
        guess = (prob >= 0.5).astype(np.int64) if prob.ndim == 1 else prob.argmax(-1)
        np.add.at(own, (rows.group, k * size + rows.truth * classes + guess), 1)
    distinct, times = np.unique(own, axis=0, return_counts=True)
    step = max(1, _CELLS // len(distinct))
    taken = [
        rng.multinomial(rows.patients, times / rows.patients, min(step, draws - first)) @ distinct
        for first in range(0, draws, step)
    ]
    return np.concatenate(taken).reshape(draws, models, classes, classes)


def _weights(rows: _Rows, rng: np.random.Generator, draws: int) -> Iterator[Floats]:
    """Chunks [d, N] of how often each photograph's patient was drawn."""
    step = max(1, _CELLS // len(rows.group))
    for first in range(0, draws, step):
        times = np.stack(
            [
                np.bincount(rng.integers(0, rows.patients, rows.patients), minlength=rows.patients)
                for _ in range(min(step, draws - first))
            ]
        )
        yield times[:, rows.group].astype(np.float64)


def weighted_scores(
    truth: NDArray[np.int64], prob: Floats, weight: Floats, names: Sequence[str]
) -> Draws:
    """Rank and probability metrics of `metrics.scores` with a weight per example, many at a time.

    Args:
      truth: [N] int; `prob`: [N, C] or [N]; `weight`: [D, N] >= 0; `names`: class names.

    Returns:
      Metric name to [D] float64.
    """
    total = weight.sum(-1)
    classes = len(names)
    full = np.stack([1 - prob, prob], -1) if prob.ndim == 1 else prob
    full = full / full.sum(-1, keepdims=True)
    own = np.clip(full[np.arange(len(truth)), truth], np.finfo(np.float64).eps, None)
    error = ((full - np.eye(classes)[truth]) ** 2).sum(-1) / (2 if classes == 2 else 1)
    out = {
        "nll": metrics.ratio(weight @ -np.log(own), total),
        "brier": metrics.ratio(weight @ error, total),
    }
    sure, happened = metrics.confidences(truth, prob)
    bins = metrics.ECE_BINS
    gap = np.zeros((len(truth), bins))
    gap[np.arange(len(truth)), metrics.bin_of(sure, bins)] = sure - happened
    out["ece"] = metrics.ratio(np.abs(weight @ gap).sum(-1), total)
    if prob.ndim == 1:
        out["auroc"], out["ap"] = _ranked(truth == 1, prob, weight)
        return out
    each = [_ranked(truth == k, prob[:, k], weight) for k in range(classes)]
    out["auroc"] = np.mean([auroc for auroc, _ in each], axis=0)
    out["ap"] = np.mean([ap for _, ap in each], axis=0)
    for name, (auroc, ap) in zip(names, each, strict=True):
        out |= {f"auroc_{name}": auroc, f"ap_{name}": ap}
    return out


def _ranked(hit: NDArray[np.bool_], score: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Weighted AUROC (ties count half) and average precision, [D] each."""
    order = np.argsort(score, kind="stable")
    first = np.flatnonzero(np.diff(score[order], prepend=-np.inf))
    w = weight[:, order]
    positive = np.add.reduceat(w * hit[order], first, axis=-1)
    negative = np.add.reduceat(w, first, axis=-1) - positive
    p, n = positive.sum(-1), negative.sum(-1)
    below = np.cumsum(negative, -1)
    auroc = metrics.ratio((positive * (below - negative / 2)).sum(-1), p * n)
    # From the highest score down: what has been taken in so far, ties together.
    found = p[:, None] - np.cumsum(positive, -1) + positive
    taken = found + n[:, None] - below + negative
    precision = np.divide(found, taken, out=np.zeros_like(found), where=taken > 0)
    ap = metrics.ratio((positive * precision).sum(-1), p)
    return auroc, np.where(n > 0, ap, np.nan)
