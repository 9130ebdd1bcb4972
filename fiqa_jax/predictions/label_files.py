"""Predictions and labels from anybody's CSV files.

Column names and codes differ from set to set, and some sets code quality the other way round. A
`Format` says how one set does it; the command line can override every part.
"""

import dataclasses
import os
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from fiqa_jax.evaluation import calibration
from fiqa_jax.predictions import schema
from fiqa_jax.predictions.schema import DIAGNOSIS, GRADES, Predictions
from input_pipeline.readers import eyeq
from input_pipeline.tables import codes as words
from input_pipeline.tables.columns import COLUMNS, Sheet, header, number, read_sheet
from input_pipeline.tables.examples import QUALITY
from input_pipeline.tables.table_error import TableError, given

# A setting that the table reader asks for -> how to say it on this command line.
_HINTS = {
    "data.quality_codes": "--codes 0=good,1=usable,2=reject, or --format of a known set",
    "data.detail_code": "--detail-code good, or --detail-code defect",
    "data.columns": "a copy of the file without one of both columns",
    "data.diagnosis": "--diagnosis NAME,NAME,...",
}


class LabelError(ValueError):
    """Files that cannot be joined; says which file and row, what was expected and what to do."""


@dataclasses.dataclass(frozen=True)
class Format:
    """How a data set names its columns and codes its labels."""

    says: str = "columns named as in this project"
    columns: Mapping[str, str] = dataclasses.field(
        default_factory=dict
    )  # predictions: ours: theirs
    labels: Mapping[str, str] = dataclasses.field(default_factory=dict)  # label file: ours: theirs
    codes: Mapping[str, str] = dataclasses.field(default_factory=dict)  # raw quality: word
    detail_code: str = ""  # what 1 means for a detail: good | defect
    patient: str = ""  # regular expression over the id; its first group is the patient
    counts: Mapping[str, tuple[int, ...]] = dataclasses.field(default_factory=dict)  # published


_KAGGLE = r"^(\d+)_(?:left|right)"
FORMATS: dict[str, Format] = {
    "eyeq": Format(
        "EyeQ labels (0 good, 1 usable, 2 reject) and MCF-Net's predictions (Fu et al. 2019)",
        {"id": "image_name", "p_good": "Good", "p_usable": "Usable", "p_reject": "Reject"},
        {"id": "image", "quality": "quality"},
        {"0": "good", "1": "usable", "2": "reject"},
        patient=_KAGGLE,
        counts={
            name: tuple(counts[grade] for grade in QUALITY)
            for name, counts in (("train", eyeq.TRAIN), ("test", eyeq.TEST))
        },
    ),
    "eyeq_d": Format(
        "EyeQ-D labels (0 reject, 1 usable, 2 good; details 1 = good; Telesco et al. 2025)",
        labels={"id": "file_name", "quality": "overall_quality"},
        codes={"0": "reject", "1": "usable", "2": "good"},
        detail_code="good",
        patient=_KAGGLE,
        counts={"all": (78, 49, 33)},
    ),
}


@dataclasses.dataclass(frozen=True)
class Labels:
    """A label file as arrays of N rows, higher = worse, absent = -1."""

    id: list[str]
    patient: list[str]  # '' where the file does not say
    truth: dict[str, NDArray[np.int64]]
    details: tuple[str, ...]
    notes: tuple[str, ...]
    file: str = ""  # where they stand, for messages
    lines: tuple[int, ...] = ()  # of the file, [N]


