"""From photographs to examinations: what is there of each eye, what is best, what is missing."""

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from fiqa_jax.predictions.schema import Row
from input_pipeline.tables import eyes

COLUMNS = (
    *("patient", "eye", "view", "photographs", "good", "best", "best_score", "result", "says"),
)
COMPLETE, REVIEW, RETAKE, MISSING = "complete", "review", "retake", "missing"
_RANK = {"accept": 0, "review": 1, "recapture": 2}
OWN = {"good": "accept", "retake": "recapture", "unsure": "review"}


@dataclasses.dataclass(frozen=True)
class Shown:
    """What a photograph is said to show; '' where nothing is known."""

    patient: str = ""
    eye: str = ""  # left | right
    view: str = ""  # macula | disc, or a word of the clinic's own


@dataclasses.dataclass(frozen=True)
class Part:
    """One eye of one patient, in one view where views are asked for.

    Attributes:
      patient, eye, view: '' where not known or not asked for.
      photographs: ids, the best one first.
      good: how many of them are good enough.
      best_score: of the first one; NaN where none was judged.
      result: complete | review | retake | missing.
      says: the result for a person.
    """

    patient: str
    eye: str
    view: str
    photographs: tuple[str, ...]
    good: int
    best_score: float
    result: str
    says: str

    def cells(self) -> list[Any]:
        """Values of COLUMNS."""
        best = self.photographs[0] if self.photographs else ""
        score = "" if math.isnan(self.best_score) else round(self.best_score, 6)
        return [
            *(self.patient, self.eye, self.view, len(self.photographs), self.good),
            *(best, score, self.result, self.says),
        ]


def shown_by(row: Row, known: Mapping[str, Shown]) -> Shown:
    """What a row's photograph shows: what a table says of its id, else what its name tells.

    Args:
      row: of a prediction file.
      known: id -> what is known; parts that are '' are taken from the name.
    """
    name = Path(str(row["path"]).replace("\\", "/")).stem or str(row["id"])
    said = known.get(str(row["id"]), Shown())
    known_patient = str(row["patient"] or "")
    patient = said.patient or (
        known_patient if known_patient != str(row["id"]) else eyes.patient(name)
    )
    return Shown(patient or str(row["id"]), said.eye or eyes.eye(name), said.view)


def exams(
    rows: Iterable[Row],
    *,
    known: Mapping[str, Shown] | None = None,
    views: Sequence[str] = (),
    decided: Mapping[str, str] | None = None,
) -> list[Part]:
    """Every eye of every patient, in the order in which patients first come.

    Of a patient with a known eye both eyes are listed, since one may be missing altogether.

    Args:
      rows: of a prediction file.
      known: id -> what is known of the photograph, see `shown_by`.
      views: that every eye should have, for example macula and disc; none: any photograph will do.
      decided: id -> a person's decision (good | retake | unsure), which counts above the model's.

    Returns:
      Parts: right before left, views in their order; photographs that were not judged (another
      kind of picture, not readable) are not counted.
    """
    people: dict[str, list[tuple[Row, Shown]]] = {}
    for row in rows:
        shown = shown_by(row, known or {})
        if row["status"] != "ok" and shown.patient == str(row["id"]):
            continue  # a picture of nobody known, and none of an eye
        people.setdefault(shown.patient, []).append((row, shown))
    out = []
    for patient, theirs in people.items():
        judged = [(row, shown) for row, shown in theirs if row["status"] == "ok"]
        sided = any(shown.eye for _, shown in theirs)
        unsided = any(not shown.eye for _, shown in judged) or not sided
        sides = [*((eyes.RIGHT, eyes.LEFT) if sided else ()), *([""] if unsided else [])]
        for eye in sides:
            for view in views or ("",):
                those = [
                    row for row, shown in judged if shown.eye == eye and view in ("", shown.view)
                ]
                out.append(_part(patient, eye, view, those, decided or {}))
    return out


def _part(
    patient: str, eye: str, view: str, rows: Sequence[Row], decided: Mapping[str, str]
) -> Part:
    def decision(row: Row) -> str:
        return OWN.get(decided.get(str(row["id"]), ""), str(row["decision"]))

    def order(row: Row) -> tuple[int, float]:
        score = _number(row["score"])
        return _RANK.get(decision(row), 1), math.inf if math.isnan(score) else score

    ranked = sorted(rows, key=order)
    good = sum(decision(row) == "accept" for row in ranked)
    what = " ".join([eye or "this", "eye"]) + (f", {view}-centred" if view else "")
    if not ranked:
        result, says = MISSING, f"{what}: no photograph, take one"
    elif good:
        result, says = COMPLETE, ""
    elif decision(ranked[0]) == "review":
        result, says = REVIEW, f"{what}: look at {ranked[0]['id']}"
    else:
        result, says = RETAKE, f"{what}: retake"
    score = _number(ranked[0]["score"]) if ranked else math.nan
    ids = tuple(str(row["id"]) for row in ranked)
    return Part(patient, eye, view, ids, good, score, result, says)


def _number(cell: Any) -> float:
    return float(cell) if cell not in (None, "") else math.nan
