"""A user's CSV as a source: paths, and whatever labels, patients and splits it brings."""

import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from input_pipeline.sources import splits
from input_pipeline.sources.photo_files import PhotoReader
from input_pipeline.tables import codes as words
from input_pipeline.tables import columns as sheets
from input_pipeline.tables import eyes
from input_pipeline.tables.columns import COLUMNS, SPLIT_WORDS
from input_pipeline.tables.examples import GRADABLE, QUALITY, Source, Table, strings
from input_pipeline.tables.file_paths import check_files, expanded, local_path
from input_pipeline.tables.table_error import Setting, TableError


def make(data: Mapping[str, Any], store: str, require_labels: bool) -> Source:
    """See `sources.SOURCES` and `csv_source`."""
    return csv_source(
        data["path"],
        root=data["root"],
        reader=PhotoReader.from_config(data),
        classes=data["classes"],
        details=tuple(data["details"]),
        diagnosis=tuple(data["diagnosis"]),
        merge=tuple(data["merge"]),
        columns=words.as_pairs(data["columns"], "data.columns"),
        quality_codes=words.as_pairs(data["quality_codes"], "data.quality_codes"),
        detail_code=data["detail_code"],
        patient=data["patient"],
        require_labels=require_labels,
        require_files=data["on_bad"] == "error",
    )


def csv_source(
    path: str | os.PathLike,
    *,
    reader: PhotoReader,
    root: str | os.PathLike = "",
    classes: int = 3,
    details: Sequence[str] = (),
    diagnosis: Sequence[str] = (),
    merge: Sequence[int] = (),
    columns: Mapping[str, str] | None = None,
    quality_codes: Mapping[str, str] | None = None,
    detail_code: str = "",
    patient: str = "",
    require_labels: bool = False,
    require_files: bool = True,
) -> Source:
    """Reads a table of photographs.

    Args:
      path: CSV file, UTF-8, separated by commas, semicolons or tabs, with a header.
      reader: how the photographs are opened.
      root: folder that relative paths start from; the table's own folder when empty.
      classes: 3 for good / usable / reject, 2 for gradable / ungradable, 0 for no overall grade.
      details: defects with a column of that name each; those without one are absent.
      diagnosis: names of the diagnosis classes; () for none.
      merge: see `codes.diagnosis`.
      columns: purpose (a key of `columns.COLUMNS`, or a detail) -> name of the column, where the
        file calls it otherwise.
      quality_codes: see `labels.quality`.
      detail_code: see `labels.detail`.
      patient: regex that finds the patient in an id, where there is no such column: what its groups
        hold, joined; an id that it does not match is a patient of its own.
      require_labels: an unlabelled table is an error.
      require_files: a path where there is no file is an error.

    Raises:
      TableError: anything that does not fit; one error with file, line and column.
    """
    sheet = sheets.read_sheet(path)
    overall = ("quality", "ungradable", "gradable") if classes else ()
    wanted = [*overall, *(("diagnosis",) if diagnosis else ())]
    purposes = {name: COLUMNS[name] for name in ("path", "id", "patient", "split", *wanted)}
    purposes |= {name: (sheets.header(name),) for name in details}
    said = columns or {}
    unknown = [purpose for purpose in said if purpose not in COLUMNS and purpose not in details]
    if unknown and details:  # a stage without details may share its settings with one that has them
        raise TableError(f"data.columns names {unknown}; expected any of {[*COLUMNS, *details]}")
    said = {purpose: name for purpose, name in said.items() if purpose in purposes}
    names = sheets.find_columns(sheet, purposes, said)
    cells = {purpose: sheet.columns[name] for purpose, name in names.items()}
    if diagnosis and "diagnosis" not in names and "diagnosis" not in said:
        raise TableError(
            f"{sheet.file}: data.diagnosis names {tuple(diagnosis)}, but there is no column "
            f"'diagnosis'; the columns are {[*sheet.columns]}. Say which it is by "
            f"{Setting('data.columns')}=\"(('diagnosis','...'),)\""
        )
    try:
        labels, keep, notes = _labels(
            cells,
            names,
            sheet.lines,
            classes,
            details,
            (tuple(diagnosis), tuple(merge)),
            quality_codes or {},
            detail_code,
        )
        if require_labels and not any((values >= 0).any() for values in labels.values()):
            raise TableError(
                f"no labels; expected one or more of the columns {[*wanted, *details]} with "
                f"entries, the columns are {[*sheet.columns]}. Say which is which by "
                f"{Setting('data.columns', '{name}')}"
            )
        if not keep.any():
            raise TableError("data.quality_codes drops every row; nothing is left")
        kept = np.flatnonzero(keep)
        lines = [sheet.lines[i] for i in kept]
        cells = {purpose: [values[i] for i in kept] for purpose, values in cells.items()}
        labels = {name: values[kept] for name, values in labels.items()}
        table = _table(cells, lines, labels, details, diagnosis, notes, patient)
        base = expanded(root) if root else sheet.file.parent
        items = strings([os.path.abspath(base / expanded(p)) for p in table.path])
        if require_files:
            check_files(items.tolist(), lines, base)
    except TableError as error:
        raise error.within(f"{sheet.file}: ") from None
    return Source(sheet.file.name, table, items, reader)


