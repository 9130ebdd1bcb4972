"""Good photographs, degraded: a labelled set out of any folder or table.

Every photograph gives some copies. Their labels follow from what was done to them, by the
definitions of `synthetic.truth`; the diagnosis is the photograph's own. With masks of its vessels
a copy has a map of what can still be seen; without, quality follows from the severities and the map
is not known.
"""

import dataclasses
import posixpath
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from input_pipeline import synthetic
from input_pipeline.photo.file_type import SUFFIXES
from input_pipeline.sources import csv_source, folder_source
from input_pipeline.sources.generated import prerendered
from input_pipeline.sources.generated.degraded_reader import SLICE, Copy, DegradedReader
from input_pipeline.sources.opening import subset
from input_pipeline.sources.photo_files import PhotoReader
from input_pipeline.tables import codes as words
from input_pipeline.tables import mask_files
from input_pipeline.tables.examples import GRADABLE, QUALITY, Source, Table, main_label, strings
from input_pipeline.tables.table_error import TableError

BASES = {"csv": csv_source.make, "folder": folder_source.make}


def make(data: Mapping[str, Any], store: str, require_labels: bool) -> Source:
    """See `sources.SOURCES` and `degraded_source`; copies bring their labels, required or not.

    `data.base` says what kind of source the photographs are in, by the settings of that one; a
    table's column `vessels`, or the folder `data.vessels`, holds their masks.

    Raises:
      TableError: settings that do not exist, or a base without photographs of good quality.
    """
    if data["base"] not in BASES:
        raise TableError(f"data.base is {data['base']!r}, expected one of {sorted(BASES)}")
    columns = words.as_pairs(data["columns"], "data.columns")
    kept_columns = {purpose: name for purpose, name in columns.items() if purpose != "vessels"}
    base = BASES[data["base"]](
        {**data, "classes": len(QUALITY), "details": (), "columns": kept_columns}, "", False
    )
    if data["vessels"]:
        masks = mask_files.in_folder(base.table.path.tolist(), data["vessels"])
    elif data["base"] == "csv":
        masks = mask_files.in_column(
            base.table.path.tolist(),
            data["path"],
            root=data["root"],
            columns={p: columns[p] for p in ("path", "vessels") if p in columns},
            require_files=data["on_bad"] == "error",
        )
    else:
        masks = [""] * len(base.table)
    if data["modality"] != "fundus" and any(masks):
        raise TableError(
            f"data.modality is {data['modality']!r}, and there are masks of vessels; only 'fundus' "
            "photographs have such: leave data.vessels and the column vessels out"
        )
    return degraded_source(
        base,
        masks,
        copies=data["copies"],
        seed=data["seed"],
        lq_ratio=data["lq_ratio"],
        severity_mix=tuple(data["severity_mix"]),
        kinds=tuple(data["kinds"]),
        classes=data["classes"],
        details=tuple(data["details"]),
        workers=data["workers"],
        store=store if data["cache"] in ("disk", "auto") else "",
        skip=data["on_bad"] == "skip",
    )


