"""What to predict: files, folders and manifests turned into one list of photographs.

Ids do not depend on the working directory: a photograph's is its path below the input folder, the
name of a file given by itself, what a manifest says. Where two inputs would give one id, those get
as many folders in front as tell them apart.
"""

import collections
import dataclasses
import hashlib
import json
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from input_pipeline import plain_text
from input_pipeline.tables import eyes, folders, parquet_file
from input_pipeline.tables.columns import COLUMNS, read_sheet
from input_pipeline.tables.folders import JUDGED, RUN, Other
from input_pipeline.tables.table_error import TableError, given

MANIFESTS = (".csv", ".tsv", parquet_file.SUFFIX)
_WINDOWS = re.compile(r"[A-Za-z]:[\\/]")


class InputError(ValueError):
    """Inputs that cannot be used; says which, what was seen and what to do."""


@dataclasses.dataclass(frozen=True, slots=True)
class Item:
    """One photograph."""

    path: str  # as the file system has it
    id: str  # UTF-8 text
    patient: str  # '' where not known
    said: bool = False  # the id stands in a manifest
    other: str = ""  # what it is, of a file of a folder that is no photograph

    @property
    def shown(self) -> str:
        """The path for tables: UTF-8, and nothing that a spreadsheet takes for a formula."""
        return plain_text.anchored(plain_text.as_text(self.path))


@dataclasses.dataclass(frozen=True)
class Found:
    """All inputs of a run, in the order given; of a folder in the order of its file names."""

    items: tuple[Item, ...]  # photographs
    others: tuple[Item, ...]  # files of folders that are none, `other` says what they are
    folders: tuple[Other, ...]  # that were not gone into, and why


def collect(inputs: Sequence[str | os.PathLike[str]], *, recursive: bool) -> list[Item]:
    """The photographs of all inputs, see `gather`."""
    return list(gather(inputs, recursive=recursive).items)


def gather(inputs: Sequence[str | os.PathLike[str]], *, recursive: bool) -> Found:
    """Everything that the inputs name.

    A file stands for itself, whatever it is called. A folder stands for what `folders.walk` finds
    in it (below it, too, if `recursive` or where it has no photograph itself). A .csv, .tsv or
    .parquet file is a manifest: its column path, image or file counts (relative paths start from
    its folder), with `id` and `patient` where it has them. A path that comes twice is taken once.

    Raises:
      InputError: an input that is not there, a folder without photographs, a manifest without
        paths, one id for two paths.
    """
    found: dict[str, Item] = {}
    closed: list[Other] = []
    for one in inputs:
        path = expanded(one)
        if path.is_dir():
            items, passed = _folder(path, recursive)
            closed += passed
        elif path.suffix.lower() in MANIFESTS:
            items = _manifest(path)
        elif path.exists():
            items = [Item(str(path), path.name, "")]
        else:
            raise InputError(f"{path}: there is no such file or folder")
        for item in items:
            key = os.path.abspath(item.path)
            if key not in found or (found[key].other and not item.other):  # named by itself, too
                found[key] = item
    named = _told_apart(found)
    place: dict[str, Item] = {}
    for item in named:
        if (other := place.setdefault(item.id, item)) is not item:
            raise InputError(
                f"id {item.id!r} stands for {other.shown} and for {item.shown}; give each "
                "photograph its own"
            )
    photographs = _with_patients([item for item in named if not item.other])
    others = tuple(item for item in named if item.other)
    return Found(tuple(photographs), others, tuple(closed))


def _with_patients(named: list[Item]) -> list[Item]:
    """The items with the patients that their names show, where nothing else says."""
    if any(item.patient for item in named):
        return named
    who, _ = eyes.patients([item.id for item in named])  # 13_left and 13_right
    return [
        item if name == item.id else dataclasses.replace(item, patient=name)
        for item, name in zip(named, who, strict=True)
    ]


