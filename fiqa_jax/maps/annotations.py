"""Pairs of a map and an annotation of a photograph's pixels, from two folders.

Annotations are FunPiQ's: palette PNGs whose indices are 0 background, 1 good, 2 usable, 3 bad. Maps
are what any method gives, as `.npy` `[h, w]` of any range or as grey PNG of 8 or 16 bits, higher =
worse, called like the annotation; `name_1a2b3c4d.npy`, as `fiqa_jax.predict` writes them, too.
"""

import csv
import dataclasses
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fiqa_jax.maps import map_files
from fiqa_jax.maps.resizing import resized
from input_pipeline.photo.file_type import SUFFIXES
from input_pipeline.photo.reader import read_photo
from input_pipeline.readers import funpiq
from input_pipeline.sources import annotated

MAPS = (".npy", ".png")
# A picture without losses counts before a compressed one of the same name.
PHOTOGRAPHS = tuple(sorted(SUFFIXES, key=lambda suffix: suffix != ".png"))
_TAG = re.compile(r"_[0-9a-f]{8}$")  # by which predict keeps photographs of one name apart


@dataclasses.dataclass(frozen=True)
class Annotation:
    """An annotated photograph.

    Attributes:
      name: of the file, without its ending.
      file: the annotation.
      source: the set it is from, by its name, else its folder; '' if neither tells.
      patient: as a table says, else by its name, else the name.
    """

    name: str
    file: Path
    source: str
    patient: str


def patients(file: Path) -> dict[str, str]:
    """Whose photograph each is: a CSV with the columns `name` (without ending) and `patient`.

    Raises:
      ValueError: a table without these columns.
    """
    with file.open(encoding="utf-8-sig", newline="") as opened:
        table = csv.DictReader(opened)
        if not {"name", "patient"} <= set(table.fieldnames or ()):
            raise ValueError(f"{file}: columns name and patient expected, seen {table.fieldnames}")
        return {row["name"]: row["patient"] for row in table}


def listed(folder: Path, people: Mapping[str, str] | None = None) -> list[Annotation]:
    """All annotations of a folder and its folders, by name.

    Args:
      folder: of palette PNGs.
      people: name -> patient, of every annotation; None for what names tell.

    Raises:
      ValueError: none, two of one name, or one that `people` lacks.
    """
    out: dict[str, Annotation] = {}
    for file in sorted(folder.rglob("*.png")):
        if file.stem in out:
            raise ValueError(f"{file} and {out[file.stem].file}: two annotations of one name")
        source, patient = funpiq.origin(file.stem)
        if people is not None:
            if file.stem not in people:
                raise ValueError(f"{file}: the table of patients has no {file.stem!r}")
            patient = people[file.stem]
        inside = file.relative_to(folder).parts
        source = source or (inside[0] if len(inside) > 1 else "")
        out[file.stem] = Annotation(file.stem, file, source, patient)
    if not out:
        raise ValueError(f"{folder}: no .png in it; unpack FunPiQ's annotations there")
    return list(out.values())


def files(folder: Path, endings: tuple[str, ...], what: str) -> dict[str, Path]:
    """Files of a folder and its folders by name without ending; of two endings the first counts.

    Raises:
      ValueError: none, or two of one name and ending.
    """
    out: dict[str, Path] = {}
    there = [p for p in sorted(folder.rglob("*")) if p.suffix.lower() in endings]
    for file in sorted(there, key=lambda p: endings.index(p.suffix.lower())):
        name = file.stem
        if name in out and out[name].suffix.lower() == file.suffix.lower():
            raise ValueError(f"{file} and {out[name]}: two {what} of one name")
        out.setdefault(name, file)
    if not out:
        raise ValueError(f"{folder}: no {what} in it; expected {', '.join(endings)}")
    return out


