"""Selective prediction: what a diagnosis is worth when the worst photographs are rejected.

A score (higher = worse) says which photographs are rejected first. Rejecting more and more of them
gives the risk-coverage curve (El-Yaniv and Wiener 2010; Geifman and El-Yaniv 2017): the error rate
of what is kept against the share that is kept. Its mean over every count of kept photographs is
AURC; E-AURC is what it has above the best order of these very answers (Geifman, Uziel and El-Yaniv
2019), so that it does not measure the diagnosis itself.

Photographs of equal score have no order. Every number is its expected value over all their orders,
each as likely: exact for the error rate, AURC and AUROC, the mean of drawn orders for macro-F1. A
score that is the same everywhere is therefore random rejection, and the wrong answers as a score
(0, 1) are the best one.

Everything takes weights `[D, N]`, whole numbers: how often a photograph stands in each of D
resamples. Copies of a photograph are photographs like others.
"""

import dataclasses

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln

from fiqa_jax.evaluation import metrics
from fiqa_jax.evaluation.decisions import predicted_class
from fiqa_jax.evaluation.metrics import Head
from fiqa_jax.evaluation.reliability import ratio

Floats = NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Order:
    """N photographs by their score, best first, those of equal score on one level.

    Attributes:
      level: `[N]` 0 for the best score.
      place: `[N]` which photographs stand one behind the other.
      first: `[L]` where in `place` each level begins.
    """

    level: NDArray[np.int64]
    place: NDArray[np.int64]
    first: NDArray[np.int64]

    def sums(self, weight: Floats) -> Floats:
        """`[D, N]` added up within levels, `[D, L]`."""
        return np.add.reduceat(weight[:, self.place], self.first, axis=-1)


@dataclasses.dataclass(frozen=True)
class Cut:
    """What is kept of D resamples.

    Attributes:
      sure: `[D, N]` weight of photographs that are kept in every order.
      tied: `[D, N]` weight of those that share the score at the cut.
      take: `[D]` how many of the tied are kept.
    """

    sure: Floats
    tied: Floats
    take: Floats


def order(score: ArrayLike) -> Order:
    """The order of a score `[N] float`, higher = worse; +inf is rejected before all others.

    Raises:
      ValueError: no photograph, or NaN.
    """
    s = np.asarray(score, np.float64)
    if s.ndim != 1 or not len(s) or np.isnan(s).any():
        raise ValueError(
            f"scores {s.shape} with {int(np.isnan(s).sum())} NaN: expected [N] numbers"
        )
    distinct, level = np.unique(s, return_inverse=True)
    place = np.argsort(level, kind="stable")
    return Order(level, place, np.searchsorted(level[place], np.arange(len(distinct))))


def curve(ranked: Order, wrong: ArrayLike) -> Floats:
    """Risk-coverage curve: the expected error rate `[N]` of the best 1, 2, ..., N photographs.

    Args:
      ranked: their order.
      wrong: `[N]` 1 where the diagnosis is wrong, else 0.
    """
    loss = np.asarray(wrong, np.float64)[None]
    kept = np.cumsum(ranked.sums(np.ones_like(loss))[0])
    errors = np.cumsum(ranked.sums(loss)[0])
    count = np.arange(1, loss.shape[1] + 1)
    # In a level, errors are expected to come in evenly.
    return np.interp(count, np.r_[0, kept], np.r_[0, errors]) / count


def aurc(ranked: Order, wrong: ArrayLike, weight: Floats) -> Floats:
    """Area under the risk-coverage curve `[D]`: the mean of `curve` over its points.

    A level of t photographs with e errors, behind a others with E errors, adds the sum over
    k = a+1 ... a+t of (E + e (k - a) / t) / k = (E - a e / t) (H(a + t) - H(a)) + e with the
    harmonic numbers H.

    Args:
      ranked: the order of N photographs; `wrong`: `[N]` 0 or 1; `weight`: `[D, N]`.
    """
    count, errors = ranked.sums(weight), ranked.sums(weight * np.asarray(wrong, np.float64))
    before = np.cumsum(count, -1) - count
    errors_before = np.cumsum(errors, -1) - errors
    total = count.sum(-1)
    harmonic = np.r_[0.0, np.cumsum(1 / np.arange(1, total.max() + 1))]
    step = harmonic[(before + count).astype(np.int64)] - harmonic[before.astype(np.int64)]
    slope = np.divide(errors, count, out=np.zeros_like(errors), where=count > 0)
    return ((errors_before - before * slope) * step + errors).sum(-1) / total


def best_aurc(wrong: ArrayLike, weight: Floats) -> Floats:
    """AURC `[D]` of the best order, all wrong answers rejected first.

    For many photographs with an error rate of r it nears r + (1 - r) ln(1 - r) (Geifman, Uziel and
    El-Yaniv 2019); here it is that of these very counts.
    """
    return aurc(order(wrong), wrong, weight)


def cut(ranked: Order, weight: Floats, rate: float) -> Cut:
    """Rejects the share `rate` of each resample, rounded down to whole photographs.

    Args:
      ranked: the order of N photographs; `weight`: `[D, N]`; `rate`: in [0, 1[.

    Raises:
      ValueError: another rate.
    """
    if not 0 <= rate < 1:
        raise ValueError(f"rejection rate {rate}: expected 0 or more and less than 1")
    behind = np.cumsum(ranked.sums(weight), -1)
    total = behind[:, -1]
    keep = total - np.floor(rate * total + 1e-9)
    edge = (behind < keep[:, None]).sum(-1, keepdims=True)
    sure = weight * (ranked.level < edge)
    return Cut(sure, weight * (ranked.level == edge), keep - sure.sum(-1))