def read_predictions(path: str | os.PathLike[str], how: Format) -> tuple[Predictions, list[str]]:
    """Predictions in this project's schema or in any CSV with an id and probability columns.

    Grades whose rows do not sum to 1 (sigmoid outputs) are divided by their sum.

    Args:
      path: .csv or .jsonl.
      how: `columns` maps id, patient, score, p_good, p_usable, p_reject, p_ungradable,
        p_<detail>, p_diagnosis_<name> to the file's columns; those that already have our name
        need no entry.

    Returns:
      (predictions, sentences on what was done).

    Raises:
      LabelError: columns that are not there, cells that are no probabilities.
      predictions.PredictionsError: a file of our schema that is damaged.
    """
    if str(path).endswith(".jsonl"):
        return schema.load(path), []
    sheet = _sheet(path)
    if {"schema", "status"} <= sheet.columns.keys():
        return schema.load(path), []
    given = {ours: theirs for ours, theirs in how.columns.items() if theirs}
    known = {name: name for name in sheet.columns if name in ("id", "patient", "score", *GRADES)}
    known |= {name: name for name in sheet.columns if name.startswith("p_")}
    names = known | {ours: _column(sheet, theirs, ours) for ours, theirs in given.items()}
    notes = _take_id(sheet, names)
    if len(names) == 1:
        raise LabelError(
            f"{path}: no probabilities; name them with --prob-columns GOOD,USABLE,REJECT or "
            f"--columns p_ungradable=NAME,...; there are {[*sheet.columns]}"
        )
    values = {
        ours: _numbers(sheet, theirs)
        for ours, theirs in names.items()
        if ours not in ("id", "patient")
    }
    grades = [name for name in GRADES[:3] if name in values]
    diagnosis = tuple(n.removeprefix(DIAGNOSIS) for n in values if n.startswith(DIAGNOSIS))
    taken = {*GRADES, "score", *(DIAGNOSIS + name for name in diagnosis)}
    details = tuple(name[2:] for name in values if name not in taken)
    outputs: dict[str, NDArray[np.float64]] = {}
    if 0 < len(grades) < 3:
        raise LabelError(f"{path}: only {grades} of p_good, p_usable, p_reject; name all or none")
    for key, parts in (("p_quality", grades), ("p_diagnosis", [DIAGNOSIS + n for n in diagnosis])):
        if parts:
            raw = np.stack([values[part] for part in parts], -1)
            _check_probabilities(sheet, raw, parts)
            try:
                outputs[key] = calibration.normalise(raw)
            except ValueError as error:
                raise LabelError(f"{path}: {error}; give probabilities, not logits") from None
            total = raw.sum(-1)
            if np.abs(total - 1).max() > 1e-3:
                span = f"{total.min():.3f} ... {total.max():.3f}"
                notes.append(f"rows of {key} sum to {span}: each divided by its sum")
    for name in ("p_ungradable", "score"):
        if name in values:
            outputs[name] = values[name]
    alone = [f"p_{name}" for name in details] + ["p_ungradable"] * ("p_ungradable" in values)
    for name in alone:
        _check_probabilities(sheet, values[name][:, None], [name])
    if details:
        outputs["p_details"] = np.stack([values[f"p_{name}"] for name in details], -1)
    ids = sheet.columns[names["id"]]
    who = sheet.columns[names["patient"]] if "patient" in names else [""] * len(ids)
    return (
        Predictions((), np.array(ids), np.array(who), outputs, {}, details, diagnosis, {}),
        notes,
    )


def read_labels(
    path: str | os.PathLike[str],
    how: Format,
    details: Sequence[str] = (),
    diagnosis: Sequence[str] = (),
) -> Labels:
    """A label file.

    Args:
      path: CSV.
      how: `labels` maps id, patient, quality, ungradable, gradable, diagnosis and details to the
        file's columns; those that already have our name need no entry.
      details: names of defects that may have a column; `diagnosis`: names of the classes.

    Raises:
      LabelError: columns that are not there, no label at all, a code without a meaning.
    """
    sheet = _sheet(path)
    wanted = ["id", "patient", "quality", "ungradable", "gradable", *details]
    wanted += ["diagnosis"] if diagnosis else []
    names = {ours: header(ours) for ours in wanted if header(ours) in sheet.columns}
    names |= {ours: _column(sheet, theirs, ours) for ours, theirs in how.labels.items() if theirs}
    notes = _take_id(sheet, names)
    cells = {ours: sheet.columns[theirs] for ours, theirs in names.items()}
    truth: dict[str, NDArray[np.int64]] = {}
    keep = np.ones(len(sheet.lines), bool)
    try:
        if "quality" in cells:
            grade, bad, keep, note = words.quality(
                cells["quality"], sheet.lines, names["quality"], how.codes
            )
            truth |= {"quality": grade.astype(np.int64), "ungradable": bad.astype(np.int64)}
            notes.append(note)
        for ours in ("ungradable", "gradable"):
            if ours in cells:
                codes, note = words.binary(
                    cells[ours], sheet.lines, names[ours], invert=ours == "gradable"
                )
                truth["ungradable"] = words.with_binary(
                    truth.get("ungradable"), codes, keep, sheet.lines, (ours, names[ours])
                ).astype(np.int64)
                notes.append(note)
        columns = []
        for name in details:
            column = np.full(len(sheet.lines), -1, np.int8)
            if name in cells:
                column, note = words.detail(cells[name], sheet.lines, names[name], how.detail_code)
                notes.append(note)
            columns.append(column.astype(np.int64))
        if any(name in cells for name in details):
            truth["details"] = np.stack(columns, -1)
        if "diagnosis" in cells and diagnosis:
            place, note = words.diagnosis(
                cells["diagnosis"], sheet.lines, names["diagnosis"], diagnosis
            )
            truth["diagnosis"] = place.astype(np.int64)
            notes.append(note)
    except TableError as error:
        hints = [_HINTS[name] for name in sorted(error.settings & _HINTS.keys())]
        here = f". On this command line: {'; '.join(hints)}" if hints else ""
        raise LabelError(f"{path}: {error}{here}") from None
    if not any((values >= 0).any() for values in truth.values()):
        raise LabelError(
            f"{path}: no labels; name the column with --truth-column or --label-columns; there are "
            f"{[*sheet.columns]}"
        )
    kept = np.flatnonzero(keep).tolist()
    ids = [cells["id"][i] for i in kept]
    who = [cells["patient"][i] for i in kept] if "patient" in cells else [""] * len(ids)
    truth = {key: values[keep] for key, values in truth.items() if (values[keep] >= 0).any()}
    notes += _published(truth, how)
    lines = tuple(sheet.lines[i] for i in kept)
    return Labels(ids, who, truth, tuple(details), tuple(notes), str(path), lines)