def maps_of(folder: Path, wanted: Sequence[Annotation]) -> dict[str, Path]:
    """The map of every annotation, by its name.

    Raises:
      ValueError: annotations without a map, or with two.
    """
    there = files(folder, MAPS, "maps")
    plain: dict[str, list[Path]] = {}
    for name, file in there.items():
        if not name.endswith((map_files.OVERLAY, map_files.PAIR)):
            plain.setdefault(_TAG.sub("", name), []).append(file)
    out, missing = {}, []
    for annotation in wanted:
        if annotation.name in there:
            out[annotation.name] = there[annotation.name]
        elif len(plain.get(annotation.name, [])) > 1:
            raise ValueError(
                f"{folder}: {len(plain[annotation.name])} maps of one name, {annotation.name}"
            )
        elif annotation.name in plain:
            out[annotation.name] = plain[annotation.name][0]
        else:
            missing.append(annotation.name)
    if missing:
        raise ValueError(
            f"{folder}: no map for {len(missing)} of {len(wanted)} annotations, first: "
            f"{missing[0]}; expected {missing[0]}.npy or .png (`predict --allow-frame` maps "
            "photographs without a round field of view, too)"
        )
    return out


def read_map(file: Path) -> NDArray[np.float32]:
    """A map `[h, w]`: a .npy as it is, a grey PNG in [0, 1].

    Raises:
      ValueError: not such a file, another number of axes, or numbers that are not finite.
    """
    try:
        if file.suffix.lower() == ".npy":
            array = np.load(file, allow_pickle=False)
        else:
            with Image.open(file, formats=("PNG",)) as picture:
                full = {"L": 255.0, "I;16": 65535.0, "I": 65535.0}.get(picture.mode)
                if full is None:
                    raise ValueError(f"a picture of mode {picture.mode}; a map is grey")
                array = np.asarray(picture) / full
    except (OSError, ValueError) as error:
        raise ValueError(f"{file}: the map cannot be read: {error}") from None
    if array.ndim != 2 or array.dtype.kind not in "fiub" or not np.isfinite(array).all():
        raise ValueError(
            f"{file}: {array.dtype} of shape {array.shape}; a map is [h, w] of finite numbers"
        )
    return array.astype(np.float32)


def at_size(quality: NDArray[np.float32], height: int, width: int, file: Path) -> NDArray:
    """A map over the whole of an annotation, `[height, width]`, bilinear between centres of cells.

    Args:
      quality: `[h, w]`. A square lies over a photograph of any proportions, as encoders see it.
      height, width: of the annotation.
      file: of the map, for the message.

    Raises:
      ValueError: neither square nor of the annotation's proportions.
    """
    h, w = quality.shape
    if h != w and abs(w * height - h * width) > max(w + h, width + height):
        raise ValueError(
            f"{file}: {w} x {h} cells for an annotation of {width} x {height} pixels; a map has "
            "the proportions of its photograph, or is a square over the whole of it"
        )
    if (h, w) == (height, width):
        return quality
    return resized(quality, height, width)


def known_pixels(
    annotation: Annotation, map_file: Path, photographs: Mapping[str, Path], side: int
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Values of a map and grades `[n]` each, where the annotation has one; see `codes_of`.

    Raises:
      ValueError: files that cannot be read or do not fit; the message names the file.
    """
    codes = codes_of(annotation, photographs, side)
    height, width = codes.shape
    quality = at_size(read_map(map_file), height, width, map_file)
    return quality[codes > 0], codes[codes > 0]


def codes_of(
    annotation: Annotation, photographs: Mapping[str, Path], side: int
) -> NDArray[np.uint8]:
    """Grades of pixels `[H, W] uint8`: the whole annotation, or the square cut out as predict does.

    Args:
      annotation: the annotation.
      photographs: name -> file, where maps lie over the square about the field of view; else {}.
      side: pixels of that square.

    Raises:
      ValueError: an annotation that cannot be read, of other values or another photograph, or one
        whose photograph is not there.
    """
    if not photographs:
        return annotated.read_codes(str(annotation.file))
    if annotation.name not in photographs:
        raise ValueError(f"{annotation.file}: there is no photograph called {annotation.name}")
    return annotated.read_map(str(annotation.file), read_photo(photographs[annotation.name], side))
