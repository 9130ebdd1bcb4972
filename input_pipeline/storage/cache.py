"""Keeps examples that were read, in memory or in a folder, as `data.cache` says."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from input_pipeline.photo.reader import PhotoError
from input_pipeline.storage import store
from input_pipeline.tables.examples import Source
from input_pipeline.tables.table_error import TableError

MODES = ("none", "memory", "disk", "auto")
MEMORY_LIMIT = 1 << 30  # bytes that 'auto' keeps in memory at most

Arrays = dict[str, np.ndarray]


def keep(
    source: Source, mode: str, folder: str, workers: int, skip: bool
) -> tuple[Source, dict[int, str] | None]:
    """Prepares examples in a folder, keeps them in memory, both or neither.

    'auto' keeps in memory what takes up to `MEMORY_LIMIT`, and prepares the rest. A source that
    brings its own `fetch`, as synthetic photographs do, is prepared already.

    Args:
      source: N photographs.
      mode: one of `MODES`.
      folder: where 'disk' and 'auto' prepare; '' for nowhere.
      workers: processes.
      skip: files that cannot be read are no error.

    Returns:
      The source, and row -> reason of what cannot be read, or None where that is not known.

    Raises:
      TableError: 'disk' without a folder.
      PhotoError: a file cannot be read, unless skipped.
    """
    if mode == "disk" and not folder:
        raise TableError("data.cache is 'disk', but there is no folder; set data.store to one")
    small = mode == "auto" and size(source) <= MEMORY_LIMIT
    bad = None
    if source.fetch is None and (mode == "disk" or (mode == "auto" and folder and not small)):
        rows = np.arange(len(source.table))
        source, bad = store.prepare(source, rows, folder, workers, "skip" if skip else "error")
    return (in_memory(source) if mode == "memory" or small else source), bad


def in_memory(source: Source) -> Source:
    """The source, each example kept once it was read. The arrays are read-only.

    Takes as much memory as the examples have bytes: see `size`.
    """
    fetch = source.fetch or source.reader.read
    return dataclasses.replace(source, fetch=functools.partial(_keep, {}, fetch))


def _keep(kept: dict[Any, Arrays], fetch: Callable[[Any], Arrays], item: Any) -> Arrays:
    example = kept.get(item)
    if example is None:  # two threads may both read it; they read the same
        example = fetch(item)
        for array in example.values():
            array.setflags(write=False)
        kept[item] = example
    return dict(example)


def size(source: Source) -> int:
    """Bytes of all examples in memory, from the first that can be read; 0 where none can."""
    for row in range(len(source.table)):
        try:
            return len(source.table) * sum(array.nbytes for array in source.read(row).values())
        except PhotoError:
            continue
    return 0
