"""Which mask belongs to which photograph: by a column of a table, or by the names of files."""

import collections
import os
import posixpath
import re
from collections.abc import Mapping, Sequence

from input_pipeline.photo.file_type import SUFFIXES
from input_pipeline.tables import columns as sheets
from input_pipeline.tables import file_paths
from input_pipeline.tables.table_error import Setting, TableError


def in_column(
    paths: Sequence[str],
    table: str | os.PathLike,
    *,
    root: str | os.PathLike = "",
    columns: Mapping[str, str] | None = None,
    require_files: bool = True,
) -> list[str]:
    """Masks that a table names in its column `vessels`, beside the photograph's path.

    Args:
      paths: N photographs, as `sources.csv_source` lists them in its table.
      table: the CSV file they are from.
      root: folder that relative paths start from; the table's own folder when empty.
      columns: 'path' and 'vessels' -> name of the column, where the file calls it otherwise.
      require_files: a mask that is no file is an error.

    Returns:
      N paths of files, '' where the cell is empty or the column not there.

    Raises:
      TableError: a column that is not there or likely misspelt, a mask that is not there.
    """
    sheet = sheets.read_sheet(table)
    purposes = {"path": sheets.COLUMNS["path"], "vessels": ("vessels",)}
    names = sheets.find_columns(sheet, purposes, columns or {})
    if "vessels" not in names:
        return [""] * len(paths)
    base = file_paths.expanded(root) if root else sheet.file.parent
    cells = zip(
        sheet.columns[names["path"]], sheet.columns[names["vessels"]], sheet.lines, strict=True
    )
    masks: dict[str, tuple[str, int]] = {}
    try:
        for path, mask, line in cells:
            if mask:
                file = base / file_paths.expanded(file_paths.local_path(mask, line))
                masks[file_paths.local_path(path, line)] = os.path.abspath(file), line
        there = [masks[path] for path in paths if path in masks]
        if require_files:
            file_paths.check_files([file for file, _ in there], [line for _, line in there], base)
    except TableError as error:
        raise error.within(f"{sheet.file}, column {names['vessels']!r}: ") from None
    return [masks[path][0] if path in masks else "" for path in paths]


def in_folder(paths: Sequence[str], folder: str | os.PathLike) -> list[str]:
    """Masks in a folder that are called like the photographs.

    The mask of `a/eye.jpg` is `a/eye.png` there, or `a/eye_vessels.png` (anything behind _, - or
    .), or such a file without the `a/`; the ending may be that of any picture.

    Args:
      paths: N relative paths of photographs, with /.
      folder: of masks, with subfolders or without.

    Returns:
      N paths of files, '' where there is none.

    Raises:
      TableError: no such folder, no mask for any photograph, several for one, or one for several.
    """
    root = file_paths.expanded(folder)
    if not root.is_dir():
        raise TableError(
            f"{root}: there is no such folder; set {Setting('data.vessels')} to a folder"
        )
    exact: dict[str, list[str]] = collections.defaultdict(list)
    longer: dict[str, list[str]] = collections.defaultdict(list)
    files = [f for f in root.rglob("*") if f.suffix.lower() in SUFFIXES and f.name[0] != "."]
    for file in sorted(files):
        name = file.relative_to(root).with_suffix("").as_posix()
        exact[name].append(str(file))
        for cut in re.finditer(r"[_.-]", posixpath.basename(name)):
            stem = posixpath.join(posixpath.dirname(name), posixpath.basename(name)[: cut.start()])
            longer[stem].append(str(file))
    out: list[str] = []
    owner: dict[str, str] = {}
    for path in paths:
        stem = posixpath.splitext(path)[0]
        names = dict.fromkeys((stem, posixpath.basename(stem)))
        matches = next((k[n] for k in (exact, longer) for n in names if n in k), [])
        if len(matches) > 1:
            raise TableError(
                f"{root}: {path} has several masks, {', '.join(map(os.path.basename, matches))}; "
                "leave one, or name it in a column `vessels` of a table"
            )
        mask = os.path.abspath(matches[0]) if matches else ""
        if mask and owner.setdefault(mask, path) != path:
            raise TableError(
                f"{mask}: is it the mask of {owner[mask]} or of {path}? Put masks into the same "
                "subfolders as the photographs"
            )
        out.append(mask)
    if not any(out):
        raise TableError(
            f"{root}: no mask of {len(files)} there is called like a photograph; the first "
            f"photograph is {paths[0]}, its mask would be {posixpath.splitext(paths[0])[0]}.png"
        )
    return out
