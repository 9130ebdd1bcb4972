"""Synthetic photographs as a source. Their labels follow from making them: all are made first."""

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from input_pipeline import synthetic
from input_pipeline.sources.generated import prerendered
from input_pipeline.tables.examples import GRADABLE, QUALITY, Arrays, Source, Table, strings
from input_pipeline.tables.table_error import TableError

_GRADES = 5  # ICDR 0-4


@dataclasses.dataclass(frozen=True)
class DrawnReader:
    """Draws photograph number `item` of the set `seed`, with everything known about it."""

    seed: int
    side: int
    style: str
    lq_ratio: float
    severity_mix: tuple[float, float]
    kinds: tuple[str, ...]
    cells: int
    lesion_scale: float = 1.0

    def read(self, item: Any) -> Arrays:
        """All arrays of `synthetic.example`, labels included."""
        return synthetic.example(
            self.seed,
            int(item),
            self.side,
            self.style,
            self.lq_ratio,
            self.cells,
            self.severity_mix,
            self.kinds,
            self.lesion_scale,
        )

    def settings(self) -> str:
        """The drawing's parameters and the drawer's version."""
        return f"{dataclasses.astuple(self)} drawn by {prerendered.code_version()}"

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
        severity_mix=tuple(data["severity_mix"]),
        kinds=tuple(data["kinds"]),
        lesion_scale=data["lesion_scale"],
        classes=data["classes"],
        details=tuple(data["details"]),
        diagnosis=tuple(data["diagnosis"]),
        merge=tuple(data["merge"]),
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
    merge: Sequence[int] = (),
    severity_mix: tuple[float, float] = (0.5, 0.5),
    kinds: Sequence[str] = (),
    lesion_scale: float = 1.0,
    store: str = "",
    cells: int = 16,
) -> Source:
    """Draws a set of photographs, or opens it where it was drawn before.

    Args:
      count: how many.
      seed: which ones; photograph i of a seed does not depend on `count`.
      side: pixels.
      style: camera, a key of `synthetic.STYLES`.
      lq_ratio: share of low quality (usable or reject).
      classes: 3 for good / usable / reject, 2 for gradable / ungradable, 0 for no overall grade.
      details: defects with a label, from `synthetic.DETAILS`.
      diagnosis: names of the five ICDR grades, or of their classes after `merge`; () for none.
      merge: class of each of the five grades; () for the grades themselves.
      workers: processes that draw.
      severity_mix: shares of usable and reject among those of low quality.
      kinds: degradations to choose from, see `synthetic.named`.
      lesion_scale: size of lesions, 1 as in nature, at most 10.
      store: folder that keeps the drawings; '' keeps them in this process only.
      cells: edge of a cell of the map in pixels.

    Returns:
      Source whose every photograph is its own patient.

    Raises:
      TableError: settings that do not exist.
    """
    prerendered.check_details(details)
    merge = tuple(merge) or tuple(range(_GRADES))
    if diagnosis and (len(merge) != _GRADES or {*merge} != {*range(len(diagnosis))}):
        raise TableError(
            f"data.diagnosis names {len(diagnosis)} classes, synthetic eyes have {_GRADES} grades; "
            f"data.merge is {merge}, expected the class of each grade, every class among them"
        )
    if not 0 < lesion_scale <= 10:
        raise TableError(f"data.lesion_scale is {lesion_scale}, expected more than 0, at most 10")
    if count < 1:
        raise TableError(f"data.count is {count}, expected at least 1")
    items = np.arange(count)
    try:
        chosen = synthetic.named(kinds)
    except ValueError as error:
        raise TableError(f"data.kinds: {error}") from None
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
        notes=(f"drawn: style {style}, seed {seed}, {lq_ratio:.0%} of low quality",),
    )
    reader = DrawnReader(seed, side, style, lq_ratio, severity_mix, chosen, cells, lesion_scale)
    drawn = Source(f"drawn-{style}", table, items, reader)
    known, fetch = prerendered.make_all(drawn, store, workers)
    labels = prerendered.label_columns(known, classes, details)
    if diagnosis:
        labels["diagnosis"] = np.asarray(merge, np.int32)[known["diagnosis"]]
    return dataclasses.replace(drawn, table=dataclasses.replace(table, labels=labels), fetch=fetch)
