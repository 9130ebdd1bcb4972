"""Photographs in files, as the reader of a source."""

import dataclasses
import hashlib
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from input_pipeline.photo.errors import PhotoError, problem
from input_pipeline.photo.reader import READER_VERSION, Photo, read_photo

NO_FIELD = ("frame", "error")
_BLOCK = 16384  # bytes; three of them stand for a file's contents in its fingerprint


@dataclasses.dataclass(frozen=True)
class PhotoReader:
    """Opens paths with `photo.read_photo`.

    Attributes:
      side: pixels of the square output.
      modality: 'fundus' | 'slice'.
      erase: boxes (left, top, right, bottom) in upright original pixels, painted black.
      crop, resample: see `photo.read_photo`.
      no_field: 'frame': a fundus photograph without a round field is taken whole | 'error': it
        counts as one that cannot be read.
    """

    side: int
    modality: str
    erase: tuple[tuple[int, int, int, int], ...] = ()
    crop: str = "field"
    resample: str = "bilinear"
    no_field: str = "frame"

    @classmethod
    def from_config(cls, data: Mapping[str, Any]) -> "PhotoReader":
        """The reader that a config's `data` section describes.

        Raises:
          ValueError: a crop, a filter or a no_field that does not exist.
        """
        erase = tuple(map(tuple, data["erase"]))
        how = data.get("crop", "field"), data.get("resample", "bilinear")
        no_field = data.get("no_field", "frame")
        if no_field not in NO_FIELD:
            raise ValueError(f"data.no_field is {no_field!r}, expected one of {NO_FIELD}")
        return cls(data["side"], data["modality"], erase, *how, no_field)

    def open(self, item: Any) -> Photo:
        """The photograph at a path. Raises: PhotoError, also for what `no_field` refuses."""
        photo = self.look(item)
        if self.no_field == "error" and self.modality == "fundus" and photo.field != "circle":
            raise no_round_field(str(item), photo)
        return photo

    def look(self, item: Any) -> Photo:
        """The photograph at a path, whether or not it has a field. Raises: PhotoError."""
        return read_photo(
            str(item),
            self.side,
            modality=self.modality,
            erase=self.erase,
            crop=self.crop,
            resample=self.resample,
        )

    def read(self, item: Any) -> dict[str, np.ndarray]:
        """'image' [S, S, C] uint8 and 'fov' [S, S] uint8 of the path. Raises: PhotoError."""
        photo = self.open(item)
        return {"image": photo.image, "fov": photo.fov}

    def settings(self) -> str:
        """See `table.Reader`."""
        how = "" if self.crop == "field" else f" {self.crop} {self.resample}"
        strict = " field" if self.no_field == "error" else ""
        return f"photo {READER_VERSION}: {self.side} {self.modality} {self.erase}{how}{strict}"

    def key(self, item: Any) -> str:
        """See `table.Reader`. Raises: PhotoError."""
        try:
            with open(item, "rb") as file:
                contents = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:
            self.read(item)  # says what is wrong with it
            raise
        return hashlib.sha256(f"{self.settings()}\n{contents}".encode()).hexdigest()

    def stamp(self, item: Any) -> str:
        """See `table.Reader`. Raises: PhotoError."""
        try:
            status = os.stat(item)
        except OSError:
            self.read(item)
            raise
        text = f"{self.settings()}\n{item}\n{status.st_size} {status.st_mtime_ns}"
        return hashlib.sha256(text.encode()).hexdigest()

    def fingerprint(self, item: Any) -> str:
        """See `table.Reader`. A file that is not there has one, too, so that it can be listed."""
        try:
            with open(item, "rb") as file:
                size = os.fstat(file.fileno()).st_size
                h = hashlib.sha256(f"{size}\n".encode())
                for start in sorted({0, max(0, (size - _BLOCK) // 2), max(0, size - _BLOCK)}):
                    file.seek(start)
                    h.update(file.read(_BLOCK))
        except OSError as error:
            return f"{type(error).__name__}"
        return h.hexdigest()


def no_round_field(path: str, photo: Photo) -> PhotoError:
    """The error about a photograph without a round field."""
    seen = photo.meta.get("field", "none was found").removeprefix("no round field: ")
    return problem(
        path, f"no round field of view ({seen})", "set data.no_field=frame to take it whole"
    )
