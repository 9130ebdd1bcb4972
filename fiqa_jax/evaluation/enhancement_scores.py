"""What an enhancement did to grades, as enhancement papers report it, with intervals.

| name | meaning |
| --- | --- |
| fiqa | share of photographs graded good |
| wfqa | mean weight of the grades: 1 good, 0 reject, between them usable |
| conversion_rate | rejects that became good, of all rejects |
| rescued | rejects that became usable or good, of all rejects |
| spoilt | good ones that are good no longer, of all good ones |

FIQA of papers is the share that MCF-Net grades good; conversion is as the authors of OTE-GAN
explain it (github.com/Retinal-Research/OTE-GAN, issue 3). No code of WFQA was found, so its weights
are the caller's, and printed. FIQA of another grader is another number.
"""

import dataclasses
from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fiqa_jax.evaluation.intervals import Interval, mean_interval

GOOD, USABLE, REJECT = 0, 1, 2


@dataclasses.dataclass(frozen=True)
class Change:
    """A score before and after, and their paired difference.

    Attributes:
      before, after, difference: intervals over resampled patients; differences are of pairs.
    """

    before: Interval
    after: Interval
    difference: Interval


def changes(
    before: ArrayLike, after: ArrayLike, patient: ArrayLike, usable: float, seed: int
) -> dict[str, Change]:
    """`fiqa` and `wfqa` of pairs.

    Args:
      before, after: [N] grades, 0 good, 1 usable, 2 reject.
      patient: [N]; photographs of one patient are drawn together.
      usable: weight of a usable photograph in [0, 1].
      seed: of the draws, the same for the three.
    """
    weights = np.array([1.0, usable, 0.0])
    numbers = {"fiqa": np.array([1.0, 0.0, 0.0]), "wfqa": weights}
    old, new, who = _checked(before, after, patient)
    out = {}
    for name, value in numbers.items():
        a, b = value[old], value[new]
        parts = (mean_interval(x, who, seed=seed) for x in (a, b, b - a))
        out[name] = Change(*parts)
    return out


def rates(
    before: ArrayLike, after: ArrayLike, patient: ArrayLike, seed: int
) -> dict[str, Interval]:
    """`conversion_rate`, `rescued` and `spoilt`, each among those that it can happen to.

    Args:
      before, after, patient, seed: see `changes`.

    Returns:
      Intervals; NaN where no photograph was a reject, or good, before.
    """
    old, new, who = _checked(before, after, patient)
    asked: Mapping[str, tuple[NDArray[np.bool_], NDArray[np.bool_]]] = {
        "conversion_rate": (old == REJECT, new == GOOD),
        "rescued": (old == REJECT, new != REJECT),
        "spoilt": (old == GOOD, new != GOOD),
    }
    return {
        name: _certain(mean_interval(happened[among].astype(float), who[among], seed=seed))
        for name, (among, happened) in asked.items()
    }


def _certain(rate: Interval) -> Interval:
    """An interval of none or all, which resampling cannot widen: Wilson's, over patients."""
    if rate.value not in (0.0, 1.0):
        return rate
    from statsmodels.stats.proportion import proportion_confint

    hits = round(rate.value * rate.units)
    low, high = proportion_confint(hits, rate.units, alpha=1 - rate.level, method="wilson")
    return dataclasses.replace(rate, low=float(low), high=float(high), draws=0)


def _checked(
    before: ArrayLike, after: ArrayLike, patient: ArrayLike
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.str_]]:
    old, new = np.asarray(before, np.int64), np.asarray(after, np.int64)
    who = np.asarray(patient, np.str_)
    if not old.shape == new.shape == who.shape:
        raise ValueError(f"pairs of unequal length: {old.shape}, {new.shape}, {who.shape}")
    if len(old) and (min(old.min(), new.min()) < GOOD or max(old.max(), new.max()) > REJECT):
        raise ValueError("grades are 0 good, 1 usable, 2 reject")
    return old, new, who
