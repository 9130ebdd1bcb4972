"""One copy of a good photograph with defects as they are, and what can still be seen of it.

The engine (`synthetic.defects`) works at the side that is asked for. Most copies are then brought
to the size of a field as files have it, saved as a JPEG of random quality and read again, as any
photograph is.
"""

import dataclasses
import functools
import hashlib
import importlib.resources
import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

from input_pipeline import synthetic
from input_pipeline.sources import mask_drawing
from input_pipeline.sources.generated import recompression
from input_pipeline.sources.photo_files import PhotoReader
from input_pipeline.synthetic import defects, truth
from input_pipeline.synthetic.defects import CAUSES, CONTROLS, KINDS, Item, Prepared, apply, prepare
from input_pipeline.tables.examples import QUALITY, Arrays

CELLS = 32  # of the map, along a side
GOOD = 0.35  # share of copies to which nothing happens that should matter
UNSAVED = 0.3  # share of copies that stay as the engine gives them
FIELDS = (110, 1024)  # pixels across the field of a saved copy; small ones are enlarged when read
QUALITIES = (60, 95)  # of JPEG, both included
# Share of the field below `truth.USABLE` by one cause from which on the defect has its label.
EXTENT = {"illumination": 0.2, "sharpness": 0.2, "contrast": 0.2, "covered": 0.05}
_VERSION = 2  # raised whenever the same photograph would give other copies


@dataclasses.dataclass(frozen=True)
class Copy:
    """One copy: the photograph, its number, the file of its vessels ('' for none)."""

    id: str
    number: int
    path: str
    vessels: str


@dataclasses.dataclass(frozen=True)
class DefectsReader:
    """Makes copies.

    Attributes:
      photo: opens the photographs, at the side of an example.
      seed: with a photograph's id and a copy's number decides what happens to it.
    """

    photo: PhotoReader
    seed: int

    def read(self, item: Copy) -> Arrays:
        """One copy with its labels.

        Returns:
          'image' `[S, S, 3] uint8`, 'fov' `[S, S] uint8`, 'field_px' `[] float32`, 'map' and
          'cause' `[32, 32] uint8` (codes of `truth`; 0 for none, then those of `CAUSES`),
          'quality' and 'ungradable' `[] int32`, 'details' `[4] int8` in the order of
          `truth.DETAILS`.

        Raises:
          PhotoError: the photograph or its mask cannot be read, or they do not fit.
        """
        prepared = _prepared(self.photo, item.path, item.vessels)
        name = np.frombuffer(hashlib.sha256(item.id.encode()).digest(), "<u4").tolist()
        rng = np.random.default_rng([self.seed, item.number, *name])
        done = apply(prepared, plan(rng), int(rng.integers(2**31)))
        field = (prepared.base.scene.fov > 0).astype(np.uint8)
        image, size = saved(done.image, rng)
        grade = truth.quality(done.visibility)
        return {
            "image": image * field[..., None],
            "fov": field,
            "field_px": np.asarray(size, np.float32),
            "map": truth.codes(done.visibility),
            "cause": (done.cause + 1).astype(np.uint8),
            "quality": np.asarray(grade, np.int32),
            "ungradable": np.asarray(grade == QUALITY.index("reject"), np.int32),
            "details": details(done.visibility, done.cause),
        }

    def settings(self) -> str:
        """See `examples.Reader`."""
        return f"{self.photo.settings()} defects {_VERSION}: {self.seed} by {_engine()}"

    def key(self, item: Copy) -> str:
        """See `examples.Reader`. Raises: PhotoError."""
        return self._digest(item, [self.photo.key(path) for path in _files(item)])

    def stamp(self, item: Copy) -> str:
        """See `examples.Reader`. Raises: PhotoError."""
        return self._digest(item, [self.photo.stamp(path) for path in _files(item)])

    def fingerprint(self, item: Copy) -> str:
        """See `examples.Reader`."""
        return self._digest(item, [self.photo.fingerprint(path) for path in _files(item)])

    def _digest(self, item: Copy, files: Sequence[str]) -> str:
        text = repr((self.settings(), item.id, item.number, [*files]))
        return hashlib.sha256(text.encode()).hexdigest()


