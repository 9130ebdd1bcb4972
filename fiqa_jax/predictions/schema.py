"""Prediction rows: one versioned schema, written by predict and by every evaluation, read by all.

A row is a plain dict. CSV, JSONL and Parquet (`parquet_table`) hold the same columns; an empty cell
(null in the others) means that the model has no such output or the label is absent. In CSV, text
that a spreadsheet would take for a formula has an apostrophe in front, which `read_rows` takes away
(`plain_text.cell`). Probabilities keep nine digits, enough to give every float32 back.

Columns of schema 1, in order: path, id, patient, status (ok | error | out_of_scope | skipped: a
file of a folder that is no photograph, without a decision), error,
quality (good | usable | reject, or gradable | ungradable), p_good, p_usable, p_reject,
p_ungradable, p_<defect>..., diagnosis, p_diagnosis_<name>..., score (higher worse), bad_area,
reasons, advice, decision (accept | review | recapture), map (file of the drawn map), model,
schema; in evaluation files also true_quality (word), true_ungradable (0/1), true_<defect> (0/1,
1 = defect), true_diagnosis (name).
"""

import dataclasses
import json
import math
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from input_pipeline import atomic, plain_text
from input_pipeline.tables import columns as tables
from input_pipeline.tables import parquet_file
from input_pipeline.tables.examples import QUALITY
from input_pipeline.tables.table_error import TableError

SCHEMA = 1
STATUSES = ("ok", "error", "out_of_scope", "skipped")
_HEAD = ("path", "id", "patient", "status", "error", "quality")
_TAIL = ("score", "bad_area", "reasons", "advice", "decision", "map", "model", "schema")
GRADES = (*(f"p_{name}" for name in QUALITY), "p_ungradable")
DIAGNOSIS = "p_diagnosis_"

Row = dict[str, Any]


class PredictionsError(ValueError):
    """A prediction file that cannot be read: names the file, the row and what was expected."""


def columns(
    details: Sequence[str] = (), diagnosis: Sequence[str] = (), *, truth: bool = False
) -> tuple[str, ...]:
    """Column names in order.

    Args:
      details: names of the defects; `diagnosis`: names of the diagnosis classes.
      truth: with the true_* columns of an evaluation file.

    Raises:
      ValueError: a detail named like another column (say, 'good').
    """
    names = [
        *_HEAD,
        *GRADES,
        *(f"p_{name}" for name in details),
        *(("diagnosis",) if diagnosis else ()),
        *(DIAGNOSIS + name for name in diagnosis),
        *_TAIL,
    ]
    if truth:
        names += ["true_quality", "true_ungradable", *(f"true_{name}" for name in details)]
        names += ["true_diagnosis"] if diagnosis else []
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"columns {twice} would exist twice; give the detail another name")
    return tuple(names)


def _cell(value: Any) -> Any:
    if isinstance(value, float):
        return None if math.isnan(value) else float(f"{value:.9g}")
    return value


def write_csv(path: str | os.PathLike[str], rows: Iterable[Row], names: Sequence[str]) -> None:
    """Writes rows as UTF-8 CSV, whole or not at all.

    Raises:
      ValueError: a row with a column that is not among names.
    """
    atomic.write_csv(path, names, cells(rows, names))


def cells(rows: Iterable[Row], names: Sequence[str]) -> Iterator[list[Any]]:
    """The values of a table, row by row those of the columns `names`; None where there is none.

    Raises:
      ValueError: a row with a column that is not among names.
    """
    known = set(names)
    for row in rows:
        if unknown := sorted(set(row) - known):
            raise ValueError(f"row {row.get('id')!r} has unknown columns {unknown}")
        yield [_cell(row.get(name)) for name in names]


def append_jsonl(path: str | os.PathLike[str], rows: Iterable[Row]) -> None:
    """Appends rows to the log of a resumable run; they are on disk when this returns."""
    data = "".join(map(json_line, rows)).encode()
    try:
        with open(path, "ab") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        if error.errno in atomic.FULL:
            raise atomic.full(error, path, len(data)) from None
        raise


def write_jsonl(path: str | os.PathLike[str], rows: Iterable[Row]) -> None:
    """Writes a log anew, whole or not at all."""
    atomic.write(path, "".join(map(json_line, rows)).encode())


def json_line(row: Row) -> str:
    """A row as a line of a log."""
    return plain_text.json_line({name: _cell(value) for name, value in row.items()})


def resume_jsonl(path: str | os.PathLike[str]) -> Iterator[Row]:
    """Complete rows of a log, one by one; a last line torn by a kill is cut off the file.

    Returns:
      The rows, none where there is no file.

    Raises:
      PredictionsError: a line that is no row, or another schema.
    """
    if not os.path.exists(path):
        return
    data = Path(path).read_bytes()
    whole = data.rfind(b"\n") + 1
    if whole < len(data):
        os.truncate(path, whole)
    del data
    yield from each_row(path)


def read_rows(path: str | os.PathLike[str]) -> list[Row]:
    """Rows of a .csv (cells are str), .jsonl or .parquet file of this schema.

    Raises:
      PredictionsError: no such file, columns missing, an unreadable line, another schema.
    """
    return list(each_row(path))


