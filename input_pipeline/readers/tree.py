"""The files below a folder, and which of them a data set's rows mean.

Copies of the public sets differ in folders and in the endings of files: preprocessed photographs
become .png, archives unpack one level deeper. Files are therefore found by name, wherever they lie
below the folder, and a name that fits several files is settled by the folders around it.
"""

import collections
import dataclasses
import os
import posixpath
from collections.abc import Collection, Sequence
from pathlib import Path

from input_pipeline.photo.file_type import SUFFIXES
from input_pipeline.tables.file_paths import expanded
from input_pipeline.tables.table_error import PATH, TableError


@dataclasses.dataclass(frozen=True)
class Tree:
    """All files below a folder: `files` are relative, with /, sorted."""

    root: Path
    files: tuple[str, ...]


def tree(root: str | os.PathLike) -> Tree:
    """Lists a folder. Links are followed, names that start with a dot are passed over.

    Raises:
      TableError: no such folder.
    """
    folder = expanded(root)
    if not str(root):
        raise TableError(f"no folder of the data set is given; {PATH} it")
    if not folder.is_dir():
        raise TableError(f"{folder}: there is no such folder; {PATH} the data set's folder")
    paths = []
    seen = set()
    for at, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(at)
        if real in seen:  # a link to a folder above would be walked without end
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        inside = os.path.relpath(at, folder).replace(os.sep, "/")
        prefix = "" if inside == "." else f"{inside}/"
        paths += [prefix + name for name in files if not name.startswith(".")]
    return Tree(folder, tuple(sorted(paths)))


def ends_with(files: Tree, name: str) -> list[str]:
    """The relative paths whose last parts are `name` ('train.txt', 'EYEQ/train.txt'), any case."""
    wanted = "/" + name.casefold()
    return [path for path in files.files if f"/{path}".casefold().endswith(wanted)]


def label_file(files: Tree, name: str) -> Path:
    """The one file whose path ends with `name`.

    Raises:
      TableError: there is none, or there are several.
    """
    matches = ends_with(files, name)
    if not matches:
        raise TableError(f"{files.root}: no {name!r} in this folder or below")
    if len(matches) > 1:
        raise TableError(
            f"{files.root}: {len(matches)} files {name!r}: {', '.join(matches[:3])}; give a folder "
            "that holds one of them"
        )
    return files.root / matches[0]


def photographs(
    files: Tree, expected: Sequence[str], other_than: Collection[str] = ()
) -> list[str]:
    """Finds a photograph for every expected path.

    Args:
      files: where to look.
      expected: N relative paths as the data set publishes them; the file's ending may differ. Of
        several files of that name, the one whose folders agree furthest is taken.
      other_than: relative paths of files that are no photographs (masks).

    Returns:
      N absolute paths, '' where there is no file of that name.

    Raises:
      TableError: two files fit a row equally well.
    """
    index: dict[str, list[str]] = collections.defaultdict(list)
    left_out = set(other_than)
    for path in files.files:
        if path.lower().endswith(SUFFIXES) and path not in left_out:
            index[_parts(path)[-1]].append(path)
    out = []
    for want in expected:
        there = index.get(_parts(want)[-1], [])
        best = sorted(there, key=lambda path: -_agree(path, want))[:2]
        if len(best) == 2 and _agree(best[0], want) == _agree(best[1], want):
            raise TableError(
                f"{files.root}: {best[0]} and {best[1]} may both be {want}; leave one of them, or "
                "give a folder that holds one"
            )
        out.append(os.path.abspath(files.root / best[0]) if best else "")
    return out


def _agree(path: str, want: str) -> int:
    """How many last parts of two paths are the same."""
    count = 0
    for part, other in zip(reversed(_parts(path)), reversed(_parts(want)), strict=False):
        if part != other:
            break
        count += 1
    return count


def _parts(path: str) -> list[str]:
    """The parts of a path without its ending, in lower case: ['train', '10009_left']."""
    return posixpath.splitext(path)[0].casefold().split("/")
