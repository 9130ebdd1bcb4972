"""The cells of a CSV or Parquet file, and which of its columns serves what."""

import csv
import dataclasses
import difflib
import io
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from input_pipeline.tables import parquet_file
from input_pipeline.tables.file_paths import expanded
from input_pipeline.tables.table_error import PATH, Setting, TableError

# What a column is for -> the names it may have; the first one found counts.
COLUMNS = {
    "path": ("path", "image", "file", "filename", "image_path", "file_name"),
    "id": ("id",),
    "patient": ("patient", "patient_id"),
    "split": ("split",),
    "quality": ("quality",),
    "ungradable": ("ungradable",),
    "gradable": ("gradable",),
    "diagnosis": ("diagnosis",),
}

# How tables and folders call a split -> how it is called here.
SPLIT_WORDS = {
    **{"train": "train", "training": "train"},
    **{"val": "val", "valid": "val", "validation": "val", "dev": "val"},
    **{"test": "test", "testing": "test"},
}


@dataclasses.dataclass(frozen=True)
class Sheet:
    """The cells of a table: `columns[name]` [N] str, and the line of the file each row ends in."""

    file: Path
    columns: dict[str, list[str]]
    lines: list[int]


def read_cells(path: str | os.PathLike, *, strip: bool = True) -> tuple[list[list[str]], list[int]]:
    """Rows of a CSV file as text, the header first, and the line of the file each ends in.

    Commas, semicolons or tabs; a byte order mark, an Excel `sep=;` line and blank lines are passed
    over. Every row is as long as the header. Blanks about a cell go, with `strip`. A Parquet
    file is read as the CSV that Python would write of it, a row for a line.

    Raises:
      TableError: no such file, no UTF-8, no header, a line of another length; see `parquet_file`.
    """
    file = expanded(path)
    if parquet_file.is_one(file):
        names, rows = parquet_file.read(file)
        whole = [names, *([_text(row[name]) for name in names] for row in rows)]
        if strip:
            whole = [[cell.strip() for cell in row] for row in whole]
        return whole, list(range(1, len(whole) + 1))
    if not str(path):
        raise TableError(f"data.path is empty; {PATH} the CSV table")
    if not file.is_file():
        raise TableError(f"{file}: there is no such file; {PATH} a CSV table")
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TableError(
            f"{file}: byte {error.start} is not UTF-8; save the table as 'CSV UTF-8'"
        ) from None
    skipped, delimiter = 0, ""
    if match := re.match(r'"?sep=(.)"?[ \t]*\r?\n', text):
        skipped, delimiter, text = 1, match[1], text[match.end() :]
    head = next((row for row in text.splitlines() if row.strip()), "")
    if not head:
        raise TableError(f"{file}: the file is empty; expected a header and one line a photograph")
    delimiter = delimiter or max(",;\t", key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    cells, lines = [], []
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                cells.append([cell.strip() for cell in row] if strip else row)
                lines.append(reader.line_num + skipped)
    except csv.Error as error:
        raise TableError(f"{file}, line {reader.line_num + skipped}: {error}") from None
    for row, line in zip(cells[1:], lines[1:], strict=True):
        if len(row) != len(cells[0]):
            raise TableError(
                f"{file}, line {line}: {len(row)} cells, the header has {len(cells[0])}; put "
                f"quotes around cells that hold {delimiter!r}"
            )
    return cells, lines


def _text(value: Any) -> str:
    return "" if value is None or value != value else str(value)


def read_sheet(path: str | os.PathLike) -> Sheet:
    """The cells of a file as text, header names lower case with _ for blanks; see `read_cells`.

    Raises:
      TableError: see `read_cells`; no rows, or one name for two columns.
    """
    cells, lines = read_cells(path)
    file = expanded(path)
    names = [header(cell) for cell in cells[0]]
    double = sorted({name for name in names if name and names.count(name) > 1})
    if double:
        raise TableError(f"{file}: columns {double} stand more than once in the header")
    if len(cells) == 1:
        raise TableError(f"{file}: a header but no rows; expected one line for each photograph")
    columns = {name: [row[i] for row in cells[1:]] for i, name in enumerate(names)}
    return Sheet(file, columns, lines[1:])


def find_columns(
    sheet: Sheet, purposes: Mapping[str, Sequence[str]], columns: Mapping[str, str]
) -> dict[str, str]:
    """Finds which column serves what.

    Args:
      sheet: the cells.
      purposes: purpose -> names a column for it may have; the first one found counts.
      columns: purpose -> name of the column, said by the user; '' for none.

    Returns:
      Purpose -> name of the column, for those that are there.

    Raises:
      TableError: no path; a column of `columns` that is not there; a column that is likely
        a misspelt purpose.
    """
    names = {}
    for purpose, choices in purposes.items():
        if purpose in columns:
            wanted = header(columns[purpose])
            if wanted and wanted not in sheet.columns:
                raise _missing(sheet, columns[purpose], f" (data.columns: {purpose})")
            names[purpose] = wanted
        elif present := [name for name in choices if name in sheet.columns]:
            names[purpose] = present[0]
    if not names.get("path"):
        raise _missing(sheet, "path", " (or one of " + ", ".join(purposes["path"][1:]) + ")")
    # A misspelt column must not pass for one that is not there: labels and patients would be lost.
    for purpose in purposes:
        if purpose not in names and (near := _near(purpose, sheet, {*names.values()})):
            raise _missing(
                sheet,
                purpose,
                f", but {near!r}: if that is it, rename it or set "
                f"{Setting('data.columns')}=\"(('{purpose}','{near}'),)\"; if not, "
                f"(('{purpose}',''),)",
            )
    return {purpose: name for purpose, name in names.items() if name}


def _near(purpose: str, sheet: Sheet, taken: set[str]) -> str:
    """A column that is likely a misspelt `purpose`, or ''."""
    free = [name for name in sheet.columns if name not in taken]
    return next(iter(difflib.get_close_matches(purpose.lower(), free, 1, cutoff=0.85)), "")


def _missing(sheet: Sheet, name: str, hint: str) -> TableError:
    near = difflib.get_close_matches(name.lower(), sheet.columns, 3)
    also = f"; nearest: {near}" if near else ""
    return TableError(
        f"{sheet.file}: no column {name!r}{hint}; the columns are {[*sheet.columns]}{also}"
    )


def number(cell: str) -> float:
    """A number as text; a decimal comma, as some Excels write it, will do. Raises: ValueError."""
    if re.fullmatch(r"\s*[+-]?\d*,\d+([eE][+-]?\d+)?\s*", cell):
        cell = cell.replace(",", ".")
    return float(cell)


def header(cell: str) -> str:
    """A column's name as it is compared: lower case, _ for blanks."""
    return re.sub(r"\s+", "_", cell.strip().lower())
