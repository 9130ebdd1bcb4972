"""Good photographs, spoilt by the frozen engine, kept in files: what maps are compared on.

Every photograph gives its trials (`synthetic.defects.protocol`) to be tested on, and mixtures of
harmless changes and defects to be trained on; a fold trains on other cameras only.
"""

import csv
import dataclasses
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray

from fiqa_jax.models import cell_measures
from input_pipeline.photo.file_type import SUFFIXES
from input_pipeline.photo.reader import read_photo
from input_pipeline.sources import mask_drawing
from input_pipeline.synthetic import defects
from input_pipeline.synthetic.defects import CONTROLS, KINDS, Item, protocol

_measures = jax.jit(cell_measures.measures)
COLUMNS = ("kind", "visibility", "cause", "features")  # of a file, beside pictures


@dataclasses.dataclass(frozen=True)
class Photograph:
    """One good photograph."""

    camera: str
    name: str
    number: int  # its place among those chosen: kinds and severities go round by it
    person: str
    path: Path
    vessels: Path | None


@dataclasses.dataclass(frozen=True)
class Copies:
    """All copies of one photograph; n of them, cells [h, w]."""

    camera: str
    person: str
    kind: NDArray[np.str_]  # [n], kinds joined by '+', '' for the photograph itself
    test: NDArray[np.bool_]  # [n], else for training
    visibility: NDArray[np.float32]  # [n, h, w], nan outside the field
    cause: NDArray[np.int8]  # [n, h, w], places in `visible_cells.CAUSES`, -1 where nothing is bad
    cells: NDArray[np.float16]  # [n, h, w, F] of `cell_measures`
    file: Path

    def images(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Photographs [n, S, S, 3] and their field [S, S], from the file."""
        with np.load(self.file) as stored:
            return stored["image"], stored["fov"]


def photographs(camera: str, place: Path, most: int, person: slice) -> list[Photograph]:
    """Photographs of a folder, or of a table with the columns image (original) and vessels.

    Args:
      camera: what the set is called; place: folder, or CSV whose paths start from its own folder.
      most: so many, evenly chosen; 0 for all. person: part of the name that tells whose it is.

    Raises:
      ValueError: nothing there.
    """
    rows: list[tuple[Path, Path | None]] = []
    if place.is_dir():
        rows = [(f, None) for f in sorted(place.iterdir()) if f.suffix.lower() in SUFFIXES]
    elif place.is_file():
        with place.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                shown = place.parent / (row.get("original") or row["image"])
                rows.append((shown, place.parent / row["vessels"] if row.get("vessels") else None))
    if not rows:
        raise ValueError(f"{place}: no photographs; give a folder of them or a table with `image`")
    step = max(1, len(rows) // most) if most else 1
    return [
        Photograph(camera, path.stem, k, f"{camera}:{path.stem[person]}", path, mask)
        for k, (path, mask) in enumerate(rows[::step][: most or None])
    ]


def mixtures(number: int, count: int) -> list[tuple[Item, ...]]:
    """What happens to the training copies of a photograph: 0 to 2 changes, 0 to 3 defects."""
    out = []
    for k in range(count):
        rng = np.random.default_rng([77, number, k])

        def item(kind: str, area: float, rng: np.random.Generator = rng) -> Item:
            return Item(kind, float(rng.uniform(0.2, 1)), int(rng.integers(2**31)), area)

        items = [
            item(list(CONTROLS)[rng.integers(len(CONTROLS))], 1.0)
            for _ in range(int(rng.integers(0, 3)))
        ]
        several = int(rng.choice(4, p=(0.15, 0.45, 0.28, 0.12)))
        for place in rng.choice(len(KINDS), several, replace=False):
            area = 1.0 if rng.random() < 0.25 else float(rng.uniform(0.15, 0.8))
            items.append(item(list(KINDS)[place], area))
        out.append(tuple(items))
    return out


def make(photo: Photograph, folder: Path, train: int, every: int) -> Path:
    """Makes and keeps the copies of a photograph; a file that is there is left as it is.

    Args:
      photo: the photograph; folder: of the files.
      train: mixtures to train on; every: test on every so manieth kind, in turn.
    """
    file = folder / f"{photo.camera}~{photo.name}.npz"
    if file.exists():
        return file
    shot = read_photo(str(photo.path), protocol.SIDE)
    vessels = mask_drawing.read_vessels(photo.vessels, shot)[0] if photo.vessels else None
    base = defects.prepare(shot.image, shot.fov, vessels, protocol.CELLS)
    first = len(protocol.trials(photo.name, photo.number)) - len(KINDS)
    jobs = [
        (True, trial.kind, trial.items, trial.seed)
        for k, trial in enumerate(protocol.trials(photo.name, photo.number))
        if k < first or (k + photo.number) % every == 0
    ]
    for k, items in enumerate(mixtures(photo.number, train)):
        jobs.append((False, "+".join(i.kind for i in items), items, 1000 + k))
    done = [defects.apply(base, items, seed) for _, _, items, seed in jobs]
    cells = [_measures(shown.image[None] / np.float32(255), shot.fov[None])[0] for shown in done]
    draft = folder / f".{file.name}"
    with draft.open("wb") as out:
        np.savez(
            out,
            image=np.stack([shown.image for shown in done]),
            fov=shot.fov,
            visibility=np.stack([shown.visibility for shown in done]),
            cause=np.stack([shown.cause for shown in done]),
            features=np.stack(cells).astype(np.float16),
            split=np.array(["test" if job[0] else "train" for job in jobs]),
            kind=np.array([job[1] for job in jobs]),
        )
    os.replace(draft, file)
    return file


def load(photos: Sequence[Photograph], folder: Path) -> Iterator[Copies]:
    """Copies of photographs that `make` has kept, without their images."""
    for photo in photos:
        file = folder / f"{photo.camera}~{photo.name}.npz"
        if not file.exists():
            continue
        with np.load(file) as stored:
            part: dict[str, Any] = {k: stored[k] for k in COLUMNS}
            test = stored["split"] == "test"
        yield Copies(
            photo.camera,
            photo.person,
            part["kind"],
            test,
            part["visibility"],
            part["cause"],
            part["features"],
            file,
        )
