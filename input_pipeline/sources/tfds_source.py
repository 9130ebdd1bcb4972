"""A prepared TFDS builder as a source. Needs no TensorFlow to be read."""

import dataclasses
import hashlib
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from input_pipeline.sources.dataset_source import select_labels
from input_pipeline.tables.examples import Arrays, Source, Table, strings
from input_pipeline.tables.file_paths import expanded
from input_pipeline.tables.table_error import TableError


@dataclasses.dataclass(frozen=True)
class RecordReader:
    """Reads records 'split/place/contents' of one version of a builder."""

    directory: str

    def read(self, item: Any) -> Arrays:
        """The arrays of a record: 'image' [S, S, C] uint8, 'fov' [S, S] uint8, annotations."""
        from input_pipeline.sources import tfds_records

        split, place, _ = str(item).split("/")
        return tfds_records.read(self.directory, split, int(place))

    def settings(self) -> str:
        """See `table.Reader`. The contents say the rest."""
        return "tfds records"

    def key(self, item: Any) -> str:
        """See `table.Reader`."""
        return hashlib.sha256(f"{self.settings()} {self.fingerprint(item)}".encode()).hexdigest()

    def stamp(self, item: Any) -> str:
        """See `table.Reader`."""
        return self.key(item)

    def fingerprint(self, item: Any) -> str:
        """See `table.Reader`: the digest that the table holds of the picture's bytes."""
        return str(item).rsplit("/", 1)[-1]


def make(data: Mapping[str, Any], store: str, require_labels: bool) -> Source:
    """See `sources.SOURCES`. `data.path` is the folder of one version of a prepared builder.

    Raises:
      TableError: no such folder, pictures of another size or kind, labels that are not there.
    """
    from input_pipeline.sources import tfds_records

    if not data["path"]:
        raise TableError("data.path is empty; set it to one version of a prepared builder")
    directory = os.path.abspath(expanded(data["path"]))
    content = tfds_records.read_table(directory)
    for field in ("side", "modality"):
        if data[field] != content[field]:
            raise TableError(
                f"{directory} holds pictures of {field} {content[field]!r}, data.{field} is "
                f"{data[field]!r}; set it so, or prepare another config"
            )
    columns = content["columns"]
    ids = strings(columns["id"])
    dtypes = {"quality": np.int32, "ungradable": np.int32, "details": np.int8}
    dtypes["diagnosis"] = np.int32
    split = ["" if s == tfds_records.UNSPLIT else s for s in columns["split"]]
    patients = strings(columns["patient"])
    shared = len({*zip(columns["patient"], split, strict=True)}) > len({*columns["patient"]})
    table = Table(
        id=ids,
        patient=patients,
        split=strings(split),
        labels={n: np.array(columns[n], dtype) for n, dtype in dtypes.items() if n in columns},
        quality_names=tuple(content["quality_names"]),
        detail_names=tuple(content["detail_names"]),
        diagnosis_names=tuple(content["diagnosis_names"]),
        path=strings([""] * len(ids)),
        notes=(f"records of {directory}",),
        shares_patients=shared,  # the records' splits are as published
    )
    name = "/".join(directory.split(os.sep)[-3:-1])
    table = select_labels(name, table, data["classes"], data["details"], tuple(data["diagnosis"]))
    if require_labels and not table.labels:
        raise TableError(f"{directory}: none of the labels asked for is there")
    places = zip(columns["split"], columns["place"], columns["contents"], strict=True)
    items = strings([f"{split}/{place}/{contents}" for split, place, contents in places])
    reader = RecordReader(directory)
    return Source(name, table, items, reader, fetch=reader.read)
