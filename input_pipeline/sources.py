"""Opens the source that a config describes, and makes new sources of old ones."""

import dataclasses
import importlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from input_pipeline.table import Reader, Source, Table, TableError, summary, take

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

# Each module has `make(data, store) -> Source`.
SOURCES = {
    "csv": "input_pipeline.csvsource",
    "folder": "input_pipeline.foldersource",
    "drawn": "input_pipeline.drawnsource",
}


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