def plan(rng: np.random.Generator) -> list[Item]:
    """What happens to one copy: up to two harmless changes, then up to three defects.

    A copy that is meant to stay good gets none, or one that takes little.
    """
    out = [
        Item(str(kind), float(rng.uniform(0.2, 1)), int(rng.integers(2**31)))
        for kind in rng.choice(list(CONTROLS), int(rng.choice(3, p=(0.4, 0.4, 0.2))), replace=False)
    ]
    good = rng.random() < GOOD
    count = int(rng.integers(2)) if good else int(rng.choice((1, 2, 3), p=(0.5, 0.35, 0.15)))
    for kind in rng.choice(list(KINDS), count, replace=False, p=_shares()):
        severity = rng.uniform(0.05, 0.3) if good else rng.uniform(0.3, 1)
        area = 1.0 if rng.random() < 0.6 else rng.uniform(0.2, 0.8)
        out.append(Item(str(kind), float(severity), int(rng.integers(2**31)), float(area)))
    return out


@functools.cache
def _shares() -> list[float]:
    """Share of each of `KINDS`: half the same for all, half so that causes are equally frequent."""
    causes = [kind.cause for kind in KINDS.values()]
    return [0.5 / len(KINDS) + 0.5 / (len(CAUSES) * causes.count(c)) for c in causes]


def saved(image: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """The picture as a file of some size and quality gives it, and the field's pixels in the file.

    Args:
      image: `[S, S, 3] uint8`.
      rng: decides.

    Returns:
      `[S, S, 3] uint8`, and the field's width in pixels of the file.
    """
    side = image.shape[0]
    if rng.random() < UNSAVED:
        return image, float(rng.uniform(side, max(side, FIELDS[1])))
    size = float(np.exp(rng.uniform(*np.log(FIELDS))))
    picture, width = Image.fromarray(image), min(round(size), side)
    if width < side:
        picture = recompression.shrunk(picture, (width, width), rng)
    data = recompression.encoded(picture, QUALITIES, rng)
    with Image.open(io.BytesIO(data)) as again:
        out = again.convert("RGB").resize((side, side), Image.Resampling.BILINEAR)
    return np.asarray(out), size


def details(seen: np.ndarray, cause: np.ndarray) -> np.ndarray:
    """`[4] int8`: whether each cause takes so much of the field that its defect has a label.

    Args:
      seen: `[h, w] float32` visibility, nan outside the field.
      cause: `[h, w] int8` index into `CAUSES`, -1 for none.
    """
    inside = max(int((~np.isnan(seen)).sum()), 1)
    shares = [float((cause == k).sum()) / inside for k in range(len(CAUSES))]
    return np.array([s >= EXTENT[c] for s, c in zip(shares, CAUSES, strict=True)], np.int8)


def _files(item: Copy) -> list[str]:
    return [item.path, item.vessels] if item.vessels else [item.path]


@functools.cache
def _engine() -> str:
    """SHA-256 of the engine: no store holds what another version made."""
    h = hashlib.sha256()
    for package in (synthetic, defects):
        files = importlib.resources.files(package).iterdir()
        for file in sorted((f for f in files if f.name.endswith(".py")), key=lambda f: f.name):
            h.update(file.name.encode() + file.read_bytes())
    return h.hexdigest()


@functools.lru_cache(maxsize=2)
def _prepared(reader: PhotoReader, path: str, vessels: str) -> Prepared:
    """A photograph ready for defects, kept for its next copies."""
    photo = reader.open(path)
    drawn = mask_drawing.read_vessels(vessels, photo)[0] if vessels else None
    return prepare(photo.image, photo.fov, drawn, reader.side // CELLS)
