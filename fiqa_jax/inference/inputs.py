"""What to predict: files, folders and manifests turned into one list of photographs."""

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path

from input_pipeline.photo.file_type import SUFFIXES
from input_pipeline.tables.columns import read_sheet
from input_pipeline.tables.examples import TableError

JUDGED = "predictions.jsonl"  # in a folder that predict wrote: its pictures are no photographs


class InputError(ValueError):
    """Inputs that cannot be used; says which, what was seen and what to do."""


@dataclasses.dataclass(frozen=True)
class Item:
    """One photograph."""

    path: str  # as the file system has it
    id: str  # UTF-8 text
    patient: str  # '' where not known


def as_text(name: str) -> str:
    """A file name as UTF-8 text; bytes that are none become a replacement character."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def collect(inputs: Sequence[str | os.PathLike[str]], *, recursive: bool) -> list[Item]:
    """Photographs of all inputs, in the order given, folders in the order of their file names.

    A file stands for itself, whatever it is called. A folder stands for the files in it (below it,
    too, if `recursive` or where it has none itself) with a photograph's suffix; names that start
    with a dot are passed over, and so is the output of an earlier run. A .csv or .tsv file is a
    manifest: its column `path` counts (relative paths start from its folder), with `id` and
    `patient` where it has them. A path that comes twice is taken once.

    Raises:
      InputError: an input that is not there, a folder without photographs, a manifest without
        paths, one id for two paths.
    """
    found: dict[str, Item] = {}
    for one in inputs:
        path = Path(one).expanduser()
        if path.is_dir():
            items = _folder(path, recursive)
        elif path.suffix.lower() in (".csv", ".tsv"):
            items = _manifest(path)
        elif path.exists():
            items = [Item(str(path), as_text(str(path)), "")]
        else:
            raise InputError(f"{path}: there is no such file or folder")
        for item in items:
            found.setdefault(os.path.abspath(item.path), item)
    place: dict[str, Item] = {}
    for item in found.values():
        if (other := place.setdefault(item.id, item)) is not item:
            raise InputError(
                f"id {item.id!r} stands for {other.path} and for {item.path}; give each photograph "
                "its own"
            )
    return list(found.values())


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
        if JUDGED in names:  # the output of an earlier run
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
    return [Item(str(file), as_text(str(file)), "") for file in files]


def _manifest(file: Path) -> list[Item]:
    try:
        columns = read_sheet(file).columns
    except TableError as error:
        text = str(error).replace("set --config.data.path to", "give")
        raise InputError(f"manifest {text}") from None
    if "path" not in columns:
        raise InputError(f"manifest {file}: no column 'path'; there are {[*columns]}")
    empty = [""] * len(columns["path"])
    items = []
    for path, name, patient in zip(
        columns["path"],
        columns.get("id", empty),
        columns.get("patient", columns.get("patient_id", empty)),
        strict=True,
    ):
        if not path:
            raise InputError(f"manifest {file}: an empty path")
        whole = str(file.parent / Path(path.replace("\\", "/")).expanduser())
        items.append(Item(whole, name or as_text(whole), patient))
    return items
