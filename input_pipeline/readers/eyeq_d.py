"""EyeQ-D (Telesco et al. 2025): illumination, clarity and contrast of 160 EyeQ test photographs.

Overall quality counts the other way round than EyeQ's (0 is reject), a detail of 1 is good. All are
EyeQ test photographs, so all are 'test' here: not for training, validation or thresholds.
"""

import re

import numpy as np

from input_pipeline.readers import eyeq
from input_pipeline.readers.dataset import Dataset, Labels, Listed, expect_columns, tally
from input_pipeline.readers.tree import Tree, ends_with, label_file
from input_pipeline.tables import codes as words
from input_pipeline.tables.columns import read_sheet
from input_pipeline.tables.examples import QUALITY, Table, strings
from input_pipeline.tables.table_error import TableError

FILE = "EyeQ-D-Quality-Details.csv"
CODES = {"0": "reject", "1": "usable", "2": "good"}
DETAILS = ("illumination", "clarity", "contrast")


def read(files: Tree, variant: str, lists: str) -> Listed:
    """See `dataset.Dataset`. Grades are compared with EyeQ's where its label file is there.

    Raises:
      TableError: other columns or codes, or grades that differ from EyeQ's.
    """
    del variant, lists
    sheet = read_sheet(label_file(files, FILE))
    expect_columns(sheet, ("file_name", "overall_quality", *DETAILS))
    cells, lines = sheet.columns, sheet.lines
    ids = cells["file_name"]
    try:
        grade, bad, _, note = words.quality(
            cells["overall_quality"], lines, "overall_quality", CODES
        )
        notes = [note]
        details = np.empty((len(ids), len(DETAILS)), np.int8)
        for k, name in enumerate(DETAILS):
            details[:, k], note = words.detail(cells[name], lines, name, "good")
            notes.append(note)
    except TableError as error:
        raise error.within(f"{sheet.file}: ") from None
    wrong = [name for name in ids if not re.fullmatch(eyeq.NAME, name)]
    if wrong:
        raise TableError(f"{sheet.file}: file_name {wrong[0]!r}; expected names such as 871_right")
    table = Table(
        id=strings(ids),
        patient=strings([name.partition("_")[0] for name in ids]),
        split=strings(["test"] * len(ids)),
        labels={"quality": grade, "ungradable": bad, "details": details},
        quality_names=QUALITY,
        detail_names=DETAILS,
        diagnosis_names=(),
        path=strings([f"test/{name}.jpeg" for name in ids]),
        notes=(*notes, _joined(files, ids, grade)),
    )
    return Listed(table, tally(table))


def _joined(files: Tree, ids: list[str], grade: np.ndarray) -> str:
    """Compares the grades with EyeQ's test labels, and says what came out."""
    name = eyeq.FILES["test"]
    if not ends_with(files, name):
        return f"not compared with EyeQ's own grades: {name} is not there"
    other = eyeq.read_labels({"test": label_file(files, name)})
    theirs = dict(zip(other.id.tolist(), other.labels["quality"].tolist(), strict=True))
    agree = sum(theirs.get(i) == g for i, g in zip(ids, grade.tolist(), strict=True))
    if agree != len(ids):
        raise TableError(
            f"{FILE}: {agree} of {len(ids)} grades are those of {name}, expected all; one of the "
            "two files is another release"
        )
    return f"joined with EyeQ's test labels: {agree} of {len(ids)} grades agree"


DATASET = Dataset(
    title="EyeQ-D: details of the quality of 160 EyeQ test photographs (Telesco et al. 2025)",
    instructions="""\
1. EyeQ-D-Quality-Details.csv from github.com/ltelesco/Semi-Supervised-Multi-Task-Learning-for-
   Interpretable-Quality-Assessment-of-Fundus-Images, folder data.
2. The test photographs of the Kaggle competition diabetic-retinopathy-detection, in a folder test.
Put both into one folder, EyeQ's may be the same. With Label_EyeQ_test.csv (see eyeq) beside it the
grades of both are compared.""",
    licence="labels as published by the authors, no terms stated; photographs under Kaggle's terms",
    read=read,
    labels={"": Labels(QUALITY, DETAILS)},
    published={
        "": {
            "test": {
                "photographs": 160,
                "patients": 159,
                "good": 78,
                "usable": 49,
                "reject": 33,
                "illumination defect": 106,
                "clarity defect": 39,
                "contrast defect": 55,
            }
        }
    },
    known=eyeq.DATASET.known,
)
