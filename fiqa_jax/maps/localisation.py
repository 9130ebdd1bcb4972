"""How well a map finds the bad places of each photograph: pixels inside the field of view.

Numbers are per photograph and averaged over those that are degraded in part. Pixels pooled over
photographs are a second column only: a map that is the same everywhere in a photograph, and so
finds nothing, can reach 0.94 there, because bad photographs have more bad pixels.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fiqa_jax.evaluation import intervals, ranking
from fiqa_jax.evaluation.intervals import Interval
from fiqa_jax.maps import scoring
from fiqa_jax.maps.resizing import resized

GOOD, USABLE, BAD = 1, 2, 3  # codes of the truth; 0 and 255 do not count
LEVELS = 100  # thresholds tried for Dice
SAMPLE = 2000  # pixels of a photograph that go into the pooled numbers

Floats = NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class MapScores:
    """What one kind of map reaches on N photographs.

    Attributes:
      auroc, ap: `[N]` of each photograph's pixels.
      dice: `[N]` at the one threshold that is best for these photographs.
      pooled: AUROC of the pixels of all photographs together.
    """

    auroc: Floats
    ap: Floats
    dice: Floats
    pooled: float


def truth_pixels(
    codes: NDArray[np.uint8], fov: NDArray[np.uint8]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which pixels count and which of them are bad.

    Args:
      codes: `[h, w] uint8` truth of each cell: 1 good, 2 usable, 3 bad, else not known.
      fov: `[S, S] uint8`, 1 inside.

    Returns:
      Two `[S, S]` masks.
    """
    side = fov.shape[0]
    at = (np.arange(side) * codes.shape[0]) // side
    fine = codes[at][:, at]
    return (fov > 0) & (fine >= GOOD) & (fine <= BAD), fine == BAD


def in_part(known: NDArray[np.bool_], bad: NDArray[np.bool_]) -> bool:
    """Whether at least `scoring.PART` of the known pixels are bad, and as many not."""
    share = float(bad[known].mean()) if known.any() else 0.0
    return scoring.PART <= share <= 1 - scoring.PART


def measure(
    maps: Sequence[NDArray[np.floating]],
    known: Sequence[NDArray[np.bool_]],
    bad: Sequence[NDArray[np.bool_]],
) -> MapScores:
    """Numbers of one kind of map.

    Args:
      maps: N maps `[h, w]` of any size, higher = worse.
      known, bad: N masks `[S, S]` each, see `truth_pixels`.

    Raises:
      ValueError: no photograph.
    """
    if not len(maps):
        raise ValueError(
            "no photograph is degraded in part; take more of them, or a larger data.lq_ratio"
        )
    rng = np.random.default_rng(0)
    auroc, ap, values, hits, dices = [], [], [], [], []
    spread = np.concatenate([np.ravel(m) for m in maps])
    cuts = np.unique(np.quantile(spread, np.linspace(0, 1, LEVELS)))
    for quality, inside, worse in zip(maps, known, bad, strict=True):
        value, hit = resized(quality, *inside.shape)[inside], worse[inside]
        auroc.append(ranking.auroc(hit, value))
        ap.append(ranking.average_precision(hit, value))
        counts = scoring.count(value, np.where(hit, BAD, GOOD).astype(np.uint8), cuts)
        dices.append(scoring.dice(counts)[1:-1])  # at each cut
        chosen = rng.choice(len(value), min(SAMPLE, len(value)), replace=False)
        values.append(value[chosen])
        hits.append(hit[chosen])
    dice = np.stack(dices)  # [N, cuts]
    pooled = ranking.auroc(np.concatenate(hits), np.concatenate(values))
    best = dice[:, int(np.argmax(dice.mean(0)))]
    return MapScores(np.array(auroc), np.array(ap), best, pooled)


def rows(
    measured: dict[str, MapScores], people: Sequence[str], reference: str, seed: int
) -> list[dict[str, Interval | float | str]]:
    """Means with intervals for every kind of map, and paired differences of one from the others.

    Args:
      measured: name -> numbers, on the same photographs.
      people: `[N]` whose photograph it is; people are resampled.
      reference: the kind of map that the others are subtracted from.
      seed: of the bootstrap.
    """
    out: list[dict[str, Interval | float | str]] = []
    for name, values_of in measured.items():
        row: dict[str, Interval | float | str] = {"map": name, "pooled": values_of.pooled}
        for metric in ("auroc", "ap", "dice"):
            values = getattr(values_of, metric)
            row[metric] = intervals.mean_interval(values, people, seed=seed)
            if name != reference:
                gap = getattr(measured[reference], metric) - values
                row[f"{metric}_gap"] = intervals.mean_interval(gap, people, seed=seed)
        out.append(row)
    return out
