"""A public data set as a source: its labels by `readers`, its photographs found by name."""

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from input_pipeline import readers
from input_pipeline.readers.tree import Tree, photographs, tree
from input_pipeline.sources.annotated import AnnotatedReader
from input_pipeline.sources.photo_files import PhotoReader
from input_pipeline.tables.examples import GRADABLE, QUALITY, Source, Table, take
from input_pipeline.tables.table_error import Setting, TableError

NO_FIELD = ("frame", "error")


def make(data: Mapping[str, Any], store: str, require_labels: bool) -> Source:
    """See `sources.SOURCES` and `dataset_source`. `data.source` is the name of the set."""
    return dataset_source(
        data["source"],
        data["path"],
        side=data["side"],
        modality=data["modality"],
        erase=tuple(map(tuple, data["erase"])),
        lists=data["lists"],
        counts=data["counts"],
        no_field=data["no_field"],
        crop=data["crop"],
        resample=data["resample"],
        classes=data["classes"],
        details=tuple(data["details"]),
        diagnosis=tuple(data["diagnosis"]),
        require_labels=require_labels,
        require_files=data["on_bad"] == "error",
    )


def dataset_source(
    name: str,
    path: str | os.PathLike,
    *,
    side: int,
    modality: str = "fundus",
    erase: tuple[tuple[int, int, int, int], ...] = (),
    lists: str = "",
    counts: str = "published",
    no_field: str = "frame",
    crop: str = "field",
    resample: str = "bilinear",
    classes: int | None = None,
    details: Sequence[str] | None = None,
    diagnosis: Sequence[str] | None = None,
    require_labels: bool = False,
    require_files: bool = True,
) -> Source:
    """Opens a data set.

    Args:
      name: of the set, such as 'eyeq' or 'iqad/EYEQ'.
      path: its folder, laid out as its instructions say; files are found by name.
      side: pixels of the square.
      modality: 'fundus' | 'slice', which must be the set's.
      erase: boxes in original pixels to paint black; the set's own when empty.
      lists: whose lists of training and test photographs; '' for the set's default.
      counts: 'published' | 'any', see `readers.listed`.
      crop, resample: what of a photograph is shown, see `photo.read_photo`.
      no_field: 'frame' | 'error', see `annotated.AnnotatedReader`.
      classes: 3, 2 or 0 overall classes; None for those of the set.
      details: defects to keep, in this order; None for all of the set. Those it has no labels of
        are absent.
      diagnosis: names of the diagnosis classes, as many as the set has; () for no diagnosis, None
        for the set's own names.
      require_labels: a set without any label that is asked for is an error.
      require_files: photographs that are not there are an error (of sets that come in parts, where
        none is there: the others are left out and counted); otherwise reading them is one.

    Raises:
      TableError: labels or photographs that are not there or not as published.
    """
    dataset, _ = readers.named(name)
    wanted = readers.modality(name)
    if modality != wanted:
        raise TableError(
            f"{name} holds {wanted} pictures; set "
            f"{Setting('data.modality')}={wanted} (it is {modality!r})"
        )
    if no_field not in NO_FIELD:
        raise TableError(f"data.no_field is {no_field!r}, expected one of {NO_FIELD}")
    files = tree(path)
    listed = readers.listed(name, files, lists, counts)
    table = select_labels(name, listed.table, classes, details, diagnosis)
    if require_labels and not any((labels >= 0).any() for labels in table.labels.values()):
        raise TableError(
            f"{name}: none of the labels asked for is there; it has {', '.join(_has(listed.table))}"
        )
    items = photographs(files, table.path.tolist(), listed.annotations)
    missing = [i for i, item in enumerate(items) if not item]
    if missing and require_files and (not dataset.in_parts or len(missing) == len(items)):
        raise _missing(name, files, table, missing)
    if missing and require_files:
        table, items = _part(table, items)
    items = [
        item or os.path.abspath(files.root / place)
        for item, place in zip(items, table.path.tolist(), strict=True)
    ]
    annotations = [os.path.abspath(files.root / mask) for mask in listed.annotations]
    rows = zip(items, table.id.tolist(), strict=True)
    reader = AnnotatedReader(
        PhotoReader(side, wanted, erase or dataset.erase, crop, resample),
        dataset.annotation,
        dict(zip(items, annotations, strict=True)) if annotations else {},
        {item: dataset.known[i] for item, i in rows if i in dataset.known},
        no_field,
    )
    shown = [os.path.relpath(item, os.path.abspath(files.root)) for item in items]
    table = dataclasses.replace(table, path=np.array(shown, np.str_))
    return Source(name, table, np.array(items, np.str_), reader)


