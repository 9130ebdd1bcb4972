"""Drawn photographs as a source. Their labels follow from the drawing, so all are drawn first."""

import dataclasses
import functools
import hashlib
import importlib.resources
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from input_pipeline import chunks, synthetic
from input_pipeline.table import GRADABLE, QUALITY, Source, Table, TableError, strings

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

    def read(self, item: Any) -> dict[str, np.ndarray]:
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


def make(data: Mapping[str, Any], store: str = "") -> Source:
    """See `drawn_source`; takes the config's section and the folder that keeps drawings."""
    return drawn_source(
        count=data["count"],
        seed=data["seed"],
        side=data["side"],
        style=data["style"],
        lq_ratio=data.get("lq_ratio", 0.5),
        classes=data["classes"],
        details=tuple(data["details"]),
        diagnosis=tuple(data["diagnosis"]),
        workers=data["workers"],
        store=store,
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
    drawer = DrawnReader(seed, side, style, lq_ratio, cells)
    items = np.arange(count)
    examples: list[Any] = [None] * count
    for place, example in chunks.run_chunks(
        functools.partial(_draw, drawer), range(count), workers, f"drawing style {style}"
    ):
        examples[place] = example
    known = {name: np.array([e[name] for e in examples]) for name in _LABELS}
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
    names = strings([f"{style}{seed}-{i:06d}" for i in items])
    table = Table(
        id=names,
        patient=names,
        split=strings([""] * count),
        labels=labels,
        quality_names={len(QUALITY): QUALITY, len(GRADABLE): GRADABLE}.get(classes, ()),
        detail_names=tuple(details),
        diagnosis_names=tuple(diagnosis),
        path=strings([""] * count),
        notes=(f"drawn: style {style}, seed {seed}, {lq_ratio:.0%} with a defect",),
    )
    return Source(f"drawn {style}", table, items, drawer, functools.partial(_picture, examples))


def _picture(examples: Sequence[dict[str, np.ndarray]], item: Any) -> dict[str, np.ndarray]:
    """The arrays of an example that are not columns of the table."""
    return {name: x for name, x in examples[int(item)].items() if name not in _LABELS}


def _draw(drawer: DrawnReader, items: Sequence[Any]) -> list[dict[str, np.ndarray]]:
    return [drawer.read(item) for item in items]


@functools.cache
def _drawer() -> str:
    """SHA-256 of the drawing code: a store never holds what another version drew."""
    h = hashlib.sha256()
    folder = importlib.resources.files(synthetic)
    for file in sorted(folder.iterdir(), key=lambda f: f.name):
        if file.name.endswith(".py"):
            h.update(file.name.encode() + file.read_bytes())
    return h.hexdigest()
