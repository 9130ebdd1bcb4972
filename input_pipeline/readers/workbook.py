"""Excel files of labels as rows of text. Needs openpyxl, the extra `datasets`."""

import os
import warnings
from pathlib import Path

from input_pipeline.tables.columns import Sheet, header
from input_pipeline.tables.table_error import TableError


def rows(path: str | os.PathLike, tab: str = "") -> list[list[str]]:
    """The cells of a tab as text, empty cells as '', without empty rows at the end.

    Args:
      path: .xlsx file.
      tab: its name; '' for the first.

    Raises:
      TableError: openpyxl is not installed, the file cannot be read, or has no such tab.
    """
    try:
        import openpyxl
    except ModuleNotFoundError:
        raise TableError(
            f"{path}: Excel files are read by openpyxl, which is not installed; "
            "pip install 'fiqa-jax[datasets]'"
        ) from None
    try:
        with warnings.catch_warnings():  # on styles and extensions, which hold no labels
            warnings.simplefilter("ignore")
            book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except Exception as error:
        raise TableError(f"{path}: cannot be read as an Excel file ({error})") from None
    try:
        if tab and tab not in book.sheetnames:
            raise TableError(f"{path}: no tab {tab!r}; there are {book.sheetnames}")
        cells = book[tab or book.sheetnames[0]].iter_rows(values_only=True)
        out = [["" if cell is None else str(cell).strip() for cell in row] for row in cells]
    finally:
        book.close()
    while out and not any(out[-1]):
        out.pop()
    return out


def read(path: str | os.PathLike) -> Sheet:
    """The first tab as a `Sheet`: one header row, names in lower case with _ for blanks.

    Raises:
      TableError: as `rows`; no rows, or a name that stands twice in the header.
    """
    cells = rows(path)
    if len(cells) < 2:
        raise TableError(f"{path}: {len(cells)} rows, expected a header and labels")
    names = [header(cell) for cell in cells[0]]
    kept = [i for i, name in enumerate(names) if name]
    if len({names[i] for i in kept}) < len(kept):
        raise TableError(f"{path}: a name stands twice in the header {names}")
    lines = [number for number, row in enumerate(cells[1:], 2) if any(row)]
    columns = {names[i]: [cells[line - 1][i] for line in lines] for i in kept}
    return Sheet(Path(path), columns, lines)