def select_labels(
    name: str,
    table: Table,
    classes: int | None,
    details: Sequence[str] | None,
    diagnosis: Sequence[str] | None,
) -> Table:
    """The table with the labels that a recipe asks for, and no others.

    Args:
      name: of the set, for messages.
      table: of the set.
      classes, details, diagnosis: as in `dataset_source`.

    Raises:
      TableError: another number of diagnoses than the set has.
    """
    labels = dict(table.labels)
    quality = table.quality_names
    notes = list(table.notes)
    if classes is not None and classes < len(QUALITY):
        labels.pop("quality", None)
        quality = GRADABLE if "ungradable" in labels else ()
    if classes == 0:
        labels.pop("ungradable", None)
        quality = ()
    if classes == len(QUALITY) and "quality" not in labels and "ungradable" in labels:
        notes.append("no three-class grades: gradable / ungradable only")
    names = table.detail_names
    if details is not None and "details" in labels:
        details_of_set = labels.pop("details")
        there = [d for d in details if d in names]
        names = tuple(details) if there else ()
        if there:
            columns = [
                details_of_set[:, table.detail_names.index(d)]
                if d in there
                else np.full(len(details_of_set), -1)
                for d in details
            ]
            labels["details"] = np.stack(columns, axis=1).astype(np.int8)
        if absent := sorted({*details} - {*there}):
            notes.append(f"no labels of {absent}: absent throughout")
    classes_of = table.diagnosis_names
    if diagnosis is not None:
        if diagnosis and len(diagnosis) != len(classes_of):
            raise TableError(
                f"data.diagnosis names {tuple(diagnosis)}; {name} has {len(classes_of)} diagnoses: "
                f"{classes_of}. Name as many, or none"
            )
        classes_of = tuple(diagnosis)
        if not diagnosis:
            labels.pop("diagnosis", None)
    return dataclasses.replace(
        table,
        labels=labels,
        quality_names=quality,
        detail_names=names,
        diagnosis_names=classes_of,
        notes=tuple(notes),
    )


def _has(table: Table) -> list[str]:
    names = [label for label in table.labels if label != "details"]
    return [*names, *table.detail_names] or ["no labels"]


def _part(table: Table, items: Sequence[str]) -> tuple[Table, list[str]]:
    """The rows whose photographs are there; a note says how many of each grade are not."""
    gone = np.array([not item for item in items])
    grades = next((table.labels[k] for k in ("quality", "ungradable") if k in table.labels), None)
    parts = ""
    if grades is not None:
        lost = grades[gone]
        counts = [(name, int((lost == k).sum())) for k, name in enumerate(table.quality_names)]
        parts = ", ".join(f"{name} {count:,}" for name, count in counts)
    note = f"a part of the set: {gone.sum():,} of {len(items):,} photographs are not in the folder"
    kept = take(table, np.flatnonzero(~gone))
    kept = dataclasses.replace(kept, notes=(*kept.notes, f"{note} ({parts})" if parts else note))
    return kept, [item for item in items if item]


def _missing(name: str, files: Tree, table: Table, missing: Sequence[int]) -> TableError:
    here, some = files.root, ", ".join(table.path[i] for i in missing[:3])
    return TableError(
        f"{name}: {len(missing)} of {len(table)} photographs are not below {here}, the first: "
        f"{some}; {readers.how_to_get(name)}, or set {Setting('data.on_bad')}=skip to go on without"
    )