def degraded_source(
    base: Source,
    vessels: Sequence[str],
    *,
    copies: int,
    seed: int,
    lq_ratio: float,
    severity_mix: tuple[float, float],
    classes: int,
    details: Sequence[str],
    workers: int,
    kinds: Sequence[str] = (),
    store: str = "",
    skip: bool = False,
    cells: int = 16,
) -> Source:
    """Degrades photographs, or opens what was degraded before.

    Photographs whose own label is not good or gradable are left out; those without one are taken as
    good. What is done to a copy depends on the seed, the photograph's id and the copy's number, not
    on which other photographs there are.

    Args:
      base: N photographs in files, with patients and splits where they are known.
      vessels: N files of masks, '' where there is none.
      copies: how many of each photograph.
      seed: which degradations.
      lq_ratio: share of copies of low quality (usable or reject).
      severity_mix: shares of usable and reject among those.
      classes: 3 for good / usable / reject, 2 for gradable / ungradable, 0 for no overall grade.
      details: defects with a label, from `synthetic.DETAILS`.
      workers: processes that degrade.
      kinds: degradations to choose from, see `synthetic.named`.
      store: folder that keeps the copies; '' keeps them in this process only.
      skip: copies of photographs that cannot be read stay in the table without labels, and reading
        them raises what reading the photograph does.
      cells: edge of a cell of the map in pixels.

    Returns:
      Source of copies: all those of a photograph, one after the other, called `name~number`. They
      have the photograph's patient, split and diagnosis, and are to be split as the photographs
      would be (`Table.stratum`): no patient is in two splits, and no split depends on a
      degradation.

    Raises:
      TableError: settings that do not exist, or no photograph of good quality.
      PhotoError: a photograph or mask cannot be read, unless skipped.
    """
    prerendered.check_details(details)
    photo = base.reader
    assert isinstance(photo, PhotoReader)
    if copies < 1:
        raise TableError(f"data.copies is {copies}, expected at least 1")
    try:
        chosen = synthetic.named(kinds)
        if photo.modality == "slice":
            chosen = tuple(name for name in chosen if name in SLICE)
        synthetic.plan(np.random.default_rng(0), lq_ratio, severity_mix, chosen)
    except ValueError as error:
        raise TableError(f"data.lq_ratio, data.severity_mix or data.kinds: {error}") from None
    rows = _good(base.table)
    notes = base.table.notes
    if left := len(base.table) - len(rows):
        notes += (f"left out, as their own label is not good: {left} photographs",)
    base, vessels = subset(base, rows), [vessels[row] for row in rows]
    masked = sum(map(bool, vessels))
    table = _copied(base.table, copies)
    files = zip(base.table.id.tolist(), base.items.tolist(), vessels, strict=True)
    items = np.empty(len(table), object)
    items[:] = [Copy(name, k, path, mask) for name, path, mask in files for k in range(copies)]
    reader = DegradedReader(photo, seed, lq_ratio, severity_mix, chosen, masked > 0, cells)
    source = Source(f"{base.name}, degraded", table, items, reader)
    known, fetch = prerendered.make_all(source, store, workers, skip)
    labels = prerendered.label_columns(known, classes, details)
    if "diagnosis" in table.labels:
        labels["diagnosis"] = table.labels["diagnosis"]
    notes += (
        f"degraded: {copies} copies of each of {len(base.table)} photographs, {masked} of them "
        f"with a mask of the vessels; seed {seed}, {lq_ratio:.0%} of low quality",
    )
    table = dataclasses.replace(
        table,
        labels=labels,
        quality_names={len(QUALITY): QUALITY, len(GRADABLE): GRADABLE}.get(classes, ()),
        detail_names=tuple(details),
        notes=notes,
    )
    return dataclasses.replace(source, table=table, fetch=fetch)


def _good(table: Table) -> np.ndarray:
    """Rows `[n] int` of photographs that are not known to be of lower quality."""
    bad = np.zeros(len(table), bool)
    for name in ("quality", "ungradable"):
        if name in table.labels:
            bad |= table.labels[name] > 0
    if bad.all():
        raise TableError(
            f"none of {len(table)} photographs is of good quality, and only such are degraded; "
            "point data.path to others"
        )
    return np.flatnonzero(~bad)


def _copied(base: Table, copies: int) -> Table:
    """A table of copies without labels but the diagnosis, in the order of the photographs."""
    original = np.repeat(np.arange(len(base)), copies)
    label = main_label(base)
    stratum = np.zeros(len(base), np.int32) if label is None else label
    ids = []
    for name in base.id.tolist():
        stem, ending = posixpath.splitext(name)
        if ending.lower() not in SUFFIXES:  # an id that is no file name
            stem, ending = name, ""
        ids += [f"{stem}~{number}{ending}" for number in range(copies)]
    kept = {name: x[original] for name, x in base.labels.items() if name == "diagnosis"}
    return dataclasses.replace(
        base,
        id=strings(ids),
        patient=base.patient[original],
        split=base.split[original],
        labels=kept,
        detail_names=(),
        diagnosis_names=base.diagnosis_names if kept else (),
        path=strings([""] * len(original)),  # no file shows a copy
        stratum=stratum[original],
    )
