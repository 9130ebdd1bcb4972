"""Which photographs of a source show no round field of view, or no eye: looked at once, and listed.

Training takes both as they are, so that labels such as "reject" keep their photographs; but a run
says how many there are, since `predict` does not judge what shows no eye.
"""

import concurrent.futures
import csv
import dataclasses
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from input_pipeline import atomic, progress
from input_pipeline.photo.errors import PhotoError
from input_pipeline.photo.reader import Photo
from input_pipeline.tables.examples import Source

LISTED = "no_field.csv"
COLUMNS = ("id", "path", "split", "what", "seen")


@dataclasses.dataclass(frozen=True)
class Found:
    """Photographs without a round field."""

    rows: tuple[tuple[str, ...], ...]  # COLUMNS of each; what: 'frame' | 'out_of_scope'
    of: int  # photographs looked at

    def lines(self) -> list[str]:
        """What to tell a person; nothing where every photograph has its field."""
        out = []
        for what, says in (
            ("frame", "have no round field of view: taken whole"),
            ("out_of_scope", "show no eye, and predict does not judge such pictures"),
        ):
            splits = [row[2] or "no split" for row in self.rows if row[3] == what]
            if splits:
                parts = ", ".join(f"{s} {splits.count(s)}" for s in dict.fromkeys(splits))
                out.append(f"{len(splits)} of {self.of} photographs {says} ({parts})")
        return out


def look(source: Source, split: np.ndarray, workers: int, directory: str | os.PathLike) -> Found:
    """Looks at every photograph of a source that opens photographs; once for a work directory.

    Args:
      source: where the photographs are.
      split: `[N] str`, of each.
      workers: photographs read at a time.
      directory: where LISTED is written; it is read there where it belongs to the same source.
    """
    opened: Callable[[Any], Photo] | None = getattr(source.reader, "look", None)
    if opened is None:
        return Found((), 0)
    file, stamp = Path(directory) / LISTED, f"# {source.digest}"
    known = _known(file, stamp)
    if known is None:
        with concurrent.futures.ThreadPoolExecutor(workers, "fields") as pool:
            seen = pool.map(lambda item: _seen(opened, item), source.items.tolist())
            bar = progress.bar(len(source.items), "image", f"fields of {source.name}", seen)
            known = {row: what for row, what in enumerate(bar) if what is not None}
    table = source.table
    rows = tuple(
        (str(table.id[row]), str(table.path[row]), str(split[row]), *what)
        for row, what in sorted(known.items())
    )
    if directory:
        Path(directory).mkdir(parents=True, exist_ok=True)
        text = [(*row, str(number)) for row, number in zip(rows, sorted(known), strict=True)]
        atomic.write_csv(file, (*COLUMNS, "row"), [*text, (stamp, "", "", "", "", "")])
    return Found(rows, len(source.items))


def _seen(opened: Callable[[Any], Photo], item: Any) -> tuple[str, str] | None:
    try:
        photo = opened(item)
    except PhotoError:
        return None  # told elsewhere
    if photo.scope:
        return "out_of_scope", photo.scope
    return None if photo.field == "circle" else ("frame", photo.meta.get("field", ""))


def _known(file: Path, stamp: str) -> dict[int, tuple[str, str]] | None:
    """What was found before in the same source, None where nobody looked."""
    try:
        with file.open(encoding="utf-8", newline="") as lines:
            rows = list(csv.reader(lines))
    except OSError:
        return None
    if len(rows) < 2 or rows[-1][0] != stamp:
        return None
    return {int(row[5]): (row[3], row[4]) for row in rows[1:-1]}
