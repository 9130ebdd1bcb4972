"""Quality scores of given photographs from anybody's tables, and from the maps that predict writes.

A score is higher where a photograph is worse. What stands in a table as the words good, usable,
reject (or gradable, ungradable) counts as 0, 1, 2. A photograph that a method calls out of scope
has the score +inf: it is rejected before all others.
"""

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fiqa_jax.maps import landmarks
from fiqa_jax.predictions.joins import stem
from input_pipeline import plain_text
from input_pipeline.tables import folders
from input_pipeline.tables.columns import Sheet, header, read_sheet
from input_pipeline.tables.examples import GRADABLE, QUALITY
from input_pipeline.tables.table_error import TableError, given

TABLE, MAPS = folders.TABLE, "maps"  # what predict writes
_WORDS = {word: float(code) for words in (QUALITY, GRADABLE) for code, word in enumerate(words)}

Floats = NDArray[np.float64]


class ScoreError(ValueError):
    """A table of scores that does not fit; names the file and the photograph, and what to do."""


@dataclasses.dataclass(frozen=True)
class Scores:
    """One score of N photographs.

    Attributes:
      value: `[N]` higher = worse, +inf out of scope; NaN where there is none.
      why: `[N]` what is wrong where it is NaN, else ''.
      notes: sentences on what was read.
    """

    value: Floats
    why: list[str]
    notes: tuple[str, ...] = ()


def column(
    file: Path, name: str, photographs: Sequence[str], *, ids: str = "id", exact: bool = False
) -> Scores:
    """A column of a table.

    Args:
      file: CSV with a column of ids; with a column `status`, only rows that say `ok` or
        `out_of_scope` have scores.
      name: of the column; with a minus before it the column is higher where a photograph is better.
      photographs: N ids.
      ids: the column of ids; `exact`: compare whole ids, else file stems.

    Raises:
      ScoreError: no such file or column, an id twice, a cell that is neither number nor grade.
    """
    sheet, rows = _read(file, photographs, ids, exact)
    wanted, sign = (name[1:], -1.0) if name.startswith("-") else (name, 1.0)
    cells = sheet.columns.get(header(wanted))
    if cells is None:
        raise ScoreError(
            f"{file}: no column {wanted!r}; there are {[*sheet.columns]}. Say which one is the "
            "score with NAME=FILE:COLUMN"
        )

    def value(row: int) -> float:
        cell = cells[row].casefold()
        try:
            return sign * (_WORDS[cell] if cell in _WORDS else float(cell or "nan"))
        except ValueError:
            raise ScoreError(
                f"{file}, line {sheet.lines[row]}, column {wanted!r}: {cells[row]!r} is neither a "
                f"number nor one of {[*_WORDS]}"
            ) from None

    return _scores(sheet, rows, photographs, value, f"column {wanted!r} is empty or no number")


def of_maps(folder: Path, photographs: Sequence[str], *, exact: bool = False) -> dict[str, Scores]:
    """Three scores from what `python -m fiqa_jax.predict --maps --output FOLDER` wrote.

    `mean` is the mean of the map over the field (the column `score` of a model that only draws
    maps; else the mean of the whole square). `bad area` is the share of the field that is bad, and
    `bad disc and macula` that of the two regions together. Where only one of them was found, it is
    that one's, and where neither was, that of the field.

    Args:
      folder: with predictions.csv and maps/, or its maps/.
      photographs: N ids; `exact`: compare whole ids, else file stems.

    Raises:
      ScoreError: no such files, no maps.
    """
    if not (folder / TABLE).is_file() and (folder.parent / TABLE).is_file():
        folder = folder.parent
    file = folder / TABLE
    sheet, rows = _read(file, photographs, "id", exact)
    if absent := {"map", "score", "status"} - sheet.columns.keys():
        raise ScoreError(f"{file}: no columns {sorted(absent)}; give what predict --maps wrote")
    maps = sheet.columns["map"]
    if not any(maps):
        raise ScoreError(f"{file}: no row names a map; run predict with --maps")
    graded = [sheet.columns[n] for n in ("p_good", "p_ungradable") if n in sheet.columns]
    shares: dict[int, Mapping[str, Any]] = {}
    fallen = {"disc": 0, "macula": 0, "both": 0}

    def region(row: int, name: str) -> float:
        if not maps[row]:
            return float("nan")
        if row not in shares:
            shares[row] = _json(folder / Path(maps[row]).with_suffix(".json"))
        value = shares[row].get(name)
        return float("nan") if value is None else float(value)

    def mean(row: int) -> float:
        if not any(cells[row] for cells in graded):
            return float(sheet.columns["score"][row] or "nan")
        if not maps[row]:
            return float("nan")
        return float(_array(folder / Path(maps[row]).with_suffix(".npy")).mean())

    def landmark(row: int) -> float:
        disc, macula = region(row, "disc"), region(row, "macula")
        if np.isnan(disc) and np.isnan(macula):
            fallen["both"] += 1
            return region(row, "field")
        if np.isnan(disc) or np.isnan(macula):
            fallen["disc" if np.isnan(disc) else "macula"] += 1
            return macula if np.isnan(disc) else disc
        area = landmarks.MACULA**2  # in discs
        return (disc + area * macula) / (1 + area)

    why = "no map"
    out = {
        "mean": _scores(sheet, rows, photographs, mean, why),
        "bad area": _scores(sheet, rows, photographs, lambda r: region(r, "field"), why),
        "bad disc and macula": _scores(sheet, rows, photographs, landmark, why),
    }
    if any(fallen.values()):
        note = (
            f"no disc found in {fallen['disc']:,} (the macula counts), no macula in "
            f"{fallen['macula']:,} (the disc counts), neither in {fallen['both']:,} (the field)"
        )
        scores = out["bad disc and macula"]
        out["bad disc and macula"] = dataclasses.replace(scores, notes=(*scores.notes, note))
    return out


