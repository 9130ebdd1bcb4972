"""One degraded copy of a photograph, with its labels, as the reader of a source."""

import dataclasses
import functools
import hashlib
from collections.abc import Sequence

import numpy as np

from input_pipeline import synthetic
from input_pipeline.sources import mask_drawing as masks
from input_pipeline.sources.generated import prerendered
from input_pipeline.sources.photo_files import PhotoReader
from input_pipeline.tables.examples import QUALITY, Arrays

FINE_SIDE = 512  # pixels, at least; vessels are removed at this size

# What also happens to slices: nothing that light does in an eye or on a lens.
SLICE = ("defocus", "motion", "dark", "bright", "low_contrast", "noise", "jpeg")

_VERSION = 1  # raised whenever the same photograph would give other copies


@dataclasses.dataclass(frozen=True)
class Copy:
    """One degraded copy: what it is made from. The id, not the path, decides what is done to it."""

    id: str  # of the photograph
    number: int
    path: str
    vessels: str  # file of the mask, '' for none


@dataclasses.dataclass(frozen=True)
class DegradedReader:
    """Makes copies.

    Attributes:
      photo: opens the photographs.
      seed: with a photograph's id and a copy's number decides what is done to it.
      lq_ratio: share of low quality (usable or reject).
      severity_mix: shares of usable and reject among those of low quality.
      kinds: degradations to choose from, keys of `synthetic.KINDS`.
      masks: copies hold `vessels`, black and not valid where a photograph has no mask.
      cells: edge of a cell of the map in pixels.
    """

    photo: PhotoReader
    seed: int
    lq_ratio: float
    severity_mix: tuple[float, float]
    kinds: tuple[str, ...]
    masks: bool
    cells: int

    def read(self, item: Copy) -> Arrays:
        """One copy with its labels.

        Returns:
          'image' `[S, S, C] uint8`, 'fov' `[S, S] uint8`, 'map' `[h, w] uint8`, with masks also
          'vessels' `[S, S, 3] uint8` and 'vessels_valid' `[3] float32`; 'quality' `[] int32`,
          'ungradable' `[] int32`, 'details' `[4] int8` in the order of `synthetic.DETAILS`.

        Raises:
          PhotoError: the photograph or its mask cannot be read, or they do not fit.
        """
        base = _opened(self.photo, item.path, item.vessels, self._touched(item))
        grey = self.photo.modality == "slice"
        name = np.frombuffer(hashlib.sha256(item.id.encode()).digest(), "<u4").tolist()
        what, how = np.random.SeedSequence([self.seed, item.number, *name]).spawn(2)
        rng = np.random.default_rng(what)
        plan = synthetic.plan(rng, self.lq_ratio, self.severity_mix, self.kinds)
        known = item.vessels != ""
        done = synthetic.degrade(
            np.repeat(base["image"], 3, -1) if grey else base["image"],
            base["fov"],
            np.random.default_rng(how),
            plan,
            base["without"] if known else None,
            base["vessels"] if known else None,
            self.cells,
        )
        example = {
            "image": done.image[..., 1:2] if grey else done.image,
            "fov": base["fov"],
            "map": done.map,
            "quality": np.asarray(done.quality, np.int32),
            "ungradable": np.asarray(done.quality == QUALITY.index("reject"), np.int32),
            "details": np.array([done.details[name] for name in synthetic.DETAILS], np.int8),
        }
        if self.masks:
            example |= {"vessels": base["vessels"], "vessels_valid": base["vessels_valid"]}
        return example

    def settings(self) -> str:
        """See `table.Reader`."""
        values = (self.seed, self.lq_ratio, self.severity_mix, self.kinds, self.masks, self.cells)
        return (
            f"{self.photo.settings()} degraded {_VERSION}: {values} by {prerendered.code_version()}"
        )

    def key(self, item: Copy) -> str:
        """See `table.Reader`. Raises: PhotoError."""
        return self._digest(item, [self.photo.key(path) for path in _files(item)])

    def stamp(self, item: Copy) -> str:
        """See `table.Reader`. Raises: PhotoError."""
        return self._digest(item, self._touched(item))

    def fingerprint(self, item: Copy) -> str:
        """See `table.Reader`."""
        return self._digest(item, [self.photo.fingerprint(path) for path in _files(item)])

    def _touched(self, item: Copy) -> tuple[str, ...]:
        return tuple(self.photo.stamp(path) for path in _files(item))

    def _digest(self, item: Copy, files: Sequence[str]) -> str:
        text = repr((self.settings(), item.id, item.number, [*files]))
        return hashlib.sha256(text.encode()).hexdigest()


def _files(item: Copy) -> list[str]:
    return [item.path, item.vessels] if item.vessels else [item.path]


@functools.lru_cache(maxsize=8)
def _opened(reader: PhotoReader, path: str, mask: str, touched: tuple[str, ...]) -> Arrays:
    """A photograph and its vessels, kept for its next copies: opening takes most of the time.

    Args:
      reader: opens it.
      path: its file.
      mask: file of its mask, '' for none.
      touched: stamps of both files: what changed is opened again.
    """
    del touched
    photo = reader.open(path)
    out = {"image": photo.image, "fov": photo.fov}
    out |= {"vessels": np.zeros_like(photo.image), "vessels_valid": np.zeros(3, np.float32)}
    if mask:
        out["vessels"], out["vessels_valid"] = masks.read_vessels(mask, photo)
        out["without"] = _without_vessels(reader, path, mask, photo.image)
    for array in out.values():
        array.setflags(write=False)
    return out


def _without_vessels(reader: PhotoReader, path: str, mask: str, image: np.ndarray) -> np.ndarray:
    """The photograph `[S, S, 3] uint8` without its vessels.

    They are removed from a larger reading: at 128 pixels hardly a pixel of the disc lies between
    vessels, and what is filled in from around it is too dark for any contrast to be left.
    """
    times = -(-FINE_SIDE // reader.side)
    side = times * reader.side
    fine = dataclasses.replace(reader, side=side).open(path)
    cover = masks.read_vessels(mask, fine)[0]
    change = synthetic.remove_vessels(fine.image, cover, fine.fov).astype(np.float32) - fine.image
    change = change.reshape(reader.side, times, reader.side, times, 3).mean((1, 3))
    return np.clip(np.rint(image + change), 0, 255).astype(np.uint8)
