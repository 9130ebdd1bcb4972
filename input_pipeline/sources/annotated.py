"""Photographs of a data set as the reader of a source, with their annotation where they have one.

For a photograph without an annotation the examples, and their names in a store, are those of
`PhotoReader`: a set and a user's table of the same files share what was prepared.
"""

import dataclasses
import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image

from input_pipeline.photo.errors import problem
from input_pipeline.photo.reader import Photo, PhotoError
from input_pipeline.sources import mask_drawing
from input_pipeline.sources.photo_files import PhotoReader, no_round_field
from input_pipeline.tables.examples import Arrays

_VERSION = 1  # raised whenever the same files would give other annotations
MAP_CODES = 4  # FunPiQ: 0 background, 1 good, 2 usable, 3 bad


@dataclasses.dataclass(frozen=True)
class AnnotatedReader:
    """Opens paths of photographs.

    Attributes:
      photo: opens the photograph itself.
      annotation: 'map' | 'vessels' | '' for none.
      files: path of a photograph -> path of its annotation.
      known: path of a photograph -> what is known of its trouble, told with an error.
      no_field: 'frame': a fundus photograph without a round field is taken whole | 'error': it
        counts as one that cannot be read.
    """

    photo: PhotoReader
    annotation: str = ""
    files: Mapping[str, str] = dataclasses.field(default_factory=dict)
    known: Mapping[str, str] = dataclasses.field(default_factory=dict)
    no_field: str = "frame"

    def read(self, item: Any) -> Arrays:
        """One photograph.

        Returns:
          'image' [S, S, C] uint8, 'fov' [S, S] uint8, and 'map' [S, S] uint8 (0 background, 1 good,
          2 usable, 3 bad), or 'vessels' [S, S, 3] uint8 with 'vessels_valid' [3] float32.

        Raises:
          PhotoError: the photograph or its annotation cannot be read, or do not fit.
        """
        path = str(item)
        try:
            photo = self.photo.open(path)
            strict = self.no_field == "error" and self.photo.modality == "fundus"
            if strict and photo.field != "circle":
                raise no_round_field(path, photo)
        except PhotoError as error:
            if path in self.known:
                raise PhotoError(f"{error} ({self.known[path]})") from None
            raise
        example: Arrays = {"image": photo.image, "fov": photo.fov}
        if self.annotation == "map":
            example["map"] = read_map(self.files[path], photo)
        elif self.annotation == "vessels":
            example["vessels"], example["vessels_valid"] = mask_drawing.read_vessels(
                self.files[path], photo
            )
        return example

    def look(self, item: Any) -> Photo:
        """The photograph alone, whether or not it has a field. Raises: PhotoError."""
        return self.photo.look(item)

    def settings(self) -> str:
        """See `table.Reader`."""
        annotation = f" {self.annotation} {_VERSION}" if self.annotation else ""
        return self.photo.settings() + annotation + (" field" if self.no_field == "error" else "")

    def key(self, item: Any) -> str:
        """See `table.Reader`. Raises: PhotoError."""
        return self._digest([self.photo.key(path) for path in self._paths(item)])

    def stamp(self, item: Any) -> str:
        """See `table.Reader`. Raises: PhotoError."""
        return self._digest([self.photo.stamp(path) for path in self._paths(item)])

    def fingerprint(self, item: Any) -> str:
        """See `table.Reader`."""
        return self._digest([self.photo.fingerprint(path) for path in self._paths(item)])

    def _paths(self, item: Any) -> list[str]:
        path = str(item)
        return [path, self.files[path]] if self.annotation else [path]

    def _digest(self, marks: list[str]) -> str:
        if self.settings() == self.photo.settings():
            return marks[0]
        return hashlib.sha256("\n".join([self.settings(), *marks]).encode()).hexdigest()


def read_map(path: str, photo: Photo) -> np.ndarray:
    """FunPiQ's annotation of a photograph, cut as the photograph was.

    Returns:
      [S, S] uint8: 0 background (outside the photograph, too), 1 good, 2 usable, 3 bad.

    Raises:
      PhotoError: not a palette or grey PNG, other values, or another picture's proportions.
    """
    return mask_drawing.through_crop(read_codes(path), photo, "nearest", path)


def read_codes(path: str) -> np.ndarray:
    """The whole of such an annotation: palette indices, never colours.

    Returns:
      [H, W] uint8: 0 background, 1 good, 2 usable, 3 bad.

    Raises:
      PhotoError: not a palette or grey PNG, or other values.
    """
    try:
        with Image.open(path, formats=("PNG",)) as picture:
            mode, codes = picture.mode, np.asarray(picture)
    except (OSError, ValueError) as error:
        raise problem(path, f"the annotation cannot be read ({error})", "get it again") from None
    if mode not in ("P", "L") or codes.max(initial=0) >= MAP_CODES:
        raise problem(
            path,
            f"a picture of mode {mode} with values up to {codes.max(initial=0)}",
            f"expected palette indices 0 to {MAP_CODES - 1}; a program that saved it in colour "
            "has lost them",
        )
    return codes


def shows_frame(fov: np.ndarray) -> bool:
    """Whether a field of view [S, S] uint8 is a whole frame: its corners are not cut.

    One corner may be missing, as a stamp that was painted black leaves it.
    """
    rows, columns = np.flatnonzero(fov.any(axis=1)), np.flatnonzero(fov.any(axis=0))
    if not len(rows):
        return False
    return int(fov[np.ix_(rows[[0, -1]], columns[[0, -1]])].sum()) >= 3
