"""A published data set: what it is, where to get it, and the counts that its labels must have."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import numpy as np

from input_pipeline.readers.tree import Tree
from input_pipeline.tables.columns import Sheet
from input_pipeline.tables.examples import QUALITY, Table, class_counts
from input_pipeline.tables.table_error import TableError

Counts = Mapping[str, Mapping[str, int]]

DR_GRADES = ("no DR", "mild NPDR", "moderate NPDR", "severe NPDR", "PDR")  # ICDR 0-4


@dataclasses.dataclass(frozen=True)
class Listed:
    """A data set's labels as they were read.

    Attributes:
      table: all labels of the set; its paths say where a photograph is expected.
      counts: split or group -> what -> how many, counted before anything was regrouped.
      annotations: one relative path for each row, for sets with masks; () for the others.
    """

    table: Table
    counts: Counts
    annotations: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Labels:
    """Names of the labels that a data set has; () for what it has no labels of."""

    quality: tuple[str, ...] = ()
    details: tuple[str, ...] = ()
    diagnosis: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Dataset:
    """How one data set is read.

    Attributes:
      title: with its source, in a line.
      instructions: exactly what to get where, and how to lay it out.
      read: (files, variant, lists) -> Listed; `lists` is one of `lists`.
      labels: variant -> what is labelled.
      published: variant -> counts from the papers and label files, which must come out.
      variants: name -> what it holds; the first is the default.
      lists: whose lists of training and test photographs can be had; the first is the default.
      modality: 'fundus' | 'slice', by variant where they differ.
      annotation: what the masks are: 'map' (FunPiQ's codes) | 'vessels' | '' for none.
      erase: boxes in original pixels that hide burned-in text.
      known: id -> what is known of a photograph that makes trouble.
      in_parts: copies that hold only a part of the photographs are in use, and are opened.
      licence: of labels and photographs, in a line.
    """

    title: str
    instructions: str
    licence: str
    read: Callable[[Tree, str, str], Listed]
    labels: Mapping[str, Labels]
    published: Mapping[str, Counts]
    variants: Mapping[str, str] = dataclasses.field(default_factory=lambda: {"": "all of it"})
    lists: tuple[str, ...] = ("official",)
    modality: Literal["fundus", "slice"] | Mapping[str, str] = "fundus"
    annotation: Literal["", "map", "vessels"] = ""
    erase: tuple[tuple[int, int, int, int], ...] = ()
    known: Mapping[str, str] = dataclasses.field(default_factory=dict)
    in_parts: bool = False


def tally(table: Table) -> dict[str, dict[str, int]]:
    """Photographs, patients and classes in each split, 'all' where there are none.

    Two-class grades are counted where there are no three-class ones; a detail by its defects.
    """
    out = {}
    for split in dict.fromkeys(table.split.tolist()):
        rows = np.flatnonzero(table.split == split)
        tallied = {"photographs": len(rows), "patients": len(np.unique(table.patient[rows]))}
        for label, counts in class_counts(table, rows).items():
            if label == "ungradable" and "quality" in table.labels:
                continue
            if label in table.detail_names:
                tallied[f"{label} defect"] = counts["defect"]
            else:
                tallied |= {name: count for name, count in counts.items() if name != "absent"}
        out[split or "all"] = tallied
    return out


def differences(seen: Counts, published: Counts) -> list[str]:
    """'train: good 8,340 (published 8,347)' for every published count that is not met."""
    out = []
    for group, counts in published.items():
        for what, count in counts.items():
            here = seen.get(group, {}).get(what, 0)
            if here != count:
                out.append(f"{group}: {what} {here:,} (published {count:,})")
    return out


def expect_columns(sheet: Sheet, names: Sequence[str]) -> None:
    """Raises TableError unless a label file has just these columns ('' is a column without name).

    A column more or less means another release, whose codes may differ.
    """
    if {*sheet.columns} != {*names}:
        raise TableError(
            f"{sheet.file}: columns {[*sheet.columns]}, expected {[*names]}: another file or "
            "release than this reader knows"
        )


def ungradable_of(quality: np.ndarray) -> np.ndarray:
    """[N] int32, 1 for reject, from three-class grades; -1 where there is none."""
    bad = (quality == QUALITY.index("reject")).astype(np.int32)
    return np.where(quality < 0, np.int32(-1), bad)
