"""Examples whose labels follow from how they are made: all are made before the first is used."""

import dataclasses
import functools
import hashlib
import importlib.resources
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from input_pipeline import chunks, synthetic
from input_pipeline.photo.errors import PhotoError
from input_pipeline.storage import store as stores
from input_pipeline.tables.examples import QUALITY, Arrays, Reader, Source
from input_pipeline.tables.table_error import TableError

LABELS = ("quality", "ungradable", "details", "diagnosis")

Fetch = Callable[[Any], Arrays]


def make_all(
    source: Source, directory: str, workers: int, skip: bool = False
) -> tuple[dict[str, np.ndarray], Fetch]:
    """Makes every example of a source, or opens what was made before.

    Args:
      source: N examples; its reader gives labels together with the picture.
      directory: folder that keeps them; '' keeps them in this process only.
      workers: processes.
      skip: a photograph that cannot be read is no error: its labels are -1, and fetching it raises
        what reading it does.

    Returns:
      The labels that the reader gives, `[N, ...]` each, and what gives the arrays of an item
      without its labels.

    Raises:
      PhotoError: a photograph cannot be read, unless skipped.
      TableError: none can be read.
    """
    fetch: Fetch
    labels: Fetch
    if directory:
        rows = np.arange(len(source.items))
        on_bad = "skip" if skip else "error"
        prepared, bad = stores.prepare(source, rows, directory, workers, on_bad)
        assert isinstance(prepared.fetch, stores.Stored)
        fetch, labels = prepared.fetch, dataclasses.replace(prepared.fetch, only=LABELS)
    else:
        fetch, bad = _in_memory(source, workers, skip)
        labels = fetch
    if len(bad) == len(source.items):
        raise TableError(
            f"{source.name}: none of {len(bad)} photographs can be read, the first: {bad[0]}"
        )
    good = [row for row in range(len(source.items)) if row not in bad]
    return _gather(labels, source.items, good), functools.partial(_unlabelled, fetch)


def check_details(details: Sequence[str]) -> None:
    """Raises TableError for a defect that is none of `synthetic.DETAILS`."""
    unknown = [name for name in details if name not in synthetic.DETAILS]
    if unknown:
        raise TableError(f"details {unknown} are not drawn or made; there are {synthetic.DETAILS}")


def label_columns(
    known: Mapping[str, np.ndarray], classes: int, details: Sequence[str]
) -> dict[str, np.ndarray]:
    """The columns of a table from what was made.

    Args:
      known: 'quality' `[N]`, 'ungradable' `[N]` and 'details' `[N, 4]` as `make_all` gives them.
      classes: 3 for good / usable / reject, 2 for gradable / ungradable, 0 for no overall grade.
      details: defects with a label, from `synthetic.DETAILS`.

    Returns:
      Those of 'quality' `[N] int32`, 'ungradable' `[N] int32`, 'details' `[N, K] int8` asked for.
    """
    labels = {}
    if classes == len(QUALITY):
        labels["quality"] = known["quality"].astype(np.int32)
    if classes:
        labels["ungradable"] = known["ungradable"].astype(np.int32)
    if details:
        columns = [synthetic.DETAILS.index(name) for name in details]
        labels["details"] = known["details"][:, columns].astype(np.int8)
    return labels


@functools.cache
def code_version() -> str:
    """SHA-256 of the code that draws and degrades: no store holds what another version made."""
    h = hashlib.sha256()
    folder = importlib.resources.files(synthetic)
    for file in sorted(folder.iterdir(), key=lambda f: f.name):
        if file.name.endswith(".py"):
            h.update(file.name.encode() + file.read_bytes())
    return h.hexdigest()


def _in_memory(source: Source, workers: int, skip: bool) -> tuple[Fetch, dict[int, str]]:
    made: dict[Any, Arrays] = {}
    bad: dict[int, str] = {}
    work = functools.partial(_make, source.reader, skip)
    items = list(source.items)
    for row, example in chunks.run_chunks(work, items, workers, f"making {source.name}"):
        if isinstance(example, str):
            bad[row] = example
            continue
        for array in example.values():
            array.setflags(write=False)
        made[items[row]] = example
    return functools.partial(_kept, made, source.reader), bad


def _make(reader: Reader, skip: bool, items: Sequence[Any]) -> list[Arrays | str]:
    """Examples, and reasons where there is none."""
    out: list[Arrays | str] = []
    for item in items:
        try:
            out.append(reader.read(item))
        except PhotoError as error:
            if not skip:
                raise
            out.append(str(error))
    return out


def _kept(made: Mapping[Any, Arrays], reader: Reader, item: Any) -> Arrays:
    return made[item] if item in made else reader.read(item)


def _gather(labels: Fetch, items: np.ndarray, good: Sequence[int]) -> dict[str, np.ndarray]:
    """Columns of the labels of the rows `good`; -1 elsewhere."""
    columns: dict[str, np.ndarray] = {}
    for row in good:
        for name, value in labels(items[row]).items():
            if name in LABELS:
                if name not in columns:
                    columns[name] = np.full((len(items), *value.shape), -1, value.dtype)
                columns[name][row] = value
    return columns


def _unlabelled(fetch: Fetch, item: Any) -> Arrays:
    return {name: x for name, x in fetch(item).items() if name not in LABELS}
