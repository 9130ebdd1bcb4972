"""A source: a table of photographs and the reader that opens each of them.

A source is data, not a class tree: what differs between a folder, a CSV and drawn images is the
table and the reader. Caching, choosing rows and adding columns give a new source.
"""

import concurrent.futures
import dataclasses
import functools
import hashlib
import importlib
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np

from input_pipeline.table import Table, TableError, summary, take

__all__ = [
    "Reader",
    "Source",
    "Table",
    "TableError",
    "describe",
    "make_source",
    "subset",
    "with_columns",
]

Arrays = dict[str, np.ndarray]

# Each module has `make(data, store) -> Source`.
SOURCES = {
    "csv": "input_pipeline.csvsource",
    "folder": "input_pipeline.foldersource",
    "drawn": "input_pipeline.drawnsource",
}


class Reader(Protocol):
    """Opens items: paths, or numbers of drawings. Safe to call from several threads, picklable."""

    def read(self, item: Any) -> Arrays:
        """Arrays of one item, always the same ones. Raises: PhotoError where it cannot be read."""
        ...

    def settings(self) -> str:
        """Text that changes whenever `read` would give something else for the same contents."""
        ...

    def key(self, item: Any) -> str:
        """Hex SHA-256 of all that `read(item)` depends on: its whole contents and the settings."""
        ...

    def stamp(self, item: Any) -> str:
        """Cheap text that changes when the item was touched: path, size and time of change."""
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


def with_columns(source: Source, columns: Mapping[str, np.ndarray]) -> Source:
    """The source with more columns, which travel in every batch; equal names are replaced.

    Args:
      source: N photographs.
      columns: name -> [N, ...] array.

    Raises:
      TableError: an array of another length.
    """
    table = dataclasses.replace(source.table, labels=source.table.labels | dict(columns))
    return dataclasses.replace(source, table=table)


def subset(source: Source, rows: np.ndarray) -> Source:
    """The source with some rows only, renumbered from 0.

    Args:
      source: N photographs.
      rows: [M] int, or [N] bool.

    Raises:
      TableError: no rows are left.
    """
    return dataclasses.replace(source, table=take(source.table, rows), items=source.items[rows])


def make_source(data: Mapping[str, Any], store: str = "") -> Source:
    """The source that a config's `data` section describes, uncached, every row of it.

    Args:
      data: the section; fields as in fiqa_jax/defaults.py.
      store: folder of prepared examples; drawn images are drawn into it once. '' for none.

    Returns:
      Source. `describe` tells a person what was read: classes, patients, splits.

    Raises:
      TableError: a table, folder or setting that cannot be used.
    """
    kind = data["source"]
    if kind not in SOURCES:
        raise ValueError(f"data.source is {kind!r}, expected one of {sorted(SOURCES)}")
    return importlib.import_module(SOURCES[kind]).make(data, store)


def describe(source: Source) -> str:
    """What a person should check before training, some lines of text."""
    return summary(source.name, source.table)
