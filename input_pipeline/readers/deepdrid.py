"""DeepDRiD (Liu et al., Patterns 3:100512, 2022): 2,000 photographs of 500 patients.

Two views an eye. Overall quality 1 is good enough for a diagnosis; clarity and field definition
count upwards, artefact downwards (Table 2 there). Overall quality is in effect a label of the eye:
both views share it in all but five eyes. The labels of the evaluation set are .xlsx files; the
`*_upload.csv` beside them are empty templates.
"""

import re

import numpy as np

from input_pipeline.readers import workbook
from input_pipeline.readers.dataset import DR_GRADES, Dataset, Labels, Listed, expect_columns, tally
from input_pipeline.readers.tree import Tree, label_file
from input_pipeline.tables import codes as words
from input_pipeline.tables.columns import Sheet, read_sheet
from input_pipeline.tables.examples import GRADABLE, Table, strings
from input_pipeline.tables.table_error import TableError

FOLDERS = {
    "train": "regular-fundus-training",
    "val": "regular-fundus-validation",
    "test": "Online-Challenge1&2-Evaluation",
}
DETAILS = ("clarity", "field", "artefact")
# Scores that count as a defect, our choice after Table 2: no third vascular arch to be seen; disc
# or macula missing; artefacts over a quarter of the image or more.
DEFECTS = {"clarity": {1, 4}, "field": {1, 4}, "artefact": {6, 8, 10}}
_SCORES = {"clarity": "clarity", "field": "field_definition", "artefact": "artifact"}
_SHARED = ("image_id", "overall_quality", *_SCORES.values())
_ALLOWED = {
    "clarity": {1, 4, 6, 8, 10},
    "field": {1, 4, 6, 8, 10},
    "artefact": {0, 1, 4, 6, 8, 10},
}
_NAME = re.compile(r"(\d+)_([lr])(\d)")  # patient, eye, view
_LABELS = ("ungradable", "details", "diagnosis")
_LEVEL = {"l": "left_eye_dr_level", "r": "right_eye_dr_level"}


def read(files: Tree, variant: str, lists: str) -> Listed:
    """See `dataset.Dataset`.

    Raises:
      TableError: other columns, codes or names than DeepDRiD's.
    """
    del variant, lists
    sheets = {}
    for split in ("train", "val"):
        sheets[split] = read_sheet(label_file(files, f"{FOLDERS[split]}.csv"))
        taken = (*_SHARED, *_LEVEL.values(), "patient_id", "image_path", "patient_dr_level")
        expect_columns(sheets[split], taken)
    sheets["test"] = workbook.read(label_file(files, "Challenge2_labels.xlsx"))
    expect_columns(sheets["test"], _SHARED)
    grades = workbook.read(label_file(files, "Challenge1_labels.xlsx"))
    expect_columns(grades, ("image_id", "dr_levels"))
    of_test = dict(zip(grades.columns["image_id"], grades.columns["dr_levels"], strict=True))
    parts, notes = [], []
    for split, sheet in sheets.items():
        try:
            part, part_notes = _part(sheet, split, of_test)
        except TableError as error:
            raise error.within(f"{sheet.file}: ") from None
        parts.append(part)
        notes += [f"{split}: {note}" for note in part_notes]
    notes.append("overall quality is in effect a label of the eye, not of the photograph")
    table = Table(
        id=np.concatenate([part["id"] for part in parts]),
        patient=np.concatenate([part["patient"] for part in parts]),
        split=np.concatenate([part["split"] for part in parts]),
        labels={k: np.concatenate([p[k] for p in parts]) for k in _LABELS},
        quality_names=GRADABLE,
        detail_names=DETAILS,
        diagnosis_names=DR_GRADES,
        path=np.concatenate([part["path"] for part in parts]),
        notes=tuple(notes),
    )
    return Listed(table, tally(table))


