"""A source of photographs: a table with one row each, and the reader that opens them.

A source is data, not a class tree: what differs between a folder, a CSV and drawn images is the
table and the reader. Caching, choosing rows and adding columns give a new source.
"""

import collections
import concurrent.futures
import dataclasses
import functools
import hashlib
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from input_pipeline.tables.table_error import TableError

Arrays = dict[str, np.ndarray]

SPLITS = ("train", "val", "test")
QUALITY = ("good", "usable", "reject")  # code = place; higher is worse
GRADABLE = ("gradable", "ungradable")

_LABEL_DTYPES = {"quality": np.int32, "ungradable": np.int32, "details": np.int8}
_LABEL_DTYPES["diagnosis"] = np.int32


@dataclasses.dataclass(frozen=True)
class Table:
    """One row per photograph; every array has N rows.

    Attributes:
      id: [N] str, unique.
      patient: [N] str; the id where the patient is not known.
      split: [N] str, 'train' | 'val' | 'test' | '' (not assigned).
      labels: columns that travel in every batch. Known names: 'quality' [N] int32 (0 good, 1
        usable, 2 reject), 'ungradable' [N] int32 (0 | 1), 'details' [N, K] int8 (1 = the defect
        is there), 'diagnosis' [N] int32. Absent labels are -1. Other names (pseudo-labels) may
        have any dtype and shape [N, ...].
      quality_names: ('good', 'usable', 'reject'), ('gradable', 'ungradable') or ().
      detail_names: K names of defects.
      diagnosis_names: names of the diagnosis codes.
      path: [N] str, as shown in reports; '' for drawn images.
      notes: what the loader saw and decided, one sentence each.
      stratum: [N] int, what splits are balanced by; None for `main_label`. Degraded copies bring
        it, so that they are split as the photographs were before.
      shares_patients: the published split has patients in several splits, and is kept all the same.

    Raises:
      TableError: no rows, arrays of different length, or repeated ids.
    """

    id: np.ndarray
    patient: np.ndarray
    split: np.ndarray
    labels: dict[str, np.ndarray]
    quality_names: tuple[str, ...]
    detail_names: tuple[str, ...]
    diagnosis_names: tuple[str, ...]
    path: np.ndarray
    notes: tuple[str, ...] = ()
    stratum: np.ndarray | None = None
    shares_patients: bool = False

    def __post_init__(self) -> None:
        n = len(self.id)
        if n == 0:
            raise TableError("the table has no rows; expected at least one photograph")
        columns = {"patient": self.patient, "split": self.split, "path": self.path, **self.labels}
        columns |= {} if self.stratum is None else {"stratum": self.stratum}
        for name, values in columns.items():
            if len(values) != n:
                raise TableError(f"column {name!r} has {len(values)} rows, the ids {n}")
        for name, dtype in _LABEL_DTYPES.items():
            if name in self.labels and self.labels[name].dtype != dtype:
                raise TableError(
                    f"label {name!r} is {self.labels[name].dtype}, expected {np.dtype(dtype)}"
                )
        if "details" in self.labels and self.labels["details"].shape != (n, len(self.detail_names)):
            raise TableError(
                f"details have shape {self.labels['details'].shape}, expected "
                f"({n}, {len(self.detail_names)}) for {self.detail_names}"
            )
        values, counts = np.unique(self.id, return_counts=True)
        if len(values) != n:
            first = str(values[counts > 1][0])
            raise TableError(f"id {first!r} stands more than once; ids are unique")
        unknown = sorted(set(self.split.tolist()) - {*SPLITS, ""})
        if unknown:
            raise TableError(f"splits {unknown} are not known; expected {SPLITS} or ''")

    def __len__(self) -> int:
        return len(self.id)


def take(table: Table, rows: np.ndarray) -> Table:
    """The table of some rows only. Args: rows [M] int or bool [N]. Raises: TableError if empty."""
    return dataclasses.replace(
        table,
        id=table.id[rows],
        patient=table.patient[rows],
        split=table.split[rows],
        labels={name: values[rows] for name, values in table.labels.items()},
        path=table.path[rows],
        stratum=None if table.stratum is None else table.stratum[rows],
    )


def strings(values: Sequence[str]) -> np.ndarray:
    """[N] NumPy array of str from any sequence of str, also when it is empty."""
    return np.asarray(list(values), dtype=np.str_)


def main_label(table: Table) -> np.ndarray | None:
    """What splits are stratified by: [N] int, -1 absent, or None where there is nothing.

    The table's stratum where it has one. Otherwise the overall grade where any is known, else
    ungradable, else the diagnosis, else whether any defect is there.
    """
    if table.stratum is not None:
        return table.stratum
    for name in ("quality", "ungradable", "diagnosis"):
        if name in table.labels and (table.labels[name] >= 0).any():
            return table.labels[name]
    if "details" in table.labels and (table.labels["details"] >= 0).any():
        return table.labels["details"].max(axis=1).astype(np.int32)
    return None


