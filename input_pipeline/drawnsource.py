"""Drawn photographs as a source. Their labels follow from the drawing, so all are drawn first."""

import dataclasses
import functools
import hashlib
import importlib.resources
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from input_pipeline import chunks, synthetic
from input_pipeline import store as stores
from input_pipeline.table import (
    GRADABLE,
    QUALITY,
    Arrays,
    Reader,
    Source,
    Table,
    TableError,
    strings,
)

_LABELS = ("quality", "ungradable", "details", "diagnosis")
_GRADES = 5  # ICDR 0-4


@dataclasses.dataclass(frozen=True)
class DrawnReader:
    """Draws photograph number `item` of the set `seed`, with everything known about it."""

    seed: int
    side: int
    style: str
    lq_ratio: float
    cells: int

    def read(self, item: Any) -> Arrays:
        """All arrays of `synthetic.example`, labels included."""
        return synthetic.example(
            self.seed, int(item), self.side, self.style, self.lq_ratio, self.cells
        )

    def settings(self) -> str:
        """The drawing's parameters and the drawer's version."""
        return f"{dataclasses.astuple(self)} drawn by {_drawer()}"

    def key(self, item: Any) -> str:
        """See `table.Reader`."""
        return hashlib.sha256(f"{self.settings()} {int(item)}".encode()).hexdigest()

    def stamp(self, item: Any) -> str:
        """See `table.Reader`."""
        return self.key(item)

    def fingerprint(self, item: Any) -> str:
        """See `table.Reader`."""
        return str(int(item))


def make(data: Mapping[str, Any], store: str, require_labels: bool) -> Source:
    """See `sources.SOURCES`; drawings bring their labels, whether they are required or not."""
    return drawn_source(
        count=data["count"],
        seed=data["seed"],
        side=data["side"],
        style=data["style"],
        lq_ratio=data["lq_ratio"],
        classes=data["classes"],
        details=tuple(data["details"]),
        diagnosis=tuple(data["diagnosis"]),
        workers=data["workers"],
        store=store if data["cache"] in ("disk", "auto") else "",
    )


def drawn_source(
    *,
    count: int,
    seed: int,
    side: int,
    style: str,
    lq_ratio: float,
    classes: int,
    details: Sequence[str],
    diagnosis: Sequence[str],
    workers: int,
    store: str = "",
    cells: int = 16,
) -> Source:
    """Draws a set of photographs, or opens it where it was drawn before.

    Args:
      count: how many.
      seed: which ones; photograph i of a seed does not depend on `count`.
      side: pixels.
      style: camera, a key of `synthetic.STYLES`.
      lq_ratio: share with a defect.
      classes: 3 for good / usable / reject, 2 for gradable / ungradable, 0 for no overall grade.
      details: defects with a label, from `synthetic.DETAILS`.
      diagnosis: names of the five ICDR grades; () for no diagnosis.
      workers: processes that draw.
      store: folder that keeps the drawings; '' keeps them in this process only.
      cells: edge of a cell of the map in pixels.

    Returns:
      Source whose every photograph is its own patient.

    Raises:
      TableError: settings that do not exist.
    """
    unknown = [name for name in details if name not in synthetic.DETAILS]
    if unknown:
        raise TableError(f"details {unknown} are not drawn; there are {synthetic.DETAILS}")
    if diagnosis and len(diagnosis) != _GRADES:
        raise TableError(
            f"data.diagnosis names {len(diagnosis)} classes, drawn eyes have {_GRADES} grades"
        )
    if count < 1:
        raise TableError(f"data.count is {count}, expected at least 1")
    items = np.arange(count)
    names = strings([f"{style}{seed}-{i:06d}" for i in items])
    table = Table(
        id=names,
        patient=names,
        split=strings([""] * count),
        labels={},
        quality_names={len(QUALITY): QUALITY, len(GRADABLE): GRADABLE}.get(classes, ()),
        detail_names=tuple(details),
        diagnosis_names=tuple(diagnosis),
        path=strings([""] * count),
        notes=(f"drawn: style {style}, seed {seed}, {lq_ratio:.0%} with a defect",),
    )
    drawn = Source(f"drawn-{style}", table, items, DrawnReader(seed, side, style, lq_ratio, cells))
    known, fetch = _from_store(drawn, store, workers) if store else _in_memory(drawn, workers)
    labels = {}
    if classes == len(QUALITY):
        labels["quality"] = known["quality"].astype(np.int32)
    if classes:
        labels["ungradable"] = known["ungradable"].astype(np.int32)
    if details:
        columns = [synthetic.DETAILS.index(name) for name in details]
        labels["details"] = known["details"][:, columns].astype(np.int8)
    if diagnosis:
        labels["diagnosis"] = known["diagnosis"].astype(np.int32)
    return dataclasses.replace(drawn, table=dataclasses.replace(table, labels=labels), fetch=fetch)


def _from_store(
    drawn: Source, directory: str, workers: int
) -> tuple[dict[str, np.ndarray], Callable[[Any], Arrays]]:
    """Draws what is not there yet into the folder; labels [N, ...] and what gives the pictures."""
    prepared, _ = stores.prepare(drawn, np.arange(len(drawn.items)), directory, workers)
    stored = prepared.fetch
    assert isinstance(stored, stores.Stored)
    labels = dataclasses.replace(stored, only=_LABELS)
    return _gather(map(labels, drawn.items)), functools.partial(_picture, stored)


def _in_memory(
    drawn: Source, workers: int
) -> tuple[dict[str, np.ndarray], Callable[[Any], Arrays]]:
    examples: list[Any] = [None] * len(drawn.items)
    work = functools.partial(_draw, drawn.reader)
    for place, example in chunks.run_chunks(
        work, range(len(examples)), workers, f"drawing {drawn.name}"
    ):
        for array in example.values():
            array.setflags(write=False)
        examples[place] = example
    return _gather(examples), functools.partial(_picture, examples.__getitem__)


def _gather(examples: Iterable[Arrays]) -> dict[str, np.ndarray]:
    columns: dict[str, list[np.ndarray]] = {name: [] for name in _LABELS}
    for example in examples:
        for name, values in columns.items():
            values.append(example[name])
    return {name: np.stack(values) for name, values in columns.items()}


def _picture(fetch: Callable[[Any], Arrays], item: Any) -> Arrays:
    """The arrays of an example that are not columns of the table."""
    return {name: x for name, x in fetch(item).items() if name not in _LABELS}


def _draw(reader: Reader, items: Sequence[Any]) -> list[Arrays]:
    return [reader.read(item) for item in items]


@functools.cache
def _drawer() -> str:
    """SHA-256 of the drawing code: a store never holds what another version drew."""
    h = hashlib.sha256()
    folder = importlib.resources.files(synthetic)
    for file in sorted(folder.iterdir(), key=lambda f: f.name):
        if file.name.endswith(".py"):
            h.update(file.name.encode() + file.read_bytes())
    return h.hexdigest()
