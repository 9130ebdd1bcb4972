"""FunPiQ (arXiv 2606.25915, 2026): the quality of every pixel of 300 photographs.

Masks are palette PNGs whose indices are 0 background, 1 good, 2 usable, 3 bad. The photographs are
EyeQ's, BRSET's and mBRSET's, which are had from those sets. For evaluation only: all are 'test'.
"""

import re

from input_pipeline.readers.dataset import Dataset, Labels, Listed, tally
from input_pipeline.readers.tree import Tree
from input_pipeline.tables.examples import Table, strings
from input_pipeline.tables.table_error import TableError

FOLDER = "annotations"
# Name -> where the photograph is from, and the part of the name that is the patient.
_ORIGINS = (
    ("EyeQ", re.compile(r"(\d+)_(?:left|right)")),
    ("mBRSET", re.compile(r"(\d+)\.\d+")),
)
_BRSET = re.compile(r"img\d+")  # its names do not tell the patient


def origin(name: str) -> tuple[str, str]:
    """The set that a photograph of this name is from, '' if unknown, and its patient.

    Where the name does not tell the patient, it is the name itself.
    """
    for source, pattern in _ORIGINS:
        if match := pattern.fullmatch(name):
            return source, f"{source}:{match[1]}"
    return "BRSET" if _BRSET.fullmatch(name) else "", name


def read(files: Tree, variant: str, lists: str) -> Listed:
    """See `dataset.Dataset`.

    Raises:
      TableError: no masks, or two of one name.
    """
    del variant, lists
    masks = [p for p in files.files if p.endswith(".png") and FOLDER in p.lower().split("/")[:-1]]
    if not masks:
        raise TableError(
            f"{files.root}: no .png in a folder {FOLDER!r}; unpack FunPiQ's release there"
        )
    ids = [path.rsplit("/", 1)[-1].removesuffix(".png") for path in masks]
    patients = [origin(name)[1] for name in ids]
    known = sum(patient != name for name, patient in zip(ids, patients, strict=True))
    table = Table(
        id=strings(ids),
        patient=strings(patients),
        split=strings(["test"] * len(ids)),
        labels={},
        quality_names=(),
        detail_names=(),
        diagnosis_names=(),
        path=strings([f"{name}.png" for name in ids]),
        notes=(
            "for evaluation only: all are test photographs",
            f"the patient is known from the name for {known} of {len(ids)} photographs",
        ),
    )
    return Listed(table, tally(table), tuple(masks))


DATASET = Dataset(
    title="FunPiQ: good, usable and bad pixels of 300 photographs (2026)",
    instructions=f"""\
1. The annotations of release v1.0.0 of github.com/MICCAI2026-3819/FunPiQ, unpacked into a folder
   {FOLDER}. They lie over the photographs as EyePACS, BRSET and mBRSET publish them. (Those of
   v0.0.0 lie over EyeQ's photographs after the official EyeQ_preprocess, 800 x 800.)
2. The 300 photographs of those names, in any other folder: EyePACS's from Kaggle (see eyeq), those
   of BRSET and mBRSET from PhysioNet (credentialed access).
A mask of other proportions than its photograph is an error: it means the other release.""",
    licence="annotations: see the release; photographs under the terms of Kaggle and PhysioNet",
    read=read,
    labels={"": Labels()},
    published={"": {"test": {"photographs": 300}}},
    annotation="map",
)
