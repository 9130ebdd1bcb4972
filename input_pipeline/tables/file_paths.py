"""Paths of files as tables write them."""

import os
import posixpath
import re
from collections.abc import Sequence
from pathlib import Path

from input_pipeline.tables.table_error import Setting, TableError


def local_path(cell: str, line: int) -> str:
    """A path cell with forward slashes. Raises: TableError if empty or Windows-absolute."""
    if not cell:
        raise TableError(f"line {line}: the path is empty")
    if os.name != "nt" and (re.match(r"[A-Za-z]:[\\/]", cell) or cell.startswith("\\\\")):
        raise TableError(
            f"line {line}: {cell!r} is an absolute Windows path, which leads nowhere on this "
            "machine; write paths relative to a folder and set "
            f"{Setting('data.root')} to that folder"
        )
    return posixpath.normpath(cell.replace("\\", "/"))


def check_files(items: Sequence[str], lines: Sequence[int], base: Path) -> None:
    """Raises TableError where a path is no file; `lines` of the table and `base` are for people."""
    absent = [i for i, item in enumerate(items) if not os.path.isfile(item)]
    if absent:
        some = "; ".join(f"line {lines[i]}: {items[i]}" for i in absent[:3])
        raise TableError(
            f"{len(absent)} of {len(items)} files are not there, the first: {some}. Relative paths "
            f"start from {base}; set "
            f"{Setting('data.root')} to another folder, or "
            f"{Setting('data.on_bad')}=skip to go on without them"
        )


def expanded(path: str | os.PathLike[str]) -> Path:
    """A path whose `~` stands for a home folder; `~tmp.csv` may be a file's own name.

    What is there goes by its own name; a user who is not known stays as written.
    """
    given = Path(path)
    try:
        return given if given.exists() else Path(os.path.expanduser(given))
    except (OSError, ValueError):  # a name too long, or with a NUL: opening it says so
        return given