def expanded(name: str | os.PathLike[str], *, manifest: bool = False) -> Path:
    """A path whose `~` and `~user` stand for home folders; `~tmp.jpg` may be a file's own name.

    Raises:
      InputError: neither a file nor a user; of a manifest it stays as it is, and its row says so.
    """
    path = Path(name)
    try:
        return path if path.exists() else path.expanduser()
    except (OSError, ValueError):  # a name too long, or with a NUL: its row says so
        return path
    except RuntimeError:
        if manifest:
            return path
        raise InputError(
            f"{path}: there is no such file, and no user whose home folder it could be; write "
            f"./{path} for a file of that name"
        ) from None


def _told_apart(found: dict[str, Item]) -> list[Item]:
    """The items with ids as text, each id given to two of them lengthened by folders."""
    names = {key: item.id for key, item in found.items() if not item.said}
    taken = {item.id for item in found.values() if item.said}
    for _ in range(256):  # folders
        clash = _shared(names.values(), taken)
        longer = {key: _with_folder(key, name) for key, name in names.items() if name in clash}
        if all(names[key] == name for key, name in longer.items()):
            break
        names |= longer
    out = []
    for key, item in found.items():
        if not item.said:
            text = plain_text.as_text(names[key])
            if text != names[key]:  # other bytes may read the same
                text += f"#{hashlib.sha256(os.fsencode(names[key])).hexdigest()[:8]}"
            item = dataclasses.replace(item, id=plain_text.anchored(text))
        out.append(item)
    return out


def _shared(names: Iterable[str], taken: set[str]) -> set[str]:
    counted = collections.Counter(names)
    return {name for name, count in counted.items() if count > 1 or name in taken}


def _with_folder(whole: str, name: str) -> str:
    """The name with one more folder of the whole path in front, where there is one."""
    parts, have = Path(whole).parts, len(Path(name).parts)
    return "/".join(parts[-have - 1 :]) if have + 1 < len(parts) else name


def _folder(folder: Path, recursive: bool) -> tuple[list[Item], list[Other]]:
    """The files of a folder, photographs first, and the folders in it that were not gone into."""
    if (folder / JUDGED).is_file():
        raise InputError(
            f"{folder} is the output of an earlier run, not photographs; `fiqa report` shows it"
        )
    found = folders.walk(folder, recursive=recursive)
    if not found.photographs and not recursive and found.folders:
        found = folders.walk(folder)
    if not found.photographs:
        some = "; ".join(f"{one.path.name} is {one.what}" for one in found.files[:3])
        raise InputError(
            f"{folder}: no photograph in or below it ({len(found.files)} other files"
            f"{': ' if some else ''}{some}); expected JPEG, PNG, TIFF, DICOM ..."
        )
    every = [(path, "") for path in found.photographs]
    every += [(one.path, one.what) for one in found.files]
    items = [Item(str(p), p.relative_to(folder).as_posix(), "", other=w) for p, w in every]
    return items, list(found.folders)


def _manifest(file: Path) -> list[Item]:
    try:
        columns = read_sheet(file).columns
    except TableError as error:
        raise InputError(f"manifest {error.worded(given)}") from None
    named = next((n for n in COLUMNS["path"] if n in columns), "")
    if not named:
        raise InputError(
            f"manifest {file}: no column with paths, expected one of {list(COLUMNS['path'])}; "
            f"there are {[*columns]}"
        )
    empty = [""] * len(columns[named])
    base, status = file.parent, columns.get("status", empty)
    if {"schema", "status"} <= columns.keys():  # of predict: paths start where it ran
        base = Path(_began_in(file) or base)
    items = []
    for path, name, patient, kind in zip(
        columns[named],
        columns.get("id", empty),
        columns.get("patient", columns.get("patient_id", empty)),
        status,
        strict=True,
    ):
        if kind == "skipped":
            continue
        if not path:
            raise InputError(f"manifest {file}: an empty path")
        if _WINDOWS.match(path) and os.name != "nt":
            raise InputError(
                f"manifest {file}: {path!r} is an absolute Windows path; write paths relative to "
                "the manifest's folder, or as this machine has them"
            )
        slashed = path.replace("\\", "/")
        whole = base / expanded(slashed, manifest=True)
        items.append(Item(str(whole), name or slashed, patient, bool(name)))
    return items


def _began_in(table: Path) -> str:
    """The working directory of the run that wrote a table, '' where that is not known."""
    try:
        return str(json.loads((table.parent / RUN).read_bytes())["began_in"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
