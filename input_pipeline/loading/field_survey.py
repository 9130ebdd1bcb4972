"""What the fields of a source's photographs are like: looked at once, listed, and told in a line.

Training, evaluation and use decide alike: a picture that shows no eye is left out of training as
`predict` leaves it out, and what limits a decision on a photograph (too few pixels, little of the
field, nothing to be seen) limits it in a stage's predictions, too.
"""

import concurrent.futures
import csv
import dataclasses
import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from input_pipeline import atomic, progress
from input_pipeline.photo.errors import PhotoError
from input_pipeline.photo.reader import Photo
from input_pipeline.tables.examples import Source

COLUMNS = ("id", "path", "split", "what", "seen", "across", "shown", "empty")
FRAME, OUT_OF_SCOPE, CIRCLE = "frame", "out_of_scope", "circle"


@dataclasses.dataclass(frozen=True)
class Seen:
    """A photograph's field; see `photo.reader.Photo`."""

    what: str  # circle | frame (none was found) | out_of_scope
    seen: str  # of the field, or what the picture shows
    across: float
    shown: float  # NaN where it is not known
    empty: str

    @property
    def plain(self) -> bool:
        """Whether there is nothing to say of it: a whole round field of very many pixels."""
        return self.what == CIRCLE and self.shown >= 1 and not self.empty and self.across >= 1024


@dataclasses.dataclass(frozen=True)
class Survey:
    """What was seen.

    Attributes:
      fields: row of the source -> its field, of those that are not plain.
      split: `[N] str` of each row.
    """

    fields: Mapping[int, Seen]
    split: np.ndarray
    file: str = ""  # where they are listed

    def rows(self, what: str) -> np.ndarray:
        """Rows `[n] int64` of one kind: `FRAME`, or `OUT_OF_SCOPE`, pictures that show no eye."""
        found = [row for row, one in self.fields.items() if one.what == what]
        return np.array(sorted(found), np.int64)

    def lines(self, *, kept: bool = False, whole: bool = True) -> list[str]:
        """What to tell a person; nothing where every photograph has its field.

        Args:
          kept: pictures that show no eye are trained on.
          whole: photographs without a round field are taken whole, else as unreadable ones.
        """
        out = []
        no_eye = "kept, and judged in use" if kept else "left out, as in use"
        no_field = "taken whole" if whole else "taken as unreadable (data.no_field=error)"
        for what, says in (
            (FRAME, f"have no round field of view: {no_field}"),
            (OUT_OF_SCOPE, f"show no eye: {no_eye}"),
        ):
            rows = [row for row, one in sorted(self.fields.items()) if one.what == what]
            splits = [str(self.split[row]) or "no split" for row in rows]
            if splits:
                parts = ", ".join(f"{s} {splits.count(s)}" for s in dict.fromkeys(splits))
                line = f"{len(splits)} of {len(self.split)} photographs {says} ({parts})"
                out.append(line + (f", listed in {self.file}" if self.file else ""))
        return out


def look(source: Source, split: np.ndarray, workers: int, directory: str | os.PathLike) -> Survey:
    """Looks at every photograph of a source that opens photographs; once for a work directory.

    Args:
      source: where the photographs are.
      split: `[N] str`, of each.
      workers: photographs read at a time.
      directory: where the list is written, and read where it is there; '' for no list.
    """
    opened: Callable[[Any], Photo] | None = getattr(source.reader, "look", None)
    if opened is None:
        return Survey({}, split)
    file = list_of(source, directory) if directory else None
    known = _known(file) if file else None
    if known is None:
        with concurrent.futures.ThreadPoolExecutor(workers, "fields") as pool:
            seen = pool.map(lambda item: _seen(opened, item), source.items.tolist())
            bar = progress.bar(len(source.items), "image", f"fields of {source.name}", seen)
            known = {row: one for row, one in enumerate(bar) if one is not None and not one.plain}
    if file:
        _write(file, source, split, known)
    return Survey(known, split, str(file or ""))


def list_of(source: Source, directory: str | os.PathLike) -> Path:
    """Where a work directory lists the photographs of a source that `look` had something to say of.

    It is there once a run has looked at that source, whether or not it left photographs out.
    """
    return Path(directory) / f"fields_{source.digest[:12]}.csv"


def _seen(opened: Callable[[Any], Photo], item: Any) -> Seen | None:
    try:
        photo = opened(item)
    except PhotoError:
        return None  # told elsewhere
    what = OUT_OF_SCOPE if photo.scope else CIRCLE if photo.field == CIRCLE else FRAME
    told = photo.scope or photo.meta.get("field", "")
    return Seen(what, told, float(photo.across), float(photo.shown), photo.empty)


def _write(file: Path, source: Source, split: np.ndarray, known: Mapping[int, Seen]) -> None:
    """The list, with the row's number behind the columns."""
    file.parent.mkdir(parents=True, exist_ok=True)
    table, rows = source.table, []
    for row, one in sorted(known.items()):
        about = (str(table.id[row]), str(table.path[row]), str(split[row]), one.what, one.seen)
        rows.append((*about, f"{one.across:.1f}", f"{one.shown:.4f}", one.empty, str(row)))
    atomic.write_csv(file, (*COLUMNS, "row"), rows)


def _known(file: Path) -> dict[int, Seen] | None:
    """What was found before in the same source, None where nobody looked or the list is damaged."""
    try:
        with file.open(encoding="utf-8", newline="") as lines:
            rows = list(csv.DictReader(lines))
        return {
            int(r["row"]): Seen(
                r["what"], r["seen"], _number(r["across"]), float(r["shown"]), r["empty"]
            )
            for r in rows
        }
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _number(cell: str) -> float:
    value = float(cell)
    if math.isnan(value):
        raise ValueError(cell)
    return value
