"""What may be wrong with a table of photographs: leakage between splits, counts, labels that clash.

    python -m fiqa_jax.evaluate audit --dataset eyeq --manual_dir DIR

Works on the labels alone; copies of photographs are found where the photographs are there, too.
"""

import dataclasses
import re
from collections.abc import Mapping, Sequence

import numpy as np

from fiqa_jax.report.findings import Audit, Conflict, Copies, Overlap, Shared
from fiqa_jax.report.findings import text as text
from input_pipeline.readers import Counts, tally
from input_pipeline.sources import near_duplicates
from input_pipeline.tables.examples import SPLITS, Source, Table

COMPARED = 2000  # photographs that a recipe compares with one another at most
_SHOWN = 5  # examples of each finding
# Patient and eye in a photograph's name: 10009_left (EyePACS), 265_l1 (DeepDRiD), Image_01L
# (CHASE_DB1), p7_OD.
_EYES = (
    re.compile(r"(.+?)[_\- ](left|right|l|r|od|os)\d*", re.IGNORECASE),
    re.compile(r"(.*\d)(L|R)"),
)
_RIGHT = {"right", "r", "od"}


def audit(
    table: Table,
    split: np.ndarray | None = None,
    *,
    name: str = "",
    seen: Counts | None = None,
    published: Counts | None = None,
    pairs: Sequence[tuple[int, int, float]] | None = None,
    failed: int = 0,
    others: Mapping[str, Table] | None = None,
) -> Audit:
    """Looks a table through.

    Args:
      table: N photographs.
      split: [N] str, as used for training; the table's own where None.
      name: of the set, shown in the report.
      seen: counts as the label files have them; counted from the table where None.
      published: counts to compare them with; see `input_pipeline.readers`.
      pairs: copies as `near_duplicates.pairs` finds them; None where not compared.
      failed: photographs that could not be compared.
      others: name -> table of another set whose photographs have the same ids (EyeQ-D and EyeQ).
    """
    dealt = table if split is None else dataclasses.replace(table, split=split.astype(np.str_))
    eye = eyes(dealt)
    names = [s for s in SPLITS if (dealt.split == s).any()]
    units = {"patients": dealt.patient}
    if (eye != "").any():
        units["eyes"] = eye
    shared = [
        _shared(what, unit, dealt.split, label, other)
        for what, unit in units.items()
        for k, label in reversed(list(enumerate(names)))
        for other in names[:k]
    ]
    seen = tally(dealt) if seen is None else seen
    counts = tuple(
        (group, what, seen.get(group, {}).get(what, 0), count)
        for group, expected in (published or {}).items()
        for what, count in expected.items()
    )
    copies = None
    if pairs is not None:
        copies = _copies(dealt, pairs, failed)
    return Audit(
        name=name,
        splits=tally(dealt),
        patients_known=bool((dealt.patient != dealt.id).any()),
        eyes_known="eyes" in units,
        shared=tuple(shared),
        counts=counts,
        conflicts=tuple(_conflicts(dealt, eye)),
        copies=copies,
        overlaps=tuple(_overlap(dealt, key, other) for key, other in (others or {}).items()),
        notes=dealt.notes,
    )


def of_source(
    source: Source, split: np.ndarray | None = None, workers: int = 1, limit: int = COMPARED
) -> Audit:
    """Looks the data of a recipe through; see `audit`.

    Args:
      source: N photographs.
      split: [N] str, as used for training.
      workers: processes that read photographs.
      limit: photographs are compared with one another where there are no more than that. Sources
        that have no files (synthetic ones) are not compared.
    """
    pairs, failed = None, 0
    if (source.table.path != "").any() and len(source.table) <= limit:
        signatures = near_duplicates.signatures(source, workers)
        pairs, failed = near_duplicates.pairs(signatures), len(signatures.failed)
    return audit(source.table, split, name=source.name, pairs=pairs, failed=failed)


def eyes(table: Table) -> np.ndarray:
    """[N] str, patient and side of each photograph where its name tells them, else ''."""
    out = []
    for patient, name in zip(table.patient.tolist(), table.id.tolist(), strict=True):
        stem = name.rsplit("/", 1)[-1].rsplit(".", 1)[0]
        match = next((m for p in _EYES if (m := p.fullmatch(stem))), None)
        side = "right" if match and match[2].lower() in _RIGHT else "left"
        out.append(f"{patient} {side}" if match else "")
    return np.array(out, np.str_)