def _labels(
    cells: Mapping[str, Sequence[str]],
    names: Mapping[str, str],
    lines: Sequence[int],
    classes: int,
    details: Sequence[str],
    diagnosis: tuple[tuple[str, ...], tuple[int, ...]],
    quality_codes: Mapping[str, str],
    detail_code: str,
) -> tuple[dict[str, np.ndarray], np.ndarray, tuple[str, ...]]:
    """Label columns of the table, which rows to keep [N] bool, and what was seen."""
    labels: dict[str, np.ndarray] = {}
    notes: list[str] = []
    keep = np.ones(len(lines), bool)
    grade = ungradable = np.full(len(lines), -1, np.int32)
    if "quality" in cells:
        grade, ungradable, keep, note = words.quality(
            cells["quality"], lines, names["quality"], quality_codes
        )
        notes.append(note)
    for purpose in ("ungradable", "gradable"):
        if purpose in cells:
            codes, note = words.binary(
                cells[purpose], lines, names[purpose], invert=purpose == "gradable"
            )
            ungradable = words.with_binary(
                ungradable, codes, keep, lines, (purpose, names[purpose])
            )
            notes.append(note)
    if classes == len(QUALITY) and (grade >= 0).any():
        labels["quality"] = grade
    if {"quality", "ungradable", "gradable"} & cells.keys():
        labels["ungradable"] = ungradable
        if classes == len(QUALITY) and "quality" not in labels:
            notes.append("no three-class grades: gradable / ungradable only")
    if there := [name for name in details if name in cells]:
        labels["details"] = np.full((len(lines), len(details)), -1, np.int8)
        for k, name in enumerate(details):
            if name in cells:
                column, note = words.detail(cells[name], lines, names[name], detail_code)
                labels["details"][:, k] = column
                notes.append(note)
        if len(there) < len(details):
            notes.append(f"no column for {sorted({*details} - {*there})}: absent throughout")
    if "diagnosis" in cells:
        labels["diagnosis"], note = words.diagnosis(
            cells["diagnosis"], lines, names["diagnosis"], *diagnosis
        )
        notes.append(note)
    return labels, keep, tuple(notes)


def _table(
    cells: Mapping[str, Sequence[str]],
    lines: Sequence[int],
    labels: dict[str, np.ndarray],
    details: Sequence[str],
    diagnosis: Sequence[str],
    notes: tuple[str, ...],
    patient: str,
) -> Table:
    paths = [local_path(cell, line) for cell, line in zip(cells["path"], lines, strict=True)]
    ids = list(cells.get("id", paths))
    first: dict[str, int] = {}
    for name, line in zip(ids, lines, strict=True):
        if not name:
            raise TableError(f"line {line}: the id is empty; give every photograph one, or none")
        if name in first:
            what = "id" if "id" in cells else "path"
            raise TableError(
                f"line {line}: {what} {name!r} stands in line {first[name]} already; each "
                "photograph stands once"
            )
        first[name] = line
    given = cells.get("patient") or [_patient(patient, name) for name in ids]
    patients = [p or i for p, i in zip(given, ids, strict=True)]
    if "patient" not in cells and not patient and not any(cells.get("split", ())):
        patients, note = eyes.patients(ids)
        notes = (*notes, note) if note else notes
    split = []
    for cell, line in zip(cells.get("split", [""] * len(ids)), lines, strict=True):
        if cell and cell.lower() not in SPLIT_WORDS:
            raise TableError(
                f"line {line}, column 'split': {cell!r}; expected train, val, test or empty"
            )
        split.append(SPLIT_WORDS[cell.lower()] if cell else "")
    splits.check(strings(patients), strings(split), lines)
    return Table(
        id=strings(ids),
        patient=strings(patients),
        split=strings(split),
        labels=labels,
        quality_names=QUALITY
        if "quality" in labels
        else GRADABLE
        if "ungradable" in labels
        else (),
        detail_names=tuple(details) if "details" in labels else (),
        diagnosis_names=tuple(diagnosis) if "diagnosis" in labels else (),
        path=strings(paths),
        notes=notes,
    )


def _patient(pattern: str, name: str) -> str:
    match = re.search(pattern, name) if pattern else None
    return "".join(filter(None, match.groups())) if match else ""