def _read(file: Path, photographs: Sequence[str], ids: str, exact: bool) -> tuple[Sheet, list[int]]:
    """The table, and the row of each photograph, -1 where it has none."""
    try:
        sheet = read_sheet(file)
    except TableError as error:
        raise ScoreError(error.worded(given)) from None
    if {"schema", "status"} <= sheet.columns.keys():  # ours: see `predictions`
        plain = {k: list(map(plain_text.read_cell, cells)) for k, cells in sheet.columns.items()}
        sheet = dataclasses.replace(sheet, columns=plain)
    if header(ids) not in sheet.columns:
        raise ScoreError(
            f"{file}: no column {ids!r}; name it with --id; there are {[*sheet.columns]}"
        )
    key: Callable[[str], str] = str if exact else stem
    place: dict[str, int] = {}
    for row, name in enumerate(sheet.columns[header(ids)]):
        if key(name) in place:
            raise ScoreError(
                f"{file}, line {sheet.lines[row]}: id {name!r} stands there before, as "
                f"{sheet.columns[header(ids)][place[key(name)]]!r}; ids must be unique "
                "(--exact-ids compares them whole)"
            )
        place[key(name)] = row
    return sheet, [place.get(key(name), -1) for name in photographs]


def _scores(
    sheet: Sheet,
    rows: Sequence[int],
    photographs: Sequence[str],
    value: Callable[[int], float],
    empty: str,
) -> Scores:
    """The scores of rows; status decides before the cell does."""
    status = sheet.columns.get("status", ["ok"] * len(sheet.lines))
    out, why = np.full(len(photographs), np.nan), [""] * len(photographs)
    outside = 0
    for i, (row, name) in enumerate(zip(rows, photographs, strict=True)):
        if row < 0:
            why[i] = f"{sheet.file}: no row with id {name!r}"
        elif status[row] == "out_of_scope":
            out[i] = np.inf
            outside += 1
        elif status[row] != "ok":
            why[i] = f"{sheet.file}, id {name!r}: status {status[row]!r}"
        else:
            out[i] = value(row)
            if not np.isfinite(out[i]):
                out[i], why[i] = np.nan, f"{sheet.file}, id {name!r}: {empty}"
    notes = [f"{outside:,} out of scope, rejected first"] if outside else []
    more = len(sheet.lines) - sum(row >= 0 for row in rows)
    notes += [f"{more:,} rows of other photographs not used"] if more else []
    return Scores(out, why, tuple(notes))


def _json(file: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ScoreError(f"{file}: cannot be read as the shares of a map ({error})") from None
    if not isinstance(content, dict) or "field" not in content:
        raise ScoreError(f"{file}: no share of the field; give what predict --maps wrote")
    return content


def _array(file: Path) -> Floats:
    try:
        return np.asarray(np.load(file, allow_pickle=False), np.float64)
    except (OSError, ValueError) as error:
        raise ScoreError(f"{file}: cannot be read as a map ({error})") from None