def _shared(what: str, unit: np.ndarray, split: np.ndarray, one: str, other: str) -> Shared:
    here, there = unit[split == one], unit[split == other]
    here, there = here[here != ""], there[there != ""]
    both = np.intersect1d(here, there)
    return Shared(
        what,
        one,
        other,
        len(both),
        len(np.unique(here)),
        int(np.isin(here, both).sum()),
        tuple(both[:_SHOWN].tolist()),
    )


def _conflicts(table: Table, eye: np.ndarray) -> list[Conflict]:
    """Labels that contradict one another, for whatever labels there are."""
    out = []
    for label in ("quality", "ungradable", "diagnosis"):
        if label in table.labels and not (label == "ungradable" and "quality" in table.labels):
            labels_of = _by_eye(eye, table.labels[label])
            if labels_of[1]:
                called = {"quality": "grades", "ungradable": "grades", "diagnosis": "diagnoses"}
                out.append(
                    Conflict(f"eyes whose photographs have different {called[label]}", *labels_of)
                )
    grade = table.labels.get("quality", table.labels.get("ungradable"))
    if grade is not None and "details" in table.labels:
        defect = (table.labels["details"] > 0).any(axis=1)
        known = (table.labels["details"] >= 0).all(axis=1) & (grade >= 0)
        worst = int(grade.max(initial=0))
        for what, total, odd in (
            ("best grade, though a detail is a defect", known & (grade == 0), defect),
            ("worst grade, though no detail is a defect", known & (grade == worst), ~defect),
        ):
            rows = np.flatnonzero(total & odd)
            examples = tuple(table.id[rows[:_SHOWN]].tolist())
            out.append(Conflict(what, len(rows), int(total.sum()), examples))
    return out


def _by_eye(eye: np.ndarray, label: np.ndarray) -> tuple[int, int, tuple[str, ...]]:
    """Eyes with differing labels, eyes with several labelled photographs, and examples."""
    rows = np.flatnonzero((eye != "") & (label >= 0))
    names, place = np.unique(eye[rows], return_inverse=True)
    low = np.full(len(names), np.iinfo(np.int64).max)
    high = np.full(len(names), -1)
    np.minimum.at(low, place, label[rows])
    np.maximum.at(high, place, label[rows])
    several = np.bincount(place, minlength=len(names)) > 1
    differ = np.flatnonzero(several & (low != high))
    return len(differ), int(several.sum()), tuple(names[differ[:_SHOWN]].tolist())


def _copies(table: Table, pairs: Sequence[tuple[int, int, float]], failed: int) -> Copies:
    across: dict[tuple[str, str], int] = {}
    patients = labels = 0
    order = []
    for i, j, close in pairs:
        one, other = sorted((str(table.split[i]), str(table.split[j])))
        apart = one != other
        if apart:
            across[one, other] = across.get((one, other), 0) + 1
        patients += bool(table.patient[i] != table.patient[j])
        labels += any(
            bool(((x[i] >= 0) & (x[j] >= 0) & (x[i] != x[j])).any())
            for name, x in table.labels.items()
            if name in ("quality", "ungradable", "details", "diagnosis")
        )
        order.append((not apart, -close, str(table.id[i]), str(table.id[j])))
    examples = tuple((one, other, -close) for _, close, one, other in sorted(order)[:_SHOWN])
    return Copies(len(pairs), across, patients, labels, examples, failed)


def _overlap(table: Table, name: str, other: Table) -> Overlap:
    same = np.isin(table.id, other.id)
    patients = np.intersect1d(table.patient, other.patient)
    kin = np.isin(table.patient, patients)
    splits = [s for s in (*SPLITS, "") if (table.split == s).any()]
    return Overlap(
        name,
        {s or "all": int((same & (table.split == s)).sum()) for s in splits},
        {s or "all": len(np.unique(table.patient[kin & (table.split == s)])) for s in splits},
        len(other),
    )
