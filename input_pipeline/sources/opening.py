"""Opens the source that a config describes, and makes new sources of old ones."""

import dataclasses
import importlib
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from input_pipeline import atomic
from input_pipeline.readers import READERS
from input_pipeline.sources import scan
from input_pipeline.storage import cache
from input_pipeline.tables import exclude
from input_pipeline.tables.examples import Reader, Source, Table, summary, take
from input_pipeline.tables.table_error import TableError

__all__ = [
    "Reader",
    "Source",
    "Table",
    "TableError",
    "describe",
    "listed",
    "make_source",
    "subset",
    "with_columns",
]

LEFT_OUT = "left_out.csv"

# Each module has `make(data, store, require_labels) -> Source`: the config's section, the folder of
# prepared examples ('' for none), and whether a table without labels is an error. What follows
# a / in data.source (iqad/EYEQ) is the module's own.
SOURCES = {
    "csv": "input_pipeline.sources.csv_source",
    "folder": "input_pipeline.sources.folder_source",
    "drawn": "input_pipeline.sources.generated.synthetic_source",
    "defects": "input_pipeline.sources.generated.defects_source",
    "degraded": "input_pipeline.sources.generated.degraded_source",
    "resaved": "input_pipeline.sources.generated.resaved_source",
    "tfds": "input_pipeline.sources.tfds_source",
    **dict.fromkeys(READERS, "input_pipeline.sources.dataset_source"),
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


def listed(data: Mapping[str, Any], store: str = "", *, require_labels: bool = False) -> Source:
    """The source that a config's `data` section describes, its table read and nothing prepared.

    Args:
      data, require_labels: see `make_source`.
      store: folder of prepared examples, for sources that are made of them.

    Raises:
      TableError: a table, folder or setting that cannot be used.
    """
    if data["on_bad"] not in ("error", "skip"):
        raise TableError(f"data.on_bad is {data['on_bad']!r}, expected 'error' or 'skip'")
    if data["cache"] not in cache.MODES:
        raise TableError(f"data.cache is {data['cache']!r}, expected one of {cache.MODES}")
    kind = data["source"].partition("/")[0]
    if kind not in SOURCES:
        raise TableError(f"data.source is {data['source']!r}, expected one of {sorted(SOURCES)}")
    make = importlib.import_module(SOURCES[kind]).make
    source = make(data, store, require_labels)
    if data.get("exclude"):
        source = exclude.without(source, data["exclude"])
    return source


def make_source(
    data: Mapping[str, Any], directory: str | os.PathLike = "", *, require_labels: bool = False
) -> Source:
    """Opens the source that a config's `data` section describes, ready to be read from.

    Synthetic photographs are made, examples prepared or kept as `data.cache` says, and with
    `data.on_bad='skip'` photographs that cannot be read are left out and listed in
    `left_out.csv` in the directory.

    Args:
      data: the section; fields as in fiqa_jax/defaults.py.
      directory: work directory; prepared examples go to its `prepared` folder, unless `data.store`
        names another. '' where nothing may be written.
      require_labels: a table or folder without any label is an error.

    Returns:
      Source. `describe` tells a person what was read: classes, patients, splits.

    Raises:
      TableError: a table, folder or setting that cannot be used.
      PhotoError: a photograph that cannot be read, with `data.on_bad='error'`, where examples are
        prepared; otherwise it is raised when its turn comes.
    """
    folder = data["store"] or (os.path.join(directory, "prepared") if directory else "")
    source = listed(data, folder, require_labels=require_labels)
    skip = data["on_bad"] == "skip"
    source, bad = cache.keep(source, data["cache"], folder, data["workers"], skip)
    if skip and bad is None:
        known = os.path.join(directory, "scan.json") if directory else ""
        bad = scan.scan(source, np.arange(len(source.table)), data["workers"], known)
    list_file = os.path.join(directory, LEFT_OUT) if directory else ""
    if bad:
        source = leave_out(source, bad, list_file)
    elif list_file and os.path.exists(list_file):
        os.remove(list_file)  # of an earlier run, whose files have been mended since
    return source


def leave_out(source: Source, bad: Mapping[int, str], file: str = "") -> Source:
    """The source without the rows `bad` (row -> reason), which are listed in the CSV `file`.

    Raises:
      TableError: nothing is left.
    """
    table = source.table
    if file:
        os.makedirs(os.path.dirname(file) or ".", exist_ok=True)
        rows = [(table.id[r], table.path[r], bad[r]) for r in sorted(bad)]
        atomic.write_csv(file, ("id", "path", "reason"), rows)
    if len(bad) == len(table):
        raise TableError(
            f"{source.name}: none of {len(table)} photographs can be read, the first: "
            f"{bad[min(bad)]}"
        )
    keep = np.setdiff1d(np.arange(len(table)), sorted(bad))
    out = subset(source, keep)
    note = f"left out, as they cannot be read: {len(bad)}" + (f" (see {file})" if file else "")
    return dataclasses.replace(
        out, table=dataclasses.replace(out.table, notes=(*table.notes, note))
    )


def describe(source: Source) -> str:
    """What a person should check before training, some lines of text."""
    return summary(source.name, source.table)
