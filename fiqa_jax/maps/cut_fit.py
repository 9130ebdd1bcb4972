"""From which value of a map on a place is bad, fitted to pixels that a person has brushed."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from fiqa_jax.evaluation.intervals import Interval
from fiqa_jax.maps import annotations, scoring
from fiqa_jax.maps.annotations import Annotation

SIDE = 512  # pixels of the square on which both are compared
FEWEST = 500  # pixels of that square, bad ones and others


@dataclasses.dataclass(frozen=True)
class MapCut:
    """The cut and what it was fitted to.

    Attributes:
      cut: a place is bad from this value on.
      dice: of bad pixels, each photograph by the cut of other people's; NaN with one person.
      photographs, patients: that were brushed.
      bad: share of the brushed pixels that are bad.
    """

    cut: float
    dice: Interval
    photographs: int
    patients: int
    bad: float


def fit(
    listed: Sequence[Annotation],
    maps: Mapping[str, Path],
    photographs: Mapping[str, Path],
    seed: int,
) -> MapCut:
    """The cut with the largest Dice of bad pixels, all photographs together.

    Args:
      listed: annotations, in which what nobody brushed is background.
      maps: each annotation's map, which lies over the square about the field of view.
      photographs: name -> file.
      seed: of the folds and the interval.

    Raises:
      ValueError: files that do not fit, fewer than FEWEST pixels that are bad or that are not, or a
        map that does not tell them apart.
    """
    cuts = scoring.cuts_of(annotations.read_map(maps[one.name]) for one in listed)
    known = (annotations.known_pixels(one, maps[one.name], photographs, SIDE) for one in listed)
    every = np.stack([scoring.count(value, codes, cuts) for value, codes in known])
    rest, bad = (int(every[:, grades].sum()) for grades in ([0, 1], [2]))
    if min(rest, bad) < FEWEST:
        raise ValueError(
            f"{bad} brushed pixels are bad (3) and {rest} are not (1 good, 2 usable), in squares "
            f"of {SIDE} pixels; at least {FEWEST} of each are needed: brush more of both"
        )
    level = scoring.best_level(every.sum(0))
    if level == 0:
        raise ValueError(
            "the map does not tell the brushed pixels apart: calling all of them bad agrees with "
            "the annotations as well as any cut. Are the annotations of these photographs?"
        )
    people = [one.patient for one in listed]
    reached = scoring.pooled(scoring.measure(every, people, seed), people, seed)["dice_cv"]
    share = bad / (bad + rest)
    return MapCut(float(cuts[level - 1]), reached, len(listed), len(set(people)), share)
