"""MKCNet's five sets with image quality and diagnosis (Che et al., CVPR 2023), by its lists.

Quality counts upwards: the highest code is the best, as its EYEQ list shows, which is EyeQ's in
reverse. Diabetic retinopathy is merged to none, non-proliferative (1 to 3) and proliferative, as in
the released code. The lists are random by photograph for EYEQ, IQAD-CT and IQAD-CXR, so that a
patient may stand in several of them; `lists='official'` splits by patient instead.
"""

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np

from input_pipeline.readers import eyeq
from input_pipeline.readers.dataset import (
    Dataset,
    Labels,
    Listed,
    expect_columns,
    tally,
    ungradable_of,
)
from input_pipeline.readers.tree import Tree, ends_with, label_file
from input_pipeline.tables import codes as words
from input_pipeline.tables.columns import read_sheet
from input_pipeline.tables.examples import GRADABLE, QUALITY, Table, strings
from input_pipeline.tables.table_error import Setting, TableError

VARIANTS = {
    "EYEQ": "28,790 EyeQ photographs",
    "DEEPDR": "2,000 DeepDRiD photographs",
    "DRAC": "611 OCT angiograms",
    "IQAD-CT": "2,346 chest CT slices",
    "IQAD-CXR": "8,287 chest radiographs",
}
_THREE = {"0": "reject", "1": "usable", "2": "good"}
_TWO = {"0": "ungradable", "1": "gradable"}
CODES = {"EYEQ": _THREE, "DEEPDR": _TWO, "DRAC": _TWO, "IQAD-CT": _TWO, "IQAD-CXR": _THREE}
_DR = ("no DR", "NPDR", "PDR")
DIAGNOSES = {
    "EYEQ": _DR,
    "DEEPDR": _DR,
    "DRAC": _DR,
    "IQAD-CT": ("no COVID-19", "COVID-19"),
    "IQAD-CXR": ("normal", "pneumonia"),
}
_SHARING = ("EYEQ", "IQAD-CT", "IQAD-CXR")  # lists at random by photograph
_MERGED = {"0": "0", "1": "1", "2": "1", "3": "1", "4": "2"}
NOTES = {
    "EYEQ": "MKCNet's lists mix EyeQ's training and test photographs, at random by photograph",
    "DEEPDR": "these are DeepDRiD's own training, validation and evaluation sets",
    "DRAC": "training list only; the test labels stay with the challenge, so no split is given",
    "IQAD-CT": "the quality label is the source: COVID-CT 0, SARS-CoV-2-CT 1, without exception; "
    "SARS-CoV-2-CT's names tell no patients",
    "IQAD-CXR": "quality 2 is exactly the NIH radiographs; what 0 and 1 mean is not published, "
    "they are taken to count upwards as in the other lists",
}


def read(files: Tree, variant: str, lists: str) -> Listed:
    """See `dataset.Dataset`.

    With lists='mkcnet' the split is MKCNet's; with 'official' EyeQ's for EYEQ (its label files must
    be there), DeepDRiD's for DEEPDR, and none for the others, which are then split by patient.

    Raises:
      TableError: other columns or codes than MKCNet's, or no EyeQ labels for the official split.
    """
    paths, split, quality, diagnosis, notes = [], [], [], [], [NOTES[variant]]
    for name in ("train",) if variant == "DRAC" else ("train", "val", "test"):
        sheet = read_sheet(_list(files, variant, name))
        expect_columns(sheet, ("image_name", "dr_label", "iq_label"))
        cells, lines = sheet.columns, sheet.lines
        raw = cells["dr_label"]
        if variant in ("EYEQ", "DEEPDR"):
            raw = [_MERGED.get(cell, cell) for cell in raw]
        try:
            grade, bad, _, note = words.quality(
                cells["iq_label"], lines, "IQ_label", CODES[variant]
            )
            level, _ = words.diagnosis(raw, lines, "DR_label", DIAGNOSES[variant])
        except TableError as error:
            raise error.within(f"{sheet.file}: ") from None
        notes.append(f"{name}: {note}")
        quality.append(grade if CODES[variant] is _THREE else bad)
        diagnosis.append(level)
        paths += cells["image_name"]
        split += [name] * len(lines)
    ids = [path.rsplit("/", 1)[-1].rpartition(".")[0] for path in paths]
    label = np.concatenate(quality)
    three = CODES[variant] is _THREE
    labels = (
        {"quality": label, "ungradable": ungradable_of(label)} if three else {"ungradable": label}
    )
    table = Table(
        id=strings(ids),
        patient=strings([patient(variant, name) for name in ids]),
        split=strings(split),
        labels={**labels, "diagnosis": np.concatenate(diagnosis)},
        quality_names=QUALITY if three else GRADABLE,
        detail_names=(),
        diagnosis_names=DIAGNOSES[variant],
        path=strings([f"{variant}/{path}" for path in paths]),
        notes=tuple(notes),
    )
    counts = tally(table)
    if lists == "official":
        return Listed(_official(files, variant, table), counts)
    return Listed(dataclasses.replace(table, shares_patients=variant in _SHARING), counts)


def _list(files: Tree, variant: str, name: str) -> Path:
    """The list, in a folder of the set's name with - or, as the released code has it, _."""
    under = variant.replace("-", "_")
    there = under if ends_with(files, f"{under}/{name}.txt") else variant
    return label_file(files, f"{there}/{name}.txt")


