"""Cut-offs of the score with a guarantee for photographs to come (split conformal, by class).

Vovk, Gammerman and Shafer 2005, chapter 4.5 (label-conditional); the law of what is reached, Vovk
2012, proposition 2a. Valid whatever the score is and however few labels there are, as long as the
labelled photographs and those to come are drawn alike (one camera and clinic, one photograph a
person, say); several photographs of a person are more alike than that.
"""

import dataclasses
import math

import numpy as np
from numpy.typing import ArrayLike


@dataclasses.dataclass(frozen=True)
class Guarantee:
    """What a cut-off promises of a class.

    Attributes:
      cut: of the score.
      promised: at least this share of the class's photographs to come falls on the right side, on
        average over sets of labels like this one.
      low, high: with this set of labels the true share lies between them in 95 of 100 cases.
      labelled: photographs of the class it rests on.
    """

    cut: float
    promised: float
    low: float
    high: float
    labelled: int


def attainable(labelled: int) -> float:
    """The highest share below 1 that so many labels can promise: n / (n + 1)."""
    return labelled / (labelled + 1)


def lower_cut(score: ArrayLike, share: float) -> Guarantee:
    """The highest cut that at least a share of the class lies at or above.

    Args:
      score: [N] float of the class's photographs.
      share: in ]0, 1[.

    Raises:
      ValueError: a share outside ]0, 1[, or one that N photographs cannot promise.
    """
    s = np.sort(np.asarray(score, np.float64))
    wrong = _wrong_side(len(s), share)
    cut = float(s[wrong - 1])
    return Guarantee(cut, 1 - wrong / (len(s) + 1), *_reached(len(s), wrong), len(s))


def upper_cut(score: ArrayLike, share: float) -> Guarantee:
    """The lowest cut that at least a share of the class lies below.

    Args:
      score, share: as `lower_cut`.

    Raises:
      ValueError: see `lower_cut`.
    """
    s = np.sort(np.asarray(score, np.float64))
    wrong = _wrong_side(len(s), share)
    cut = float(np.nextafter(s[len(s) - wrong], np.inf))
    return Guarantee(cut, 1 - wrong / (len(s) + 1), *_reached(len(s), wrong), len(s))


def _wrong_side(labelled: int, share: float) -> int:
    """How many of the class may lie on the wrong side, plus one: k = floor((1 - share)(N + 1))."""
    if not 0 < share < 1:
        raise ValueError(f"a share of {share:g} cannot be promised; give one above 0 and below 1")
    k = math.floor((1 - share) * (labelled + 1) + 1e-9)
    if k < 1:
        need = math.ceil(share / (1 - share) - 1e-9)
        raise ValueError(
            f"{share:.1%} cannot be promised from {labelled} labelled photographs of the kind: "
            f"that takes {need}, with these at most {attainable(labelled):.1%}"
        )
    return k


def _reached(labelled: int, wrong: int) -> tuple[float, float]:
    """95 % range of the true share on the right side: 1 - Beta(k, N + 1 - k)."""
    from scipy.special import betaincinv

    law = wrong, labelled + 1 - wrong
    return float(1 - betaincinv(*law, 0.975)), float(1 - betaincinv(*law, 0.025))
