"""Photographs with their vessels: HRF, CHASE_DB1, or a folder of your own.

All are of good quality and have no quality labels.
"""

import re
from collections.abc import Sequence

import numpy as np

from input_pipeline.photo.file_type import SUFFIXES
from input_pipeline.readers.dataset import Dataset, Labels, Listed, tally
from input_pipeline.readers.tree import Tree, ends_with
from input_pipeline.tables import mask_files
from input_pipeline.tables.examples import Table, strings
from input_pipeline.tables.table_error import TableError

VARIANTS = {
    "hrf": "HRF: 45 photographs (Budai et al. 2013)",
    "chase_db1": "CHASE_DB1: 28 photographs of 14 children (Fraz et al. 2012)",
    "folder": "your own: photographs in images, masks of the same names in vessels",
}
GROUPS = ("healthy", "diabetic retinopathy", "glaucoma")  # of HRF, not a grade of retinopathy
_HRF, _CHASE = re.compile(r"\d\d_(h|dr|g)"), re.compile(r"Image_(\d\d)([LR])")
# Where an annotation of photograph {} may lie; arteries and veins before plain vessels, and of
# CHASE_DB1's two observers the first, as everybody does.
_HRF_MASKS = (
    "manual_av/{}_AVmanual.png",
    "av/{}.png",
    "vessels_native/{}.png",
    "vessels/{}.png",
    "manual1/{}.tif",
)
_CHASE_MASKS = ("vessels_native/{}_1stHO.png", "vessels/{}_1stHO.png", "{}_1stHO.png")


def read(files: Tree, variant: str, lists: str) -> Listed:
    """See `dataset.Dataset`.

    Raises:
      TableError: no photographs, or one without its mask.
    """
    del lists
    if variant == "folder":
        return _folder(files)
    pattern, masks = (_HRF, _HRF_MASKS) if variant == "hrf" else (_CHASE, _CHASE_MASKS)
    pictures: dict[str, str] = {}
    for path in files.files:
        stem = path.rsplit("/", 1)[-1].rpartition(".")[0]
        if pattern.fullmatch(stem) and path.lower().endswith(SUFFIXES):
            pictures.setdefault(stem, path)
    ids = sorted(pictures)
    if not ids:
        raise TableError(f"{files.root}: no photographs of {VARIANTS[variant]}")
    if variant == "hrf":
        kinds = [{"h": 0, "dr": 1, "g": 2}[name.partition("_")[2]] for name in ids]
        patients, expected = ids, [f"images/{name}.jpg" for name in ids]
        notes = ["each photograph is taken for a participant of its own: an assumption"]
    else:
        kinds = []
        patients = [name[6:8] for name in ids]
        expected = [f"original/{name}.jpg" for name in ids]
        notes = ["vessels are the first observer's"]
    table = _table(ids, patients, expected, notes, kinds)
    return Listed(table, tally(table), tuple(_mask(files, name, masks) for name in ids))


def _folder(files: Tree) -> Listed:
    paths = [p for p in files.files if p.startswith("images/") and p.lower().endswith(SUFFIXES)]
    if not paths:
        raise TableError(f"{files.root}: no photographs in a folder images")
    inside = [path.removeprefix("images/") for path in paths]
    masks = mask_files.in_folder(inside, files.root / "vessels")
    if "" in masks:
        raise TableError(
            f"{files.root}: {masks.count('')} photographs have no mask in vessels, the first: "
            f"{paths[masks.index('')]}"
        )
    notes = ["each photograph is taken for a patient of its own"]
    table = _table(inside, inside, paths, notes, [])
    return Listed(table, tally(table), tuple(masks))


def _mask(files: Tree, name: str, places: Sequence[str]) -> str:
    for place in places:
        matches = ends_with(files, place.format(name))
        if len(matches) > 1:
            raise TableError(f"{files.root}: {matches[0]} and {matches[1]}; leave one of them")
        if matches:
            return matches[0]
    raise TableError(
        f"{files.root}: no annotation of {name}; looked for "
        f"{', '.join(place.format(name) for place in places)}"
    )


def _table(
    ids: Sequence[str],
    patients: Sequence[str],
    paths: Sequence[str],
    notes: Sequence[str],
    kinds: Sequence[int],
) -> Table:
    return Table(
        id=strings(ids),
        patient=strings(patients),
        split=strings([""] * len(ids)),
        labels={"diagnosis": np.array(kinds, np.int32)} if kinds else {},
        quality_names=(),
        detail_names=(),
        diagnosis_names=GROUPS if kinds else (),
        path=strings(paths),
        notes=tuple(notes),
    )


DATASET = Dataset(
    title="Vessels: HRF, CHASE_DB1 or a folder of your own",
    instructions="""\
hrf: all.zip of www5.cs.fau.de/research/data/fundus-images (images, manual1), unpacked. With the
  artery and vein annotation of github.com/agaldran/lwnet, data/HRF/manual_av, in a folder manual_av
  these are read instead.
chase_db1: CHASEDB1.zip of researchdata.kingston.ac.uk/96, unpacked.
folder: photographs in a folder images, and masks called like them in a folder vessels: white (or
  any other grey) where vessels are; or red arteries, blue veins, green crossings.""",
    licence="HRF and CHASE_DB1: CC BY 4.0",
    read=read,
    labels={"hrf": Labels(diagnosis=GROUPS), "chase_db1": Labels(), "folder": Labels()},
    published={
        "hrf": {"all": {"photographs": 45, **dict.fromkeys(GROUPS, 15)}},
        "chase_db1": {"all": {"photographs": 28, "patients": 14}},
        "folder": {},
    },
    variants=VARIANTS,
    annotation="vessels",
)
