"""Photographs of any size for one network: smaller and recompressed copies of those trained on.

How sharp a photograph can look depends on how many pixels its field has, and files differ in
compression from one source to the next. So that neither tells the grade, every photograph that is
trained on comes with copies at other sizes, saved as JPEGs of other qualities, and the size of the
field in pixels of the file that is read (`field_px`) travels with every example. Validation and
test photographs stay as they are.
"""

import dataclasses
import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image

from input_pipeline.photo import decode
from input_pipeline.photo.reader import read_photo
from input_pipeline.sources import csv_source, folder_source, splits
from input_pipeline.sources.generated import recompression
from input_pipeline.sources.photo_files import PhotoReader
from input_pipeline.tables.examples import Arrays, Source, Table, strings
from input_pipeline.tables.table_error import TableError

SMALLEST = 170  # pixels of the longer side that a copy has at least, if the photograph has them
SHRINK = 0.85  # at least so far can any photograph shrink
QUALITIES = (50, 95)  # of JPEG, both included
OCTAVE = 256  # pixels: a photograph with a longer side of n times this gets n times the copies
_VERSION = 1  # raised whenever the same photograph would give other copies

BASES = {"csv": csv_source.make, "folder": folder_source.make}


@dataclasses.dataclass(frozen=True)
class Resaved:
    """A photograph in a file, or one of its copies.

    Attributes:
      path: of the file.
      id: of the photograph; decides, with the number, how a copy is made.
      number: 0 is the photograph itself.
    """

    path: str
    id: str
    number: int


@dataclasses.dataclass(frozen=True)
class ResavedReader:
    """Opens photographs and makes copies.

    Attributes:
      photo: how photographs are opened.
      seed: of the copies.
    """

    photo: PhotoReader
    seed: int

    def read(self, item: Resaved) -> Arrays:
        """'image' `[S, S, C] uint8`, 'fov' `[S, S] uint8`, 'field_px' `[] float32`.

        Raises:
          PhotoError: the photograph cannot be read.
        """
        if item.number == 0:
            return self.photo.open(item.path).arrays()
        name = np.frombuffer(hashlib.sha256(item.id.encode()).digest(), "<u4").tolist()
        rng = np.random.default_rng([self.seed, item.number, *name])
        data = resaved(decode.decode(item.path).image, rng)
        photo = read_photo(
            data, self.photo.side, modality=self.photo.modality, crop=self.photo.crop
        )
        return photo.arrays()

    def settings(self) -> str:
        """See `examples.Reader`."""
        return f"{self.photo.settings()} resaved {_VERSION}: {self.seed}"

    def key(self, item: Resaved) -> str:
        """See `examples.Reader`. Raises: PhotoError."""
        return self._digest(item, self.photo.key(item.path))

    def stamp(self, item: Resaved) -> str:
        """See `examples.Reader`. Raises: PhotoError."""
        return self._digest(item, self.photo.stamp(item.path))

    def fingerprint(self, item: Resaved) -> str:
        """See `examples.Reader`."""
        return self._digest(item, self.photo.fingerprint(item.path))

    def _digest(self, item: Resaved, file: str) -> str:
        text = repr((self.settings(), item.id, item.number, file))
        return hashlib.sha256(text.encode()).hexdigest()


def resaved(image: Image.Image, rng: np.random.Generator) -> bytes:
    """A JPEG of the picture at a random size, by a random filter, of random quality.

    Args:
      image: RGB or L; never enlarged.
      rng: decides.
    """
    longer = max(image.size)
    least = SHRINK * min(1.0, SMALLEST / SHRINK / longer)
    scale = float(np.exp(rng.uniform(np.log(least), 0.0)))
    size = tuple(max(1, round(scale * n)) for n in image.size)
    small = recompression.shrunk(image, (size[0], size[1]), rng)
    return recompression.encoded(small, QUALITIES, rng)


def make(data: Mapping[str, Any], store: str, require_labels: bool) -> Source:
    """See `opening.SOURCES` and `resaved_source`; `data.base` says where the photographs are.

    Raises:
      TableError: settings that do not exist.
    """
    del store
    if data["base"] not in BASES:
        raise TableError(f"data.base is {data['base']!r}, expected one of {sorted(BASES)}")
    if data["erase"]:
        raise TableError("data.erase is in pixels of the original; copies of other sizes have none")
    base = BASES[data["base"]](data, "", require_labels)
    split = splits.assign(base.table, data["split"], data["seed"], data["folds"], data["fold"])
    table = dataclasses.replace(base.table, split=split)
    return resaved_source(
        dataclasses.replace(base, table=table), copies=data["copies"], seed=data["seed"]
    )


def resaved_source(base: Source, *, copies: int, seed: int) -> Source:
    """Photographs with copies of those that are trained on.

    Args:
      base: N photographs in files, assigned to splits. Those without an overall grade are left out.
      copies: of a training photograph whose longer side has 256 pixels or fewer; one of n times
        256 has n times as many.
      seed: of the copies.

    Raises:
      TableError: no photograph has a grade, or a negative number of copies.
    """
    if copies < 0:
        raise TableError(f"data.copies is {copies}, expected 0 or more")
    photo = base.reader
    assert isinstance(photo, PhotoReader)
    graded = _graded(base.table)
    rows, items, ids = [], [], []
    for row in graded.tolist():
        path, name = str(base.items[row]), str(base.table.id[row])
        count = copies * _octaves(path) if copies and base.table.split[row] == "train" else 0
        for number in range(count + 1):
            rows.append(row)
            items.append(Resaved(path, name, number))
            ids.append(f"{name}~{number}" if number else name)
    note = f"resaved: {len(rows) - len(graded)} copies of other sizes and qualities; seed {seed}"
    notes = (*base.table.notes, note)
    if left := len(base.table) - len(graded):
        notes += (f"left out, without a grade: {left} photographs",)
    held = np.empty(len(items), object)
    held[:] = items
    at, old = np.array(rows), base.table
    table = dataclasses.replace(
        old,
        id=strings(ids),
        patient=old.patient[at],
        split=old.split[at],
        labels={name: values[at] for name, values in old.labels.items()},
        path=old.path[at],
        stratum=None if old.stratum is None else old.stratum[at],
        notes=notes,
    )
    return Source(f"{base.name}, resaved", table, held, ResavedReader(photo, seed))


def _graded(table: Table) -> np.ndarray:
    known = np.zeros(len(table), bool)
    for name in ("quality", "ungradable"):
        if name in table.labels:
            known |= table.labels[name] >= 0
    if not known.any():
        raise TableError("no photograph has a grade; data.classes must be 3 or 2 and the table say")
    return np.flatnonzero(known)


def _octaves(path: str) -> int:
    try:
        with Image.open(path) as picture:
            return max(1, round(max(picture.size) / OCTAVE))
    except OSError:  # no format of Pillow's, or no picture: reading it says which
        return 1
