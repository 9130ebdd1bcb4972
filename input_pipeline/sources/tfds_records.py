"""The records of a prepared builder, read in any order, and the table that says which is which.

TFDS orders records by a hash of their keys, so that a row's place must be looked up. The table lies
beside the records in `table.json` and is made from them alone.
"""

import functools
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from input_pipeline import atomic
from input_pipeline.readers import Labels
from input_pipeline.tables.examples import Arrays
from input_pipeline.tables.file_paths import expanded
from input_pipeline.tables.table_error import PATH, TableError

TABLE = "table.json"
UNSPLIT = "unsplit"  # TFDS's name for photographs that the set puts into no split
_SCHEMA = 1
_KNOWN = ("id", "patient", "quality", "ungradable", "details", "diagnosis")


def write_table(directory: str | os.PathLike, labels: Labels, modality: str, side: int) -> None:
    """Writes `table.json` beside the records, unless it is there.

    Args:
      directory: of one version of a builder.
      labels: names of what is labelled.
      modality: 'fundus' | 'slice'; `side`: pixels of the square.
    """
    if (Path(directory) / TABLE).is_file():
        return
    columns: dict[str, list] = {"split": [], "place": [], "contents": []}
    for split, data in _sources(os.fspath(directory), decode=False).items():
        for place, record in enumerate(data):
            columns["split"].append(split)
            columns["place"].append(place)
            columns["contents"].append(hashlib.sha256(record["image"]).hexdigest())
            for name in _KNOWN:
                if name in record:
                    columns.setdefault(name, []).append(_plain(record[name], labels.details))
    content = {
        "schema": _SCHEMA,
        "modality": modality,
        "side": side,
        "quality_names": labels.quality,
        "detail_names": labels.details,
        "diagnosis_names": labels.diagnosis,
        "columns": columns,
    }
    atomic.write(Path(directory) / TABLE, json.dumps(content).encode())


def read_table(directory: str | os.PathLike) -> dict[str, Any]:
    """What `write_table` wrote: names, modality, side and columns of equal length.

    Raises:
      TableError: no prepared builder, or of another version.
    """
    path = expanded(directory) / TABLE
    if not path.is_file():
        raise TableError(
            f"{path}: there is no such file; "
            f"{PATH} one version of a prepared "
            "builder, such as ~/tensorflow_datasets/eyeq/512/1.0.0, which "
            "`python -m input_pipeline.prepare eyeq --tfds ...` makes",
        )
    content = json.loads(path.read_text(encoding="utf-8"))
    if content.get("schema") != _SCHEMA:
        raise TableError(
            f"{path}: schema {content.get('schema')!r}, expected {_SCHEMA}; prepare it again"
        )
    return content


def read(directory: str, split: str, place: int) -> Arrays:
    """The arrays of one record, from any thread: 'image', 'fov' [S, S] and annotations."""
    record = _sources(directory, decode=True)[split][place]
    out = {name: np.asarray(x) for name, x in record.items() if name not in _KNOWN}
    for name in ("fov", "map"):
        if name in out:
            out[name] = out[name][..., 0]
    return out


@functools.lru_cache(maxsize=8)
def _sources(directory: str, decode: bool) -> Mapping[str, Any]:
    """Split -> records. They are opened once for each process."""
    builder = tfds.builder_from_directory(directory)
    decoders = None
    if not decode:
        pictures = ("image", "fov", "map", "vessels")
        decoders = {
            name: tfds.decode.SkipDecoding() for name in pictures if name in builder.info.features
        }
    return {
        split: builder.as_data_source(split=split, decoders=decoders)
        for split in builder.info.splits
    }


def _plain(value: Any, details: tuple[str, ...]) -> Any:
    """Text as str, a class as int, details as a list in their order."""
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, Mapping):
        return [int(value[name]) for name in details]
    return int(value)
