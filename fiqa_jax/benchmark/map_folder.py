"""Maps of several kinds and the truth they are measured against, as folders in FunPiQ's format.

    OUT/annotations/NAME.png   palette: 0 background, 1 good, 2 usable, 3 bad
    OUT/photographs/NAME.png   what the models saw
    OUT/maps/KIND/NAME.npy     [h, w] float32 over the whole of it, higher = worse
    OUT/patients.csv           whose photograph NAME is

`python -m fiqa_jax.benchmark funpiq` reads them, and so does any other program that reads FunPiQ.
"""

import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fiqa_jax.maps import localisation
from input_pipeline import atomic

PALETTE = ((0, 0, 0), (106, 153, 78), (232, 168, 56), (193, 69, 69))  # FunPiQ's colours
PATIENTS = "patients.csv"
FLAT = ", image mean"  # kinds that the other benchmark makes itself


def write(
    folder: Path,
    names: Sequence[str],
    people: Sequence[str],
    photographs: Sequence[Mapping[str, NDArray[Any]]],
    maps: Mapping[str, Sequence[NDArray[Any]]],
) -> list[str]:
    """Writes the folders.

    Args:
      folder: made if absent.
      names: N, of the photographs; characters that file names lack become '-'.
      people: N, whose they are.
      photographs: N examples with `image [S, S, 3] uint8`, `fov [S, S] uint8` and `map
        [h, w] uint8`, the truth of cells.
      maps: kind -> N maps `[h, w]`.

    Returns:
      `KIND=folder` of every kind, as `benchmark funpiq --maps` takes it.

    Raises:
      ValueError: a folder that has annotations already, or two photographs of one name.
    """
    files = [re.sub(r"[^\w.-]+", "-", name).lstrip("-.") for name in names]
    if len(set(files)) < len(files):
        twice = next(name for name in files if files.count(name) > 1)
        raise ValueError(f"two photographs would be called {twice}; give them other names")
    if (folder / "annotations").exists():
        raise ValueError(f"{folder} holds annotations already; give another folder, or delete it")
    for part in ("annotations", "photographs"):
        (folder / part).mkdir(parents=True)
    for name, example in zip(files, photographs, strict=True):
        _picture(folder / "annotations" / f"{name}.png", annotation(example["map"], example["fov"]))
        _picture(folder / "photographs" / f"{name}.png", Image.fromarray(example["image"]))
    atomic.write_csv(folder / PATIENTS, ("name", "patient"), zip(files, people, strict=True))
    given = []
    for kind, each in maps.items():
        if kind.endswith(FLAT):
            continue
        place = folder / "maps" / re.sub(r"\W+", "_", kind)
        place.mkdir(parents=True)
        for name, quality in zip(files, each, strict=True):
            data = io.BytesIO()
            np.save(data, np.asarray(quality, np.float32), allow_pickle=False)
            atomic.write(place / f"{name}.npy", data.getvalue())
        given.append(f"{kind}={place}")
    return given


def annotation(codes: NDArray[np.uint8], fov: NDArray[np.uint8]) -> Image.Image:
    """The truth of cells as a palette picture.

    Args:
      codes: `[h, w] uint8`: 1 good, 2 usable, 3 bad, else not known.
      fov: `[S, S] uint8`, 1 inside.

    Returns:
      A picture of S x S pixels, of mode P.
    """
    known, _ = localisation.truth_pixels(codes, fov)
    at = (np.arange(len(fov)) * len(codes)) // len(fov)
    picture = Image.fromarray(np.where(known, codes[at][:, at], 0).astype(np.uint8), "P")
    picture.putpalette([level for colour in PALETTE for level in colour])
    return picture


def _picture(file: Path, picture: Image.Image) -> None:
    data = io.BytesIO()
    picture.save(data, "PNG")
    atomic.write(file, data.getvalue())
