"""EyeQ (Fu et al., MICCAI 2019): 28,792 EyePACS photographs graded good, usable or reject.

Quality 0 is good and 2 is reject, as in this project; EyeQ-D and MKCNet's lists count the other way
round. The first column has no name. The split is EyePACS's own and shares no patient.
"""

import re
from pathlib import Path

import numpy as np

from input_pipeline.readers.dataset import DR_GRADES, Dataset, Labels, Listed, expect_columns, tally
from input_pipeline.readers.tree import Tree, label_file
from input_pipeline.tables import codes as words
from input_pipeline.tables.columns import read_sheet
from input_pipeline.tables.examples import QUALITY, Table, strings
from input_pipeline.tables.table_error import TableError

CODES = {"0": "good", "1": "usable", "2": "reject"}
NAME = re.compile(r"(\d+)_(left|right)")  # EyePACS: patient and eye
FILES = {"train": "Label_EyeQ_train.csv", "test": "Label_EyeQ_test.csv"}

TRAIN = {"photographs": 12543, "patients": 8614, "good": 8347, "usable": 1876, "reject": 2320}
TEST = {"photographs": 16249, "patients": 12048, "good": 8471, "usable": 4558, "reject": 3220}


def read(files: Tree, variant: str, lists: str) -> Listed:
    """See `dataset.Dataset`."""
    del variant, lists
    parts = {split: label_file(files, name) for split, name in FILES.items()}
    table = read_labels(parts)
    return Listed(table, tally(table))


def read_labels(parts: dict[str, Path]) -> Table:
    """EyeQ's label files as one table.

    Args:
      parts: split -> label file.

    Raises:
      TableError: other columns, codes or names than EyeQ's.
    """
    ids, splits, quality, ungradable, diagnosis, notes = [], [], [], [], [], []
    for split, file in parts.items():
        sheet = read_sheet(file)
        expect_columns(sheet, ("", "image", "quality", "dr_grade"))
        cells, lines = sheet.columns, sheet.lines
        try:
            grade, bad, _, note = words.quality(cells["quality"], lines, "quality", CODES)
            level, _ = words.diagnosis(cells["dr_grade"], lines, "DR_grade", DR_GRADES)
            ids += [_id(name, line) for name, line in zip(cells["image"], lines, strict=True)]
        except TableError as error:
            raise error.within(f"{file}: ") from None
        splits += [split] * len(lines)
        quality.append(grade)
        ungradable.append(bad)
        diagnosis.append(level)
        notes.append(f"{file.name}: {note}")
    paths = [f"{split}/{name}.jpeg" for split, name in zip(splits, ids, strict=True)]
    return Table(
        id=strings(ids),
        patient=strings([name.partition("_")[0] for name in ids]),
        split=strings(splits),
        labels={
            "quality": np.concatenate(quality),
            "ungradable": np.concatenate(ungradable),
            "diagnosis": np.concatenate(diagnosis),
        },
        quality_names=QUALITY,
        detail_names=(),
        diagnosis_names=DR_GRADES,
        path=strings(paths),
        notes=tuple(notes),
    )


def _id(name: str, line: int) -> str:
    stem = name.rsplit(".", 1)[0]
    if not NAME.fullmatch(stem):
        raise TableError(
            f"line {line}, column 'image': {name!r}; expected names such as 10009_left.jpeg"
        )
    return stem


_UNCROPPED = "one of five that the official script cannot crop: github.com/HzFu/EyeQ issue 2"

DATASET = Dataset(
    title="EyeQ: quality of 28,792 EyePACS photographs (Fu et al., MICCAI 2019)",
    instructions="""\
1. Label_EyeQ_train.csv and Label_EyeQ_test.csv from github.com/HzFu/EyeQ, folder data.
2. The photographs of the Kaggle competition diabetic-retinopathy-detection: train.zip and test.zip
   (join the parts train.zip.001 ... first), unpacked to folders train and test.
Put all into one folder. Photographs that went through the official EyeQ_preprocess script (.png)
serve as well; they are found by name.""",
    licence="labels CC BY-NC-SA 4.0; photographs under the terms of the Kaggle competition",
    read=read,
    labels={"": Labels(QUALITY, (), DR_GRADES)},
    published={"": {"train": TRAIN, "test": TEST}},
    known=dict.fromkeys(
        ("15337_left", "40764_right", "13227_left", "26250_left", "5371_left"), _UNCROPPED
    ),
    in_parts=True,
)
