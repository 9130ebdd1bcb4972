"""Single cells of stored grids as a source, so that a batch mixes the cells of many photographs."""

import dataclasses
import hashlib
from typing import Any

import numpy as np

from input_pipeline.storage.shards import ShardError, ShardReader
from input_pipeline.tables.examples import Arrays, Source, Table


@dataclasses.dataclass(frozen=True)
class CellReader:
    """One cell of every array that a reader of stored rows puts together.

    An item is `[K + 2] int`: the row of each of the K folders, then the cell's row and column.
    """

    rows: ShardReader

    def read(self, item: Any) -> Arrays:
        """`[1, 1, ...]` of each array."""
        y, x = int(item[-2]), int(item[-1])
        return {
            name: self.rows.folders[place].cell(item[place], stored, y, x)
            for name, place, stored in self.rows.parts
        }

    def settings(self) -> str:
        """See `examples.Reader`."""
        return f"cells of {self.rows.settings()}"

    def fingerprint(self, item: Any) -> str:
        """See `examples.Reader`."""
        return " ".join(str(int(number)) for number in item)

    def key(self, item: Any) -> str:
        """See `examples.Reader`."""
        return hashlib.sha256(f"{self.settings()} {self.fingerprint(item)}".encode()).hexdigest()

    def stamp(self, item: Any) -> str:
        """See `examples.Reader`."""
        return self.key(item)


def split(source: Source, rows: np.ndarray) -> Source:
    """Every cell of some rows as a row of its own, without labels.

    Args:
      source: N rows read from stored arrays, all of which are grids of h x w cells.
      rows: `[n] int`.

    Returns:
      Source of n * h * w rows, those of a photograph behind each other in reading order. Every
      array is `[1, 1, ...]`.

    Raises:
      ShardError: arrays that are not stored, or grids that differ.
    """
    reader = source.reader
    if not isinstance(reader, ShardReader) or not len(rows):
        raise ShardError(f"{source.name}: single cells can only be taken of stored arrays")
    shapes = {name: array.shape for name, array in source.read(int(rows[0])).items()}
    grids = {shape[:2] for shape in shapes.values()}
    if len(grids) != 1 or any(len(shape) < 2 for shape in shapes.values()):
        raise ShardError(f"{source.name}: arrays of one grid were expected, these are {shapes}")
    h, w = grids.pop()
    cells = np.stack(np.meshgrid(np.arange(h), np.arange(w), indexing="ij"), -1).reshape(-1, 2)
    items = np.concatenate(
        [np.repeat(source.items[rows], h * w, 0), np.tile(cells, (len(rows), 1))], 1
    )
    ids = np.char.add(
        np.repeat(source.table.id[rows], h * w),
        np.tile(np.array([f"#{k}" for k in range(h * w)]), len(rows)),
    )
    none = np.full(len(ids), "")
    patient = np.repeat(source.table.patient[rows], h * w)
    table = Table(ids, patient, none, {}, (), (), (), none)
    return Source(f"{source.name}, cells", table, items, CellReader(reader))
