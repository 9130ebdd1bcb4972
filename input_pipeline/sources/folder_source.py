"""A folder of photographs as a source; subfolders may name the quality and the split."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from input_pipeline.photo.file_type import SUFFIXES
from input_pipeline.sources.photo_files import PhotoReader
from input_pipeline.tables import codes as words
from input_pipeline.tables import eyes, folders
from input_pipeline.tables.columns import SPLIT_WORDS
from input_pipeline.tables.examples import GRADABLE, QUALITY, Source, Table, strings
from input_pipeline.tables.file_paths import expanded
from input_pipeline.tables.table_error import PATH, Setting, TableError


def make(data: Mapping[str, Any], store: str, require_labels: bool) -> Source:
    """See `sources.SOURCES` and `folder_source`."""
    return folder_source(
        data["path"],
        reader=PhotoReader.from_config(data),
        classes=data["classes"],
        quality_codes=words.as_pairs(data["quality_codes"], "data.quality_codes"),
        require_labels=require_labels,
    )


def folder_source(
    path: str | os.PathLike,
    *,
    reader: PhotoReader,
    classes: int = 3,
    quality_codes: Mapping[str, str] | None = None,
    require_labels: bool = False,
) -> Source:
    """Finds photographs in a folder and below.

    A photograph's quality is the nearest folder above it whose name is good, usable, reject, bad,
    gradable, ungradable or a key of `quality_codes`, in any case. Folders
    train, val and test (training, valid, validation, dev, testing) anywhere above the photographs
    are the splits. The id is the relative path. Names such as 13_left and 13_right make one patient
    of both eyes; else each photograph is its own patient: a CSV says otherwise.

    Args:
      path: the root folder. Links are followed; names that start with a dot are passed over.
      reader: how the photographs are opened.
      classes: 3 for good / usable / reject, 2 for gradable / ungradable, 0 for no grade.
      quality_codes: folder name -> word, see `labels.quality`.
      require_labels: an unlabelled folder is an error.

    Returns:
      Source with rows in order of their ids.

    Raises:
      TableError: no such folder, no photographs in it, or no labels where they are required.
    """
    root = expanded(path)
    if not str(path):
        raise TableError(f"data.path is empty; {PATH} the folder")
    if not root.is_dir():
        raise TableError(f"{root}: there is no such folder; {PATH} a folder")
    here = folders.walk(root)
    paths = sorted(path.relative_to(root).as_posix() for path in here.photographs)
    if not paths:
        raise TableError(
            f"{root}: no photographs in this folder or below ({len(here.files)} other files); "
            f"{PATH} a folder with files that end in {', '.join(SUFFIXES)}"
        )
    codes = quality_codes or {}
    known = {*words.QUALITY_WORDS, *(raw.casefold() for raw in codes)}
    parts = [name.split("/") for name in paths]
    classed = [next((p for p in reversed(above[:-1]) if p.casefold() in known), "")
               for above in parts]  # fmt: skip
    notes = _passed(here, root)
    labels: dict[str, np.ndarray] = {}
    keep = np.ones(len(paths), bool)
    if classes and any(classed):
        rows = range(len(paths))
        grade, ungradable, keep, note = words.quality(classed, rows, "folder", codes)
        if classes == len(QUALITY) and (grade >= 0).any():
            labels["quality"] = grade
        labels["ungradable"] = ungradable
        notes.append(note)
        others = {f[-2] for f, c in zip(parts, classed, strict=True) if len(f) > 1 and not c}
        others = {name for name in others if name.casefold() not in SPLIT_WORDS}
        if others:
            notes.append(f"folders {sorted(others)} are no known grade: unlabelled")
    if require_labels and not any((values >= 0).any() for values in labels.values()):
        raise TableError(
            f"{root}: no labels; put the photographs into folders named {', '.join(QUALITY)} or "
            f"{', '.join(GRADABLE)}, name yours by "
            f"{Setting('data.quality_codes', '{name}')}, or give a CSV"
        )
    if not keep.any():
        raise TableError(f"{root}: data.quality_codes drops every photograph; nothing is left")
    split = _splits(root, paths)
    kept = np.flatnonzero(keep)
    ids = strings(paths)[kept]
    patients, note_on_eyes = ids.tolist(), ""
    if not any(split):
        patients, note_on_eyes = eyes.patients(ids.tolist())
    notes += [note_on_eyes] if note_on_eyes else []
    table = Table(
        id=ids,
        patient=strings(patients),
        split=strings(split)[kept],
        labels={name: values[kept] for name, values in labels.items()},
        quality_names=QUALITY
        if "quality" in labels
        else GRADABLE
        if "ungradable" in labels
        else (),
        detail_names=(),
        diagnosis_names=(),
        path=ids,
        notes=tuple(notes),
    )
    items = strings([os.path.abspath(root / name) for name in paths])[kept]
    return Source(root.name or str(root), table, items, reader)


def _passed(here: folders.Found, root: Path) -> list[str]:
    """Notes on what of a folder was not taken."""
    out = []
    if here.files:
        some = ", ".join(
            f"{other.path.relative_to(root).as_posix()} ({other.what})" for other in here.files[:3]
        )
        more = ", ..." if len(here.files) > 3 else ""
        out.append(f"{len(here.files)} files passed over, no photographs: {some}{more}")
    for other in here.folders:
        out.append(f"{other.path.relative_to(root).as_posix()}/ passed over: {other.what}")
    return out


def _splits(root: Path, paths: Sequence[str]) -> list[str]:
    """The split of each photograph by a folder above it, '' throughout where no folder is a split.

    Raises:
      TableError: folders of splits beside photographs that lie in none.
    """
    named = [
        next((p for p in name.split("/")[:-1] if p.casefold() in SPLIT_WORDS), "") for name in paths
    ]
    if any(named) and not all(named):
        outside = [name for name, split in zip(paths, named, strict=True) if not split]
        raise TableError(
            f"{root}: folders {sorted({*named} - {''})} are splits, but {len(outside)} of "
            f"{len(paths)} photographs lie in none, the first: {outside[0]}; put every photograph "
            "into a folder train, val or test, rename the folders, or give a CSV"
        )
    return [SPLIT_WORDS[name.casefold()] if name else "" for name in named]