def _official(files: Tree, variant: str, table: Table) -> Table:
    """The table with a split that shares no patient, or with none."""
    if variant == "DEEPDR":
        return table
    if variant != "EYEQ":
        note = "no official split: photographs are dealt out by patient"
        return dataclasses.replace(
            table, split=strings([""] * len(table)), notes=(*table.notes, note)
        )
    missing = [name for name in eyeq.FILES.values() if not ends_with(files, name)]
    if missing:
        raise TableError(
            f"{files.root}: no {' and no '.join(missing)}, which hold the official split of EYEQ's "
            "photographs; add them (see eyeq), or set "
            f"{Setting('data.lists')}=mkcnet for MKCNet's own, which share patients"
        )
    theirs = eyeq.read_labels({s: label_file(files, name) for s, name in eyeq.FILES.items()})
    split = dict(zip(theirs.id.tolist(), theirs.split.tolist(), strict=True))
    grade = dict(zip(theirs.id.tolist(), theirs.labels["quality"].tolist(), strict=True))
    ids = table.id.tolist()
    agree = sum(
        grade.get(i) == q for i, q in zip(ids, table.labels["quality"].tolist(), strict=True)
    )
    if agree != len(ids):
        raise TableError(
            f"{files.root}: {agree} of {len(ids)} grades of EYEQ are those of EyeQ's label files, "
            "expected all; one of them is another release"
        )
    return dataclasses.replace(
        table,
        split=strings([split[name] for name in ids]),
        notes=(*table.notes, f"joined with EyeQ's labels: {agree} of {len(ids)} grades agree"),
    )


def patient(variant: str, name: str) -> str:
    """The patient of a photograph, by its name without ending; the name where it tells nothing.

    For CT slices the paper that they were printed in, as nothing is known of patients.
    """
    return _PATIENTS[variant](name)


def _paper(name: str) -> str:
    """The paper that a COVID-CT slice is from; the figure of slices without COVID; else itself."""
    if match := re.fullmatch(r"(\d+)(%\d+)?", name):
        return f"figure {match[1]}"
    if match := re.fullmatch(r"(PIIS\d+X?)(_\d+)?(%\d+)?", name):
        return match[1]
    return re.sub(r"-p\d+-.*", "", name)


def _child(name: str) -> str:
    """The patient of a radiograph: NIH's number, or Kermany's person or study."""
    match = re.match(r"(\d{8})_\d{3}$|(person\d+)_|((?:NORMAL2-)?IM-\d+)-", name)
    return next(filter(None, match.groups())) if match else name


_PATIENTS: dict[str, Callable[[str], str]] = {
    "EYEQ": lambda name: name.partition("_")[0],
    "DEEPDR": lambda name: name.partition("_")[0],
    "DRAC": lambda name: name,
    "IQAD-CT": _paper,
    "IQAD-CXR": _child,
}


def _published(variant: str) -> dict[str, dict[str, int]]:
    names = (QUALITY if CODES[variant] is _THREE else GRADABLE) + DIAGNOSES[variant]
    out = {}
    for split, counts in _COUNTS[variant].items():
        tallied = {"photographs": sum(counts[-len(DIAGNOSES[variant]) :])}
        out[split] = tallied | dict(zip(names, counts, strict=True))
    return out


# Counted in the lists of github.com/chehx/MKCNet, commit 1150ce2: qualities from the best on, then
# diagnoses, merged. The paper's Table 1 has one photograph less for EYEQ and for IQAD-CXR.
_COUNTS: dict[str, dict[str, tuple[int, ...]]] = {
    "EYEQ": {
        "train": (10093, 3867, 3314, 12374, 4503, 397),
        "val": (1656, 655, 568, 2029, 776, 74),
        "test": (5069, 1912, 1656, 6196, 2264, 177),
    },
    "DEEPDR": {
        "train": (576, 624, 540, 588, 72),
        "val": (182, 218, 174, 206, 20),
        "test": (180, 220, 200, 180, 20),
    },
    "DRAC": {"train": (515, 96, 328, 213, 70)},
    "IQAD-CT": {
        "train": (1120, 521, 837, 804),
        "val": (160, 75, 120, 115),
        "test": (320, 150, 240, 230),
    },
    "IQAD-CXR": {
        "train": (1701, 2047, 2048, 1806, 3990),
        "val": (243, 293, 294, 259, 571),
        "test": (487, 587, 587, 518, 1143),
    },
}

DATASET = Dataset(
    title="IQAD: MKCNet's five sets with image quality and diagnosis (Che et al., CVPR 2023)",
    instructions="""\
1. The folders of github.com/chehx/MKCNet, dataset_splits: EYEQ, DEEPDR, DRAC, IQAD-CT, IQAD-CXR,
   each with train.txt, val.txt and test.txt (DRAC has train.txt only).
2. The photographs, in a folder Images beside the lists, or anywhere below; they are found by name.
   EYEQ: as eyeq, with both Label_EyeQ files for the official split. DEEPDR: as deepdrid. DRAC:
   drac22.grand-challenge.org. IQAD-CT: COVID-CT (github.com/UCSD-AI4H/COVID-CT) and SARS-COV-2
   Ct-Scan (Kaggle, plameneduardo). IQAD-CXR: the authors' package, linked in their README.""",
    licence="lists: none stated; photographs under the terms of their sources",
    read=read,
    labels={
        v: Labels(QUALITY if CODES[v] is _THREE else GRADABLE, (), DIAGNOSES[v]) for v in VARIANTS
    },
    published={variant: _published(variant) for variant in VARIANTS},
    variants=VARIANTS,
    lists=("official", "mkcnet"),
    modality={v: "fundus" if v in ("EYEQ", "DEEPDR") else "slice" for v in VARIANTS},
)
