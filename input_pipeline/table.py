"""The table of a source: one row per photograph, with its patient, split and labels."""

import collections
import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

SPLITS = ("train", "val", "test")
QUALITY = ("good", "usable", "reject")  # code = place; higher is worse
GRADABLE = ("gradable", "ungradable")

_LABEL_DTYPES = {"quality": np.int32, "ungradable": np.int32, "details": np.int8}
_LABEL_DTYPES["diagnosis"] = np.int32


class TableError(ValueError):
    """A table of photographs that cannot be used; says where, what was seen and what to do."""


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

    def __post_init__(self) -> None:
        n = len(self.id)
        if n == 0:
            raise TableError("the table has no rows; expected at least one photograph")
        columns = {"patient": self.patient, "split": self.split, "path": self.path, **self.labels}
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
            raise TableError(f"id {values[counts > 1][0]!r} stands more than once; ids are unique")
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
    )


def strings(values: Sequence[str]) -> np.ndarray:
    """[N] NumPy array of str from any sequence of str, also when it is empty."""
    return np.asarray(list(values), dtype=np.str_)


def main_label(table: Table) -> np.ndarray | None:
    """The label that splits are stratified by: [N] int, -1 absent, or None where there is none.

    The overall grade where any is known, else ungradable, else the diagnosis, else whether any
    defect is there.
    """
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
    own = "" if (table.patient != table.id).any() else " (not known: each photograph its own)"
    lines = [f"{name}: {len(table)} photographs of {patients} patients{own}"]
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


def as_pairs(pairs: Mapping[str, str] | Sequence[Sequence[str]], field: str) -> dict[str, str]:
    """A config's tuple of (key, value) pairs as a dict of str.

    Raises:
      ValueError: something that is no pair; names `field`.
    """
    if isinstance(pairs, Mapping):
        return {str(k): str(v) for k, v in pairs.items()}
    for pair in pairs:
        if isinstance(pair, str) or len(pair) != 2:
            raise ValueError(f"{field} holds {pair!r}; expected pairs such as (('0', 'good'), ...)")
    return {str(k): str(v) for k, v in pairs}