def accuracy(kept: Cut, right: ArrayLike) -> Floats:
    """Expected share of right answers among those kept, `[D]`; `right`: `[N]` 0 or 1."""
    hit = np.asarray(right, np.float64)
    expected = kept.sure @ hit + kept.take * ratio(kept.tied @ hit, kept.tied.sum(-1))
    return ratio(expected, kept.sure.sum(-1) + kept.take)


def auroc(kept: Cut, head: Head) -> Floats:
    """Expected area under the ROC curve of those kept, `[D]`, macro one-vs-rest.

    Orders in which a class or all others are gone do not count; where none is left, NaN.
    """
    if head.prob.ndim == 1:
        return _area(kept, head.truth == 1, head.prob)
    each = [_area(kept, head.truth == k, head.prob[:, k]) for k in range(len(head.names))]
    return np.mean(each, axis=0)


def _area(kept: Cut, hit: NDArray[np.bool_], prob: Floats) -> Floats:
    """One class against the rest.

    With h of the tied kept photographs in the class, every choice of h in it and of take - h
    outside it is as likely: pairs with a tied photograph count by the share of it that is kept.
    How many come to be h is hypergeometric.
    """
    by = order(prob)
    pairs = {}
    parts = {"sure": kept.sure, "tied": kept.tied}
    inside = {k: by.sums(w * hit) for k, w in parts.items()}
    outside = {k: by.sums(w * ~hit) for k, w in parts.items()}
    for k, n in outside.items():
        half = np.cumsum(n, -1) - n / 2  # ties of the probability count half
        for j, p in inside.items():
            pairs[j, k] = (p * half).sum(-1)[:, None]
    sizes = {k: (inside[k].sum(-1)[:, None], outside[k].sum(-1)[:, None]) for k in parts}
    (p, n), (p_tied, n_tied) = sizes["sure"], sizes["tied"]
    take = kept.take[:, None]
    h, chance = _hypergeometric(p_tied, n_tied, take)
    of_p = np.divide(h, p_tied, out=np.zeros_like(h), where=p_tied > 0)
    of_n = np.divide(take - h, n_tied, out=np.zeros_like(h), where=n_tied > 0)
    won = pairs["sure", "sure"] + of_p * pairs["tied", "sure"] + of_n * pairs["sure", "tied"]
    value = ratio(won + of_p * of_n * pairs["tied", "tied"], (p + h) * (n + take - h))
    seen = chance * np.isfinite(value)
    return ratio(np.nansum(seen * np.nan_to_num(value), -1), seen.sum(-1))


def _hypergeometric(inside: Floats, outside: Floats, take: Floats) -> tuple[Floats, Floats]:
    """How many of `take` come from `inside` rather than `outside`, and how likely: `[D, K]` each.

    Args:
      inside, outside, take: `[D, 1]` counts. Far tails, below 1e-15 in all, are left out.
    """
    total = np.maximum(inside + outside, 1)
    mean = take * inside / total
    spread = np.sqrt(mean * outside / total * (total - take) / np.maximum(total - 1, 1))
    reach = np.ceil(12 * spread + 30)
    low = np.maximum(np.maximum(take - outside, 0), np.floor(mean) - reach)
    high = np.minimum(np.minimum(take, inside), np.ceil(mean) + reach)
    h = low + np.arange(int((high - low).max()) + 1)
    there = h <= high
    h = np.where(there, h, low)
    ways = gammaln(h + 1) + gammaln(inside - h + 1)
    ways += gammaln(take - h + 1) + gammaln(outside - take + h + 1)
    chance = np.where(there, np.exp(ways.min(-1, keepdims=True) - ways), 0.0)
    return h, chance / chance.sum(-1, keepdims=True)


def macro_f1(kept: Cut, head: Head, orders: int, rng: np.random.Generator) -> Floats:
    """Macro-F1 of those kept, `[D]`: the mean over drawn orders of the tied.

    Args:
      kept: the cut; `head`: labels and probabilities.
      orders: how many are drawn; none where the tied are all kept or all of one cell of the
        confusion matrix.
      rng: of the draws.
    """
    classes = len(head.names)
    cell = head.truth * classes + predicted_class(head.prob)
    cells = np.eye(classes * classes)[cell]
    sure, tied = kept.sure @ cells, kept.tied @ cells
    count = tied.sum(-1)
    fixed = sure + tied * np.nan_to_num(ratio(kept.take, count))[:, None]

    def f1(confusion: Floats) -> Floats:
        square = confusion.reshape(*confusion.shape[:-1], classes, classes)
        return metrics.count_scores(square, head.names)["macro_f1"]

    out = f1(fixed)
    open_ = ((tied > 0).sum(-1) > 1) & (kept.take < count)
    if open_.any():
        drawn = _drawn(tied[open_].astype(np.int64), kept.take[open_].astype(np.int64), orders, rng)
        out[open_] = f1(sure[open_][:, None] + drawn).mean(-1)
    return out


def _drawn(
    cells: NDArray[np.int64], take: NDArray[np.int64], orders: int, rng: np.random.Generator
) -> Floats:
    """`take [R]` photographs out of `cells [R, C]` without return: `[R, orders, C]`."""
    left = np.repeat(take[:, None], orders, 1)
    rest = cells.sum(-1)[:, None]
    out = np.empty((*left.shape, cells.shape[1]))
    for c in range(cells.shape[1]):
        count = cells[:, c][:, None]
        rest = rest - count
        drawn = rng.hypergeometric(count, rest, left)
        out[..., c] = drawn
        left = left - drawn
    return out
