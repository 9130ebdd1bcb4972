"""Examinations from photographs: the best one of each eye, and what is still missing.

    fiqa predict photos/
    fiqa aggregate photos-judged
    fiqa aggregate photos-judged --shown views.csv --views macula,disc --decisions decisions.csv

Patient and eye come from a table (--shown: id, and any of patient, eye, view), else from names like
P101_left.jpg. Photographs themselves are not asked: where a disc lies tells the eye in seven of ten
(RESULTS.md). Writes OUT/exams.csv, a row an eye (and view).
"""

import argparse
import collections
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from fiqa_jax import command
from fiqa_jax.predictions import exams, schema
from fiqa_jax.predictions.exams import Part, Shown
from input_pipeline import atomic
from input_pipeline.tables import eyes, folders
from input_pipeline.tables.table_error import TableError, given

TABLE = "exams.csv"
_LINES = 30  # of what is missing, printed
_EYES = {"l": eyes.LEFT, "os": eyes.LEFT, "r": eyes.RIGHT, "od": eyes.RIGHT, "": ""}
_EYES |= {eyes.LEFT: eyes.LEFT, eyes.RIGHT: eyes.RIGHT}


class AggregateError(ValueError):
    """A table that cannot be used; says which, what was seen and what to do."""


def parser() -> argparse.ArgumentParser:
    """The command line; see the module's docstring."""
    p = argparse.ArgumentParser("fiqa aggregate", description=__doc__.split("\n", 1)[0])
    p.add_argument("folder", metavar="DIR", help="that fiqa predict wrote")
    text = "CSV with a column id and any of patient, eye (left, right, OD, OS), view"
    p.add_argument("--shown", default="", metavar="FILE", help=text)
    p.add_argument("--views", default="", metavar="NAME,...", help="that every eye should have")
    text = "a person's decisions, as the report saves them, in place of the model's"
    p.add_argument("--decisions", default="", metavar="FILE", help=text)
    p.add_argument("--output", default="", metavar="FILE", help=f"CSV to write (DIR/{TABLE})")
    return p


def run(args: argparse.Namespace) -> None:
    """Writes the table and prints what is missing.

    Raises:
      AggregateError, PredictionsError: nothing is written then.
    """
    rows = schema.read_rows(Path(args.folder) / folders.TABLE)
    ids = {str(row["id"]) for row in rows}
    views = tuple(view.strip().lower() for view in args.views.split(",") if view.strip())
    if views and not args.shown:
        raise AggregateError("--views needs --shown FILE with a column 'view' for each photograph")
    known = _shown(args.shown, ids) if args.shown else {}
    decided: dict[str, str] = {}
    if args.decisions:
        cells = _columns(args.decisions, ids, ("decision",))
        decided = _decided(args.decisions, cells)
    parts = exams.exams(rows, known=known, views=views, decided=decided)
    file = Path(args.output) if args.output else Path(args.folder) / TABLE
    atomic.write_csv(file, exams.COLUMNS, [part.cells() for part in parts])
    print(f"{summary(parts)}\n\ntable   {file}")


def summary(parts: Sequence[Part]) -> str:
    """What is complete and what is to be done, for a person."""
    patients = {part.patient for part in parts}
    open_parts = [part for part in parts if part.result != exams.COMPLETE]
    counts = collections.Counter(part.result for part in parts)
    done = len(patients - {part.patient for part in open_parts})
    counted = ", ".join(f"{counts[name]} {name}" for name in counts)
    lines = [
        f"{len(patients)} patients, {done} of them complete; eyes and views: {counted or 'none'}"
    ]
    lines += [f"  {part.patient}  {part.says}" for part in open_parts[:_LINES]]
    if len(open_parts) > _LINES:
        lines.append(f"  and {len(open_parts) - _LINES} more, see the table")
    return "\n".join(lines)


def _shown(file: str, ids: set[str]) -> dict[str, Shown]:
    cells = _columns(file, ids, ())
    empty = [""] * len(cells["id"])
    out = {}
    for name, patient, eye, view in zip(
        cells["id"], *(cells.get(k, empty) for k in ("patient", "eye", "view")), strict=True
    ):
        side = _EYES.get(eye.strip().lower())
        if side is None:
            raise AggregateError(
                f"{file}, id {name!r}: eye {eye!r}; expected left, right, OD, OS, L, R or nothing"
            )
        out[name] = Shown(patient, side, view.strip().lower())
    return out


def _decided(file: str, cells: Mapping[str, list[str]]) -> dict[str, str]:
    """Id -> a person's decision; photographs without one are left out."""
    out = {}
    for name, cell in zip(cells["id"], cells["decision"], strict=True):
        word = cell.strip().lower()
        if word and word not in exams.OWN:
            raise AggregateError(
                f"{file}, id {name!r}: decision {cell!r}; expected {', '.join(exams.OWN)} or "
                "nothing"
            )
        if word:
            out[name] = word
    return out


def _columns(file: str, ids: set[str], needed: Sequence[str]) -> Mapping[str, list[str]]:
    """Columns of a CSV whose column id names photographs of the folder."""
    from input_pipeline.tables.columns import read_sheet

    try:
        cells = read_sheet(file).columns
    except TableError as error:
        raise AggregateError(error.worded(given)) from None
    lacking = [name for name in ("id", *needed) if name not in cells]
    if lacking:
        raise AggregateError(f"{file}: no columns {lacking}; there are {[*cells]}")
    if cells["id"] and not ids & set(cells["id"]):
        raise AggregateError(
            f"{file}: no id of it is one of the folder's; the first is {cells['id'][0]!r}, the "
            f"folder has for example {min(ids, default='none')!r}"
        )
    return cells


main = command.entry(parser, run)

if __name__ == "__main__":
    sys.exit(main())
