"""Cut-offs of the score at a stated operating point, and the band in which a person looks.

Fitted on labelled predictions that the model was not trained on, best the user's own: a threshold
does not carry over from one camera and population to another.
"""

import dataclasses

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fiqa_jax.evaluation import bootstrap, intervals
from fiqa_jax.evaluation.intervals import Interval
from input_pipeline.tables.examples import GRADABLE

Floats = NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class OperatingPoint:
    """A cut-off: a photograph is called bad when its score is at or above the threshold."""

    threshold: Interval  # chosen anew on every draw
    sensitivity: Interval  # share of bad photographs called bad, at the threshold
    specificity: Interval  # share of the others called good


def operating_point(
    bad: ArrayLike,
    score: ArrayLike,
    patient: ArrayLike,
    *,
    seed: int,
    sensitivity: float | None = None,
    specificity: float | None = None,
    draws: int = intervals.RANK_DRAWS,
) -> OperatingPoint:
    """Threshold at a target sensitivity or specificity, with intervals (patients resampled).

    The highest threshold that reaches the sensitivity, or the lowest that reaches the specificity.
    Sensitivity and specificity are those on the data the threshold was chosen on: check them on
    other patients.

    Args:
      bad: [N] 0/1, negative = absent (left out); `score`: [N] float, higher worse.
      patient: [N]; photographs with the same value go together.
      seed: of the draws.
      sensitivity, specificity: the target in ]0, 1]; exactly one is given.
      draws: of the bootstrap.

    Raises:
      ValueError: none or both targets, a target outside ]0, 1], or only one class.
    """
    y, s = np.asarray(bad, np.int64), np.asarray(score, np.float64)
    here = y >= 0
    y, s, who = y[here], s[here], np.asarray(patient)[here]
    target = sensitivity if sensitivity is not None else specificity
    if (sensitivity is None) == (specificity is None) or target is None or not 0 < target <= 1:
        raise ValueError(
            "give one target in ]0, 1]: sensitivity or specificity; "
            f"seen {sensitivity} and {specificity}"
        )
    if not (y == 1).any() or not (y == 0).any():
        raise ValueError(
            f"a threshold needs photographs of both kinds; seen {int((y == 1).sum())} bad and "
            f"{int((y == 0).sum())} others"
        )
    chosen = _choose(y, s, np.ones((1, len(y))), target, sensitivity is not None)[0]
    again = [
        _choose(y, s, weight, target, sensitivity is not None)
        for weight in bootstrap.patient_weights(who, draws, seed)
    ]
    units = len(np.unique(who))
    called = (s >= chosen).astype(np.float64)
    at = intervals.intervals(y, called, who, GRADABLE, seed=seed, rank_draws=0)
    return OperatingPoint(
        intervals.percentile(float(chosen), np.concatenate(again), units, intervals.LEVEL),
        at["sensitivity"],
        at["specificity"],
    )


def _choose(
    y: NDArray[np.int64], s: Floats, weight: Floats, target: float, by_sensitivity: bool
) -> Floats:
    """[D] thresholds for weights [D, N]; NaN where a draw lacks a class."""
    order = np.argsort(s, kind="stable")
    first = np.flatnonzero(np.diff(s[order], prepend=-np.inf))
    # Candidates: every distinct score, and one above all of them.
    cut = np.append(s[order][first], np.nextafter(s.max(), np.inf))
    kind = y[order] == (1 if by_sensitivity else 0)
    group = np.add.reduceat(weight[:, order] * kind, first, axis=-1)
    below = np.concatenate([np.zeros((len(weight), 1)), np.cumsum(group, -1)], -1)
    total = below[:, -1:]
    # Weights are counts: compare with half a photograph's slack against rounding of the target.
    if by_sensitivity:
        reached = total - below >= target * total - 1e-9
        index = len(cut) - 1 - np.argmax(reached[:, ::-1], -1)
    else:
        index = np.argmax(below >= target * total - 1e-9, -1)
    return np.where(total[:, 0] > 0, cut[index], np.nan)


@dataclasses.dataclass(frozen=True)
class Band:
    """Accept below one score, take again from another on, let somebody look between."""

    accept: float
    recapture: float
    sensitivity: Interval  # of 'not accepted' for bad photographs
    specificity: Interval  # of 'not taken again' for the others
    shares: dict[str, float]  # of all labelled photographs: accept, review, recapture


def band(
    bad: ArrayLike,
    score: ArrayLike,
    patient: ArrayLike,
    *,
    sensitivity: float,
    specificity: float,
    seed: int,
) -> Band:
    """The narrowest band that lets few bad photographs in and sends few good ones back.

    Where one threshold reaches both targets the band is empty, and lies in the middle of all
    thresholds that do.

    Args:
      bad, score, patient, seed: as `operating_point`.
      sensitivity: share of bad photographs that must not be accepted.
      specificity: share of the others that must not be taken again.
    """
    y, s = np.asarray(bad, np.int64), np.asarray(score, np.float64)
    here = y >= 0
    y, s, who = y[here], s[here], np.asarray(patient)[here]
    low = operating_point(y, s, who, seed=seed, sensitivity=sensitivity)
    high = operating_point(y, s, who, seed=seed, specificity=specificity)
    a, b = low.threshold.value, high.threshold.value
    if a > b:
        a = b = (a + b) / 2
    at = [
        intervals.intervals(y, (s >= t) * 1.0, who, GRADABLE, seed=seed, rank_draws=0)
        for t in (a, b)
    ]
    shares = {"accept": s < a, "review": (s >= a) & (s < b), "recapture": s >= b}
    return Band(
        a,
        b,
        at[0]["sensitivity"],
        at[1]["specificity"],
        {name: float(hit.mean()) for name, hit in shares.items()},
    )