def _part(
    sheet: Sheet, split: str, of_test: dict[str, str]
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Columns of the table for one label file, and what was seen."""
    cells, lines, names = sheet.columns, sheet.lines, sheet.columns["image_id"]
    _, bad, _, note = words.quality(
        cells["overall_quality"], lines, "Overall quality", {"0": "ungradable", "1": "gradable"}
    )
    notes = [note]
    details = np.empty((len(lines), len(DETAILS)), np.int8)
    for k, (name, column) in enumerate(_SCORES.items()):
        raw = [_score(cell, name, line) for cell, line in zip(cells[column], lines, strict=True)]
        details[:, k] = [score in DEFECTS[name] for score in raw]
        counted = ", ".join(f"{score} {raw.count(score)} times" for score in sorted({*raw}))
        notes.append(f"{name} {counted}; a defect: {sorted(DEFECTS[name])}")
    patients, levels = [], []
    for i, (name, line) in enumerate(zip(names, lines, strict=True)):
        patient, eye = _patient_and_eye(name, line)
        if "image_path" in cells:
            path = cells["image_path"][i].replace("\\", "/")
            if cells["patient_id"][i] != patient or not path.endswith(f"/{patient}/{name}.jpg"):
                raise TableError(
                    f"line {line}: image {name!r} does not fit patient_id "
                    f"{cells['patient_id'][i]!r} and image_path {cells['image_path'][i]!r}"
                )
            level = cells[_LEVEL[eye]][i]
        else:
            level = of_test.get(name, "")
        patients.append(patient)
        levels.append(_grade(level, line))
    paths = [f"{FOLDERS[split]}/Images/{p}/{n}.jpg" for p, n in zip(patients, names, strict=True)]
    return {
        "id": strings(names),
        "patient": strings(patients),
        "split": strings([split] * len(names)),
        "ungradable": bad,
        "details": details,
        "diagnosis": np.array(levels, np.int32),
        "path": strings(paths),
    }, notes


def _patient_and_eye(name: str, line: int) -> tuple[str, str]:
    match = _NAME.fullmatch(name)
    if not match:
        raise TableError(f"line {line}: image_id {name!r}; expected names such as 265_l1")
    return match[1], match[2]


def _score(cell: str, name: str, line: int) -> int:
    try:
        score = int(float(cell))
    except ValueError:
        score = -1
    if score not in _ALLOWED[name]:
        raise TableError(f"line {line}: {name} {cell!r}; expected one of {sorted(_ALLOWED[name])}")
    return score


def _grade(cell: str, line: int) -> int:
    """ICDR grade of the eye; -1 where it is absent or 5, which stands for ungradable."""
    text = cell.removesuffix(".0")
    if text in ("", "5"):
        return -1
    if text not in ("0", "1", "2", "3", "4"):
        raise TableError(f"line {line}: DR level {cell!r}; expected 0 to 5 or an empty cell")
    return int(text)


def _published(n: int, patients: int, bad: int, grades: tuple[int, ...]) -> dict[str, int]:
    counts = {"photographs": n, "patients": patients, "gradable": n - bad, "ungradable": bad}
    return counts | dict(zip(DR_GRADES, grades, strict=True))


DATASET = Dataset(
    title="DeepDRiD: quality and retinopathy of 2,000 photographs (Liu et al., Patterns 2022)",
    instructions="""\
The archive of release 1.1 from Zenodo record 8248825 (1.4 GB, MD5 3379e2fd7a2dd398545a67148420a5d3)
or a clone of github.com/deepdrdoc/DeepDRiD, unpacked. Used: everything in regular_fundus_images,
with Challenge1_labels.xlsx and Challenge2_labels.xlsx of the evaluation set. The ultra-widefield
photographs have no quality labels and are not read.""",
    licence="CC BY-SA 4.0",
    read=read,
    labels={"": Labels(GRADABLE, DETAILS, DR_GRADES)},
    published={
        "": {
            "train": _published(1200, 300, 624, (540, 140, 234, 214, 72)),
            "val": _published(400, 100, 218, (174, 46, 92, 68, 20)),
            "test": _published(400, 100, 220, (200, 36, 72, 72, 20)),
        }
    },
)