def class_counts(table: Table, rows: np.ndarray | slice = slice(None)) -> dict[str, dict[str, int]]:
    """Counts of every label over `rows`: {'quality': {'good': 12, ..., 'absent': 3}, ...}.

    Each detail is a label of its own, with classes 'fine' and 'defect'.
    """
    quality = table.quality_names if len(table.quality_names) == len(QUALITY) else QUALITY
    names: dict[str, tuple[Sequence[str], np.ndarray]] = {}
    if "quality" in table.labels:
        names["quality"] = (quality, table.labels["quality"][rows])
    if "ungradable" in table.labels:
        names["ungradable"] = (GRADABLE, table.labels["ungradable"][rows])
    for k, name in enumerate(table.detail_names if "details" in table.labels else ()):
        names[name] = (("fine", "defect"), table.labels["details"][rows, k])
    if "diagnosis" in table.labels:
        names["diagnosis"] = (table.diagnosis_names, table.labels["diagnosis"][rows])
    return {label: _counts(classes, codes) for label, (classes, codes) in names.items()}


def _counts(classes: Sequence[str], codes: np.ndarray) -> dict[str, int]:
    counts = {name: int((codes == code).sum()) for code, name in enumerate(classes)}
    absent = int((codes < 0).sum())
    return counts | ({"absent": absent} if absent else {})


def summary(name: str, table: Table) -> str:
    """What a person should check before training: rows, patients, splits, classes, raw codes."""
    patients = len(np.unique(table.patient))
    unknown = "" if (table.patient != table.id).any() else " (not known: each photograph its own)"
    lines = [f"{name}: {len(table)} photographs of {patients} patients{unknown}"]
    split = collections.Counter(table.split.tolist())
    if set(split) != {""}:
        words = [f"{s} {split[s]}" for s in SPLITS if split[s]]
        words += [f"in none {split['']}"] if split[""] else []
        lines.append("  split: " + ", ".join(words))
    for label, counts in class_counts(table).items():
        lines.append(f"  {label}: " + ", ".join(f"{k} {v}" for k, v in counts.items()))
    if not class_counts(table):
        lines.append("  no labels")
    return "\n".join(lines + [f"  {note}" for note in table.notes])


class Reader(Protocol):
    """Opens items: paths, or numbers of synthetic photographs. Thread-safe and picklable."""

    def read(self, item: Any) -> Arrays:
        """Arrays of one item, always the same ones. Raises: PhotoError where it cannot be read."""
        ...

    def settings(self) -> str:
        """Text that changes whenever `read` would give something else for the same contents."""
        ...

    def key(self, item: Any) -> str:
        """Hex SHA-256 of all that `read(item)` depends on: its whole contents and the settings.

        Raises:
          PhotoError: the item cannot be opened.
        """
        ...

    def stamp(self, item: Any) -> str:
        """Cheap word that changes when the item was touched: path, size and time of change.

        Raises:
          PhotoError: the item cannot be opened.
        """
        ...

    def fingerprint(self, item: Any) -> str:
        """Cheap text of the contents alone, the same for a copy elsewhere."""
        ...


@dataclasses.dataclass(frozen=True)
class Source:
    """Photographs with their table.

    Attributes:
      name: shown in messages and reports.
      table: one row per photograph.
      items: [N], what the reader is given for each row.
      reader: opens an item.
      fetch: gives an item from a cache instead, the same arrays; None for the reader itself.
    """

    name: str
    table: Table
    items: np.ndarray
    reader: Reader
    fetch: Callable[[Any], Arrays] | None = None

    def __post_init__(self) -> None:
        if len(self.items) != len(self.table):
            raise TableError(f"{self.name}: {len(self.items)} items, {len(self.table)} rows")

    def read(self, row: int) -> Arrays:
        """One photograph, always the same for a row, from any thread.

        Returns:
          'image' [S, S, C] uint8, 'fov' [S, S] uint8, and where the source has them 'vessels'
          [S, S, 3] uint8, 'vessels_valid' [3] float32, 'map' [h, w] uint8. Names, shapes and
          dtypes are the same for every row.

        Raises:
          PhotoError: the photograph cannot be read.
        """
        return (self.fetch or self.reader.read)(self.items[row])

    @functools.cached_property
    def digest(self) -> str:
        """Hex SHA-256; changes when photographs, reader settings, rows or labels change.

        Of every file its size and three blocks are read, not the whole: a set of 30,000 takes
        seconds and not minutes, and a copy on another machine has the same digest, which the time
        of change would not give. An edit that keeps a file's size and all three blocks is not seen.
        """
        h = hashlib.sha256(self.reader.settings().encode())
        t = self.table
        for names in (t.quality_names, t.detail_names, t.diagnosis_names):
            h.update(repr(tuple(names)).encode())
        columns = {"id": t.id, "patient": t.patient, "split": t.split}
        for name, values in [*columns.items(), *sorted(t.labels.items())]:
            if values.dtype.kind == "U":
                h.update(repr((name, values.tolist())).encode())
            else:
                h.update(repr((name, values.dtype.str, values.shape)).encode())
                h.update(np.ascontiguousarray(values).data)
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            for mark in pool.map(self.reader.fingerprint, self.items):
                h.update(mark.encode())
        return h.hexdigest()
