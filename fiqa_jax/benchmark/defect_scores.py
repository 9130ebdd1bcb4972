"""What a map reaches on spoilt photographs: kind by kind, and how calm it is on good ones."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fiqa_jax.benchmark.defect_copies import Copies
from fiqa_jax.evaluation import intervals, ranking
from fiqa_jax.evaluation.intervals import Interval
from input_pipeline.synthetic.defects import CONTROLS, KINDS
from input_pipeline.synthetic.truth import BAD, USABLE

LEAST = 8  # bad cells, and good ones, that a copy must have for an AUROC
CALM = 0.05  # of the cells of good photographs that may be called bad

Floats = NDArray[np.float64]
Score = Callable[[Copies, int], NDArray[Any]]  # (copies, which) -> [h, w], higher = worse


@dataclasses.dataclass(frozen=True)
class Row:
    """One map on one copy."""

    camera: str
    person: str
    kind: str
    auroc: float  # bad against good cells, nan where there are too few; usable ones do not count
    bad: NDArray[np.float32]  # the map's values in bad cells
    good: NDArray[np.float32]


def auroc(bad: NDArray[Any], good: NDArray[Any]) -> float:
    """Of bad cells against good ones, from their values; NaN with fewer than `LEAST` of a kind."""
    if len(bad) < LEAST or len(good) < LEAST:
        return float("nan")
    return ranking.auroc(np.r_[np.ones(len(bad)), np.zeros(len(good))], np.r_[bad, good])


def rows(sets: Sequence[Copies], score: Score) -> list[Row]:
    """A map on every copy that is tested on."""
    out = []
    for copies in sets:
        for k in np.flatnonzero(copies.test):
            v, value = copies.visibility[k], np.asarray(score(copies, int(k)), np.float32)
            bad, good = value[v < BAD], value[v >= USABLE]
            kind = str(copies.kind[k])
            out.append(Row(copies.camera, copies.person, kind, auroc(bad, good), bad, good))
    return out


def by_kind(rows: Sequence[Row]) -> dict[str, float]:
    """Mean AUROC of every kind; kinds without a copy that counts are left out."""
    values = {k: [r.auroc for r in rows if r.kind == k and r.auroc == r.auroc] for k in KINDS}
    return {k: float(np.mean(v)) for k, v in values.items() if v}


def by_person(rows: Sequence[Row]) -> dict[str, float]:
    """One number for every person, whose mean is the mean over kinds.

    That mean plus how much the person's copies differ from the means of their kinds: people with
    other kinds than the rest are not worse or better for it.
    """
    kinds = by_kind(rows)
    counted = [r for r in rows if r.kind in KINDS and r.auroc == r.auroc]
    count = {k: sum(r.kind == k for r in counted) for k in kinds}
    overall, people = float(np.mean(list(kinds.values()))), {r.person for r in counted}
    out = dict.fromkeys(sorted(people), overall)
    for row in counted:
        share = len(people) / (count[row.kind] * len(kinds))
        out[row.person] += share * (row.auroc - kinds[row.kind])
    return out


def table(rows_of: Mapping[str, Sequence[Row]], first: str, seed: int) -> list[dict[str, Any]]:
    """One row for every map.

    Args:
      rows_of: name -> rows of the same copies; first: the map that others are subtracted from.
      seed: of the bootstrap over people.

    Returns:
      Rows with `map`, `mean` (Interval: AUROC, mean over kinds), `gap` (Interval: the first map's
      mean minus this one's), `worst` and `worst_kind`, each camera's mean, `sensitivity` (share of
      bad cells above the level that `CALM` of the good cells of all photographs reach),
      `alarms` (share of cells of good photographs above it).
    """
    out = []
    reference = by_person(rows_of[first])
    for name, each in rows_of.items():
        mean_of, kinds = by_person(each), by_kind(each)
        people = sorted(mean_of)
        values = np.array([mean_of[p] for p in people])
        worst = min(kinds, key=lambda k: kinds[k])
        good = np.concatenate([r.good for r in each])
        calm = np.concatenate([r.good for r in each if not r.kind or r.kind in CONTROLS])
        cut = np.quantile(good, 1 - CALM)
        row: dict[str, Any] = {
            "map": name,
            "mean": intervals.mean_interval(values, people, seed=seed),
            "worst": kinds[worst],
            "worst_kind": worst,
            "sensitivity": float((np.concatenate([r.bad for r in each]) > cut).mean()),
            "alarms": float((calm > cut).mean()),
        }
        for camera in sorted({r.camera for r in each}):
            part = by_kind([r for r in each if r.camera == camera])
            row[camera] = float(np.mean(list(part.values())))
        if name != first:
            gap = np.array([reference[p] for p in people]) - values
            row["gap"] = intervals.mean_interval(gap, people, seed=seed)
        out.append(row)
    return out


def shown(value: Any) -> str:
    """A cell of a printed table."""
    return f"{value:.3f}" if isinstance(value, Interval | float) else str(value)
