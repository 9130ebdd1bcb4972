"""How maps agree with annotated pixels: good, usable, bad (FunPiQ, 2026).

Every number follows from how many pixels of each grade have each level of a map, counted for every
photograph once. Such counts add up, so pooled numbers, those of one photograph, cross-validated
thresholds and thousands of resamples all come from the same small arrays.

Levels are the distinct values of the maps where there are at most `LEVELS`, else parts that hold
equally many values; within a level pixels are tied, which moves an AUROC by a thousandth at most.
"""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fiqa_jax.evaluation import bootstrap, intervals, metrics
from fiqa_jax.evaluation.intervals import Interval
from fiqa_jax.evaluation.reliability import ratio

GRADES = ("good", "usable", "bad")  # codes 1, 2, 3
PART = 0.05  # of a photograph's pixels that must be bad, and not bad, for 'bad in part'
LEVELS = 1000
SAMPLE = 4096  # values of a map that decide about levels
SPECIFICITY = 0.95
FOLDS = 5
DRAWS = 2000
_CANDIDATES = 200  # levels of which the two thresholds between three grades are taken
_AT_A_TIME = 100  # draws

Floats = NDArray[np.float64]
Counts = NDArray[np.float64]


def cuts_of(maps: Iterable[NDArray[np.floating]]) -> Floats:
    """Values between the levels, ascending; a pixel's level is how many of them it reaches.

    Args:
      maps: one kind of map of all photographs, any shapes.
    """
    parts = []
    for quality in maps:
        values = np.ravel(quality)
        parts.append(values[:: max(1, -(-len(values) // SAMPLE))])
    pooled = np.concatenate(parts).astype(np.float64)
    distinct = np.unique(pooled)
    if len(distinct) > LEVELS:
        distinct = np.unique(np.quantile(pooled, np.linspace(0, 1, LEVELS)))
    # Halfway, so that rounding when a map is resized does not move a pixel to another level.
    return (distinct[1:] + distinct[:-1]) / 2


def count(value: NDArray[np.floating], codes: NDArray[np.uint8], cuts: Floats) -> Counts:
    """Pixels of each grade and level, `[3, L]`.

    Args:
      value: `[n]`, higher = worse.
      codes: `[n]` of 1 good, 2 usable, 3 bad.
      cuts: `[L - 1]` from `cuts_of`.
    """
    size = len(cuts) + 1
    level = np.searchsorted(cuts, np.asarray(value, np.float64), side="right")
    flat = np.bincount((codes.astype(np.int64) - 1) * size + level, minlength=3 * size)
    return flat.reshape(3, size).astype(np.float64)


def called(counts: Counts) -> tuple[Floats, Floats]:
    """Bad and all pixels at or above each level, and above them all: `[..., L + 1]` each."""

    def from_above(x: Counts) -> Floats:
        above = np.cumsum(x[..., ::-1], -1)[..., ::-1]
        return np.concatenate([above, np.zeros_like(above[..., :1])], -1)

    return from_above(counts[..., 2, :]), from_above(counts.sum(-2))


def ranks(counts: Counts) -> dict[str, Floats]:
    """Bad against the rest without a threshold; NaN where one of them is missing.

    Args:
      counts: `[..., 3, L]`.

    Returns:
      auroc (ties count half), ap (as scikit-learn's), sensitivity at 95 % specificity or more.
    """
    hit, taken = called(counts)
    bad, rest = hit[..., :1], (taken - hit)[..., :1]
    false = taken - hit
    own_hit, own_false = -np.diff(hit, axis=-1), -np.diff(false, axis=-1)
    below = rest - false[..., :-1]  # rest pixels of lower levels
    auroc = ratio((own_hit * (below + own_false / 2)).sum(-1), (bad * rest)[..., 0])
    precision = np.nan_to_num(ratio(hit, taken))[..., :-1]
    ap = ratio((own_hit * precision).sum(-1), bad[..., 0])
    specific = rest - false >= SPECIFICITY * rest - 1e-9
    best = np.where(specific, hit, 0.0).max(-1)
    both = rest[..., 0] > 0
    return {
        "auroc": auroc,
        "ap": np.where(both, ap, np.nan),
        "sensitivity": np.where(both, ratio(best, bad[..., 0]), np.nan),
    }


def dice(counts: Counts) -> Floats:
    """Dice when a level and those above are called bad, `[..., L + 1]`; 0 where nothing is bad."""
    hit, taken = called(counts)
    return np.nan_to_num(ratio(2 * hit, taken + hit[..., :1]))


def overlap(counts: Counts, level: int) -> Floats:
    """Twice the shared pixels and the pixels of both `[..., 2]`, calling `level` and above bad."""
    hit, taken = called(counts)
    return np.stack([2 * hit[..., level], taken[..., level] + hit[..., 0]], -1)


def best_level(counts: Counts) -> int:
    """The level of the largest Dice of pooled counts `[3, L]`; the lowest of equals."""
    return int(np.argmax(dice(counts)))


def confusion(counts: Counts, first: Any, second: Any) -> Floats:
    """Pixels by grade and by what two thresholds make of the map, `[..., 3, 3]`.

    Args:
      counts: `[..., 3, L]`.
      first, second: levels from which on a pixel is usable, and bad; ints, or for counts `[3, L]`
        `[P] int` each, which gives `[P, 3, 3]`.
    """
    zero = np.zeros_like(counts[..., :1])
    up_to = np.concatenate([zero, np.cumsum(counts, -1)], -1)
    several = np.ndim(first) > 0
    good, seen = up_to[..., first], up_to[..., second]
    whole = up_to[..., -1:] if several else up_to[..., -1]
    parts = np.stack([good, seen - good, whole - seen], -1)
    return np.moveaxis(parts, 1, 0) if several else parts


def kappa(matrix: Floats) -> Floats:
    """Quadratic weighted kappa of `[..., 3, 3]`; NaN where one grade is all there is."""
    return np.asarray(metrics.count_scores(matrix, GRADES)["quadratic_kappa"])


def best_pair(counts: Counts) -> tuple[int, int]:
    """The two levels of the largest kappa of pooled counts `[3, L]`."""
    size = counts.shape[-1]
    levels = np.unique(np.linspace(0, size, min(_CANDIDATES, size + 1)).astype(int))
    i, j = np.triu_indices(len(levels))
    agreement = kappa(confusion(counts, levels[i], levels[j]))
    best = int(np.argmax(np.nan_to_num(agreement, nan=-1.0)))
    return int(levels[i][best]), int(levels[j][best])


@dataclasses.dataclass(frozen=True)
class Measured:
    """One kind of map on N photographs, in parts that add up.

    Attributes:
      counts: `[N, 3, L]`.
      dice, dice_cv: `[N, 2]` of `overlap` at the threshold that is best on all photographs, and at
        that of the other folds.
      grades, grades_cv: `[N, 3, 3]` of `confusion`, likewise.
    """

    counts: Counts
    dice: Floats
    dice_cv: Floats
    grades: Floats
    grades_cv: Floats

    def scores(self, weight: Floats) -> dict[str, Floats]:
        """Every metric of weighted sums over photographs.

        Args:
          weight: `[D, N]`; ones for pooled numbers, the identity for those of each photograph.

        Returns:
          kappa, kappa_cv, dice, dice_cv, auroc, ap, sensitivity: `[D]` each.
        """

        def summed(part: Floats) -> Floats:
            return (weight @ part.reshape(len(part), -1)).reshape(-1, *part.shape[1:])

        out = {"kappa": kappa(summed(self.grades)), "kappa_cv": kappa(summed(self.grades_cv))}
        for name, part in (("dice", self.dice), ("dice_cv", self.dice_cv)):
            both = summed(part)
            out[name] = ratio(both[:, 0], both[:, 1])
        return out | ranks(summed(self.counts))


def measure(counts: Counts, people: Sequence[str], seed: int) -> Measured:
    """Thresholds of one kind of map, its own best and cross-validated, and what they make of it.

    Args:
      counts: `[N, 3, L]` of `count`.
      people: `[N]` whose photograph it is; nobody is in two folds.
      seed: of the folds. With fewer people than five each is a fold; with one there is no other
        fold, and the cross-validated numbers are NaN.
    """
    total = counts.sum(0)
    dice, grades = overlap(counts, best_level(total)), confusion(counts, *best_pair(total))
    dice_cv, grades_cv = np.zeros_like(dice), np.zeros_like(grades)
    fold = folds(people, seed)
    if fold.max() > 0:
        for k in range(fold.max() + 1):
            others, inner = counts[fold != k].sum(0), counts[fold == k]
            dice_cv[fold == k] = overlap(inner, best_level(others))
            grades_cv[fold == k] = confusion(inner, *best_pair(others))
    return Measured(counts, dice, dice_cv, grades, grades_cv)


def folds(people: Sequence[str], seed: int) -> NDArray[np.int64]:
    """The fold of each photograph `[N]`, at most five of about as many people each."""
    distinct, group = np.unique(np.asarray(people), return_inverse=True)
    order = np.random.default_rng(seed).permutation(len(distinct))
    return (order % min(FOLDS, len(distinct)))[group]


def in_part(counts: Counts) -> NDArray[np.bool_]:
    """Photographs `[N]` of which between 5 and 95 % is bad, which maps can localise."""
    share = ratio(counts[:, 2].sum(-1), counts.sum((1, 2)))
    return (share >= PART) & (share <= 1 - PART)


def pooled(measured: Measured, people: Sequence[str], seed: int) -> dict[str, Interval]:
    """Metrics of all pixels together with 95 % intervals, people resampled; thresholds stay."""
    point = measured.scores(np.ones((1, len(measured.counts))))
    parts: list[dict[str, Floats]] = []
    for weight in bootstrap.patient_weights(np.asarray(people), DRAWS, seed):
        for some in np.array_split(weight, -(-len(weight) // _AT_A_TIME)):
            parts.append(measured.scores(some))
    units = len(set(people))
    return {
        name: intervals.percentile(
            float(value[0]), np.concatenate([p[name] for p in parts]), units, intervals.LEVEL
        )
        for name, value in point.items()
    }


def each(measured: Measured) -> dict[str, Floats]:
    """Metrics of every photograph by itself, `[N]`, NaN where it is not bad in part."""
    here = in_part(measured.counts)
    alone = measured.scores(np.eye(len(measured.counts)))
    return {name: np.where(here, value, np.nan) for name, value in alone.items()}


def subset(measured: Measured, rows: NDArray[np.bool_]) -> Measured:
    """Some photographs, thresholds as they were."""
    fields = dataclasses.fields(measured)
    return Measured(**{f.name: getattr(measured, f.name)[rows] for f in fields})
