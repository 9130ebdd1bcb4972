"""Photographs that a list of names leaves out."""

import dataclasses
import os

import numpy as np

from input_pipeline.tables.examples import Source, take
from input_pipeline.tables.file_paths import expanded
from input_pipeline.tables.table_error import Setting, TableError

ASK = "?"  # of data.exclude: a list has to be given


def without(source: Source, file: str | os.PathLike[str]) -> Source:
    """The source without the photographs that a text file names.

    Args:
      source: N photographs.
      file: one name a line, a file's name with or without its ending and folders, in any case; a
        name may stand in several lines, and names that the source does not have are noted.

    Raises:
      TableError: no list is given or there, it names none of the photographs, or all of them.
    """
    if str(file) == ASK:
        raise TableError(
            "a list of photographs to leave out is asked for; set "
            f"{Setting('data.exclude')}=FILE (one name a line), or "
            f"{Setting('data.exclude')}= for none"
        )
    path = expanded(file)
    if not path.is_file():
        raise TableError(
            f"{path}: there is no such list; set "
            f"{Setting('data.exclude')} to a text file with one name a line"
        )
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    names = {_name(line) for line in lines if line.strip()}
    ids = [_name(name) for name in source.table.id.tolist()]
    kept = np.flatnonzero([name not in names for name in ids])
    left_out, unknown = len(ids) - len(kept), len(names - {*ids})
    if not left_out:
        raise TableError(
            f"{path}: none of its {len(names)} names is a photograph of {source.name}; the list "
            f"begins with {min(names, default='nothing')!r}, the photographs with {min(ids)!r}"
        )
    if not len(kept):
        raise TableError(f"{path}: it names all {len(ids)} photographs of {source.name}")
    note = f"left out, as {path.name} names them: {left_out}"
    note += f"; {unknown} of its names are none of these photographs" if unknown else ""
    table = take(source.table, kept)
    table = dataclasses.replace(table, notes=(*table.notes, note))
    return dataclasses.replace(source, table=table, items=source.items[kept])


def _name(text: str) -> str:
    """`Folder/IM000139.JPG ` -> `im000139`."""
    last = text.strip().replace("\\", "/").rpartition("/")[2]
    stem, dot, ending = last.rpartition(".")
    return (stem if dot and ending.isalnum() and len(ending) <= 5 else last).casefold()
