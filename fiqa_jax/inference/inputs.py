"""What to predict: files, folders and manifests turned into one list of photographs.

Ids do not depend on the working directory: a photograph's is its path below the input folder, the
name of a file given by itself, what a manifest says. Where two inputs would give one id, those get
as many folders in front as tell them apart.
"""

import collections
import dataclasses
import hashlib
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from input_pipeline import plain_text
from input_pipeline.photo.file_type import SUFFIXES
from input_pipeline.tables import eyes
from input_pipeline.tables.columns import COLUMNS, read_sheet
from input_pipeline.tables.examples import TableError

JUDGED = "predictions.jsonl"  # in a folder that predict wrote: its pictures are no photographs
WRITTEN = {JUDGED, "explanations.csv"}
_WINDOWS = re.compile(r"[A-Za-z]:[\\/]")


class InputError(ValueError):
    """Inputs that cannot be used; says which, what was seen and what to do."""


@dataclasses.dataclass(frozen=True)
class Item:
    """One photograph."""

    path: str  # as the file system has it
    id: str  # UTF-8 text
    patient: str  # '' where not known
    said: bool = False  # the id stands in a manifest

    @property
    def shown(self) -> str:
        """The path for tables: UTF-8, and nothing that a spreadsheet takes for a formula."""
        return plain_text.anchored(as_text(self.path))


def as_text(name: str) -> str:
    """A file name as UTF-8 text; bytes that are none become a replacement character."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def collect(inputs: Sequence[str | os.PathLike[str]], *, recursive: bool) -> list[Item]:
    """Photographs of all inputs, in the order given, folders in the order of their file names.

    A file stands for itself, whatever it is called. A folder stands for the files in it (below it,
    too, if `recursive` or where it has none itself) with a photograph's suffix; names that start
    with a dot are passed over, and so is the output of an earlier run. A .csv or .tsv file is a
    manifest: its column path, image or file counts (relative paths start from its folder), with
    `id` and `patient` where it has them. A path that comes twice is taken once.

    Raises:
      InputError: an input that is not there, a folder without photographs, a manifest without
        paths, one id for two paths.
    """
    found: dict[str, Item] = {}
    for one in inputs:
        path = _expanded(one, "")
        if path.is_dir():
            items = _folder(path, recursive)
        elif path.suffix.lower() in (".csv", ".tsv"):
            items = _manifest(path)
        elif path.exists():
            items = [Item(str(path), path.name, "")]
        else:
            raise InputError(f"{path}: there is no such file or folder")
        for item in items:
            found.setdefault(os.path.abspath(item.path), item)
    named = _told_apart(found)
    place: dict[str, Item] = {}
    for item in named:
        if (other := place.setdefault(item.id, item)) is not item:
            raise InputError(
                f"id {item.id!r} stands for {other.shown} and for {item.shown}; give each "
                "photograph its own"
            )
    if any(item.patient for item in named):
        return named
    who, _ = eyes.patients([item.id for item in named])  # 13_left and 13_right
    return [
        item if name == item.id else dataclasses.replace(item, patient=name)
        for item, name in zip(named, who, strict=True)
    ]


def _expanded(name: str | os.PathLike[str], where: str) -> Path:
    """A path whose `~` and `~user` stand for home folders; `~tmp.jpg` may be a file's own name."""
    path = Path(name)
    try:
        return path if path.exists() else path.expanduser()
    except (OSError, ValueError):  # a name too long, or with a NUL: its row says so
        return path
    except RuntimeError:
        if where:  # of a manifest: its row says so
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
            text = as_text(names[key])
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


def skipped(inputs: Sequence[str | os.PathLike[str]], items: Sequence[Item]) -> list[str]:
    """Files in the folders among the inputs that were not taken, as `collect` walked them.

    Names that start with a dot and outputs of earlier runs are none of them; of a folder that was
    not gone into, its name with a slash.
    """
    taken = {os.path.abspath(item.path) for item in items}
    folders = {os.path.dirname(path) for path in taken}
    found: list[str] = []
    for one in inputs:
        root = _expanded(one, "skipped")
        if not root.is_dir():
            continue
        for here, below, names in os.walk(root):
            if WRITTEN & {*names}:
                below.clear()
                continue
            below[:] = sorted(name for name in below if not name.startswith("."))
            deeper = [path for path in folders if path.startswith(os.path.abspath(here) + os.sep)]
            files = [Path(here, name) for name in sorted(names) if not name.startswith(".")]
            found += [as_text(str(f)) for f in files if os.path.abspath(f) not in taken]
            if not deeper:
                found += [as_text(str(Path(here, name))) + "/" for name in below]
                below.clear()
    return found


def _folder(folder: Path, recursive: bool) -> list[Item]:
    files: list[Path] = []
    seen: set[str] = set()
    if (folder / JUDGED).is_file():
        raise InputError(
            f"{folder} is the output of an earlier run, not photographs; `fiqa report` shows it"
        )
    for root, below, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(root)
        if real in seen:  # a link back up
            below.clear()
            continue
        seen.add(real)
        if WRITTEN & set(names):  # the output of an earlier run
            below.clear()
            continue
        below[:] = sorted(name for name in below if not name.startswith(".")) if recursive else []
        files += [
            Path(root, name)
            for name in sorted(names)
            if not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES
        ]
    if not files and not recursive and any(one.is_dir() for one in folder.iterdir()):
        return _folder(folder, True)
    if not files:
        raise InputError(f"{folder}: no file with a photograph's suffix in or below it")
    return [Item(str(file), file.relative_to(folder).as_posix(), "") for file in files]


def _manifest(file: Path) -> list[Item]:
    try:
        columns = read_sheet(file).columns
    except TableError as error:
        text = str(error).replace("set --config.data.path to", "give")
        raise InputError(f"manifest {text}") from None
    named = next((n for n in COLUMNS["path"] if n in columns), "")
    if not named:
        raise InputError(
            f"manifest {file}: no column with paths, expected one of {list(COLUMNS['path'])}; "
            f"there are {[*columns]}"
        )
    empty = [""] * len(columns[named])
    items = []
    for path, name, patient in zip(
        columns[named],
        columns.get("id", empty),
        columns.get("patient", columns.get("patient_id", empty)),
        strict=True,
    ):
        if not path:
            raise InputError(f"manifest {file}: an empty path")
        if _WINDOWS.match(path) and os.name != "nt":
            raise InputError(
                f"manifest {file}: {path!r} is an absolute Windows path; write paths relative to "
                "the manifest's folder, or as this machine has them"
            )
        slashed = path.replace("\\", "/")
        whole = file.parent / _expanded(slashed, "manifest")
        items.append(Item(str(whole), name or slashed, patient, bool(name)))
    return items