def each_row(path: str | os.PathLike[str]) -> Iterator[Row]:
    """`read_rows`, one by one, of which only those of a .jsonl file are not held all together."""
    try:
        for line, row in enumerate(_rows(path), 1):
            missing = [
                name for name in (*_HEAD, "schema") if not isinstance(row, dict) or name not in row
            ]
            if missing:
                raise PredictionsError(
                    f"{path}, row {line}: no columns {missing}; expected a file that "
                    "`python -m fiqa_jax.predict` or a recipe wrote (other files: evaluate "
                    "--format)"
                )
            if str(row["schema"]) != str(SCHEMA):
                raise PredictionsError(
                    f"{path}, row {line}: schema {row['schema']!r}; this version reads {SCHEMA}"
                )
            yield row
    except (OSError, UnicodeDecodeError, TableError) as error:
        raise PredictionsError(f"{path}: cannot be read as predictions ({error})") from None


def _rows(path: str | os.PathLike[str]) -> Iterator[Row]:
    """What a file has for rows, whatever it is."""
    if os.fspath(path).endswith(".jsonl"):
        with open(path, encoding="utf-8-sig", newline="\n") as file:
            for line, text in enumerate(file, 1):
                try:
                    if text.strip():
                        yield json.loads(text)
                except ValueError as error:
                    raise PredictionsError(
                        f"{path}, line {line}: no JSON ({error}); delete that line, and a run "
                        "that goes on judges its photograph again"
                    ) from None
    elif parquet_file.is_one(path):
        yield from parquet_file.read(path)[1]
    else:
        (header, *rows), _ = tables.read_cells(path, strip=False)
        for row in rows:
            yield _plain(dict(zip(header, row, strict=True)))


def _plain(row: Row) -> Row:
    return {k: plain_text.read_cell(v) if isinstance(v, str) else v for k, v in row.items()}


@dataclasses.dataclass(frozen=True)
class Predictions:
    """A prediction file as arrays; N rows with status ok, in file order."""

    rows: tuple[Row, ...]  # as read
    id: NDArray[np.str_]  # [N]
    patient: NDArray[np.str_]  # [N]
    outputs: dict[str, NDArray[np.float64]]  # p_quality [N, 3] ... score [N], where they exist
    truth: dict[str, NDArray[np.int64]]  # quality [N] ..., absent = -1, where a label exists
    details: tuple[str, ...]
    diagnosis: tuple[str, ...]
    left_out: dict[str, int]  # how many rows with another status
    refused: tuple[str, ...] = ()  # ids of these rows


def load(path: str | os.PathLike[str]) -> Predictions:
    """Reads a prediction file into arrays (see Predictions).

    Raises:
      PredictionsError: see read_rows; a cell that is no number, label or class; duplicate ids.
    """
    every = read_rows(path)
    rows = [row for row in every if row["status"] == "ok"]
    names = list(every[0]) if every else list(columns())
    diagnosis = tuple(n.removeprefix(DIAGNOSIS) for n in names if n.startswith(DIAGNOSIS))
    taken = (*GRADES, *(DIAGNOSIS + name for name in diagnosis))
    details = tuple(n[2:] for n in names if n.startswith("p_") and n not in taken)

    def numbers(name: str) -> NDArray[np.float64]:
        return np.array([_number(path, row, name) for row in rows], np.float64).reshape(len(rows))

    def block(parts: Sequence[str]) -> NDArray[np.float64]:
        return np.stack([numbers(name) for name in parts], -1) if parts else np.empty((0, 0))

    outputs = {
        "p_quality": block(GRADES[:3]),
        "p_ungradable": numbers("p_ungradable"),
        "p_details": block([f"p_{name}" for name in details]),
        "p_diagnosis": block([DIAGNOSIS + name for name in diagnosis]),
        "score": numbers("score"),
        "bad_area": numbers("bad_area"),
    }
    truth = {
        "quality": np.array([_class(path, row, "true_quality", QUALITY) for row in rows]),
        "ungradable": np.array([_class(path, row, "true_ungradable", "01") for row in rows]),
        "details": np.array(
            [[_class(path, row, f"true_{name}", "01") for name in details] for row in rows]
        ),
        "diagnosis": np.array([_class(path, row, "true_diagnosis", diagnosis) for row in rows]),
    }
    ids = [str(row["id"]) for row in rows]
    if len(set(ids)) < len(ids):
        first = next(name for name in ids if ids.count(name) > 1)
        raise PredictionsError(f"{path}: id {first!r} stands in more than one row")
    others = [row for row in every if row["status"] != "ok"]
    statuses = [row["status"] for row in others]
    return Predictions(
        tuple(rows),
        np.array(ids, np.str_),
        np.array([str(row["patient"]) for row in rows], np.str_),
        {key: value for key, value in outputs.items() if np.isfinite(value).any()},
        {key: value for key, value in truth.items() if (value >= 0).any()},
        details,
        diagnosis,
        {status: statuses.count(status) for status in STATUSES[1:] if status in statuses},
        tuple(str(row["id"]) for row in others),
    )


def _number(path: str | os.PathLike[str], row: Row, name: str) -> float:
    value = row.get(name)
    if value is None or value == "":
        return float("nan")
    try:
        return tables.number(value) if isinstance(value, str) else float(value)
    except ValueError:
        where = f"{path}, id {row['id']!r}, column {name}"
        raise PredictionsError(f"{where}: {value!r} is no number") from None


def _class(path: str | os.PathLike[str], row: Row, name: str, names: Sequence[str]) -> int:
    value = row.get(name)
    if value is None or value == "":
        return -1
    if str(value) not in names:
        where = f"{path}, id {row['id']!r}, column {name}"
        raise PredictionsError(f"{where}: {value!r} is none of {list(names)}")
    return list(names).index(str(value))