def _published(truth: Mapping[str, NDArray[np.int64]], how: Format) -> list[str]:
    if not how.counts or "quality" not in truth:
        return []
    seen = tuple(np.bincount(truth["quality"][truth["quality"] >= 0], minlength=3).tolist())
    text = ", ".join(f"{name} {count:,}" for name, count in zip(QUALITY, seen, strict=True))
    for split, counts in how.counts.items():
        if counts == seen:
            return [f"class counts are the published ones of '{split}': {text}"]
    return [f"class counts are not published ones ({text}): part of a split, or other labels"]


def _take_id(sheet: Sheet, names: dict[str, str]) -> list[str]:
    """Adds the column of ids to `names` where the file calls it otherwise; says which it took."""
    if "id" in names:
        return []
    candidates = [name for name in COLUMNS["path"] if name in sheet.columns]
    if not candidates:
        raise LabelError(
            f"{sheet.file}: no column 'id' (or {', '.join(COLUMNS['path'])}); name it with --id; "
            f"there are {[*sheet.columns]}"
        )
    names["id"] = candidates[0]
    return [f"ids of {sheet.file.name} from the column {candidates[0]!r}"]


def _check_probabilities(sheet: Sheet, raw: NDArray[np.float64], names: Sequence[str]) -> None:
    """Raises LabelError for values `[N, C]` that are logits; shares or percentages may pass."""
    percent = raw.shape[-1] > 1 and np.abs(raw.sum(-1) - 100).max(initial=0) < 2
    if percent or not (raw > 1 + 1e-6).any():
        return
    row = int(np.argmax(raw.max(-1)))
    raise LabelError(
        f"{sheet.file}, line {sheet.lines[row]}: values up to {raw.max():.4g} in "
        f"{', '.join(names)} are no probabilities; give probabilities, not logits"
    )


def _sheet(path: str | os.PathLike[str]) -> Sheet:
    try:
        return read_sheet(path)
    except TableError as error:
        raise LabelError(error.worded(given)) from None


def _column(sheet: Sheet, theirs: str, ours: str) -> str:
    if header(theirs) not in sheet.columns:
        raise LabelError(
            f"{sheet.file}: no column {theirs!r} (for {ours!r}); there are {[*sheet.columns]}"
        )
    return header(theirs)


def _numbers(sheet: Sheet, column: str) -> NDArray[np.float64]:
    out = np.empty(len(sheet.lines))
    for i, cell in enumerate(sheet.columns[column]):
        try:
            out[i] = number(cell)
        except ValueError:
            raise LabelError(
                f"{sheet.file}, line {sheet.lines[i]}, column {column!r}: {cell!r} is no number"
            ) from None
    return out
