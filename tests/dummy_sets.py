"""A few made-up photographs and labels of every public data set, laid out as the real ones are."""

import csv
import posixpath

import fundus_disc
import numpy as np
import openpyxl
from PIL import Image

SIDE = 64


def photograph(path, level=1.0):
    """A drawn disc at `path`; different levels give different photographs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = fundus_disc.draw(SIDE, SIDE, 32, 32, 29, level=level)
    Image.fromarray(image).save(path, **({"quality": 95} if path.suffix != ".png" else {}))


def table(path, header, rows):
    """A CSV file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])


def book(path, rows):
    """An Excel file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    made = openpyxl.Workbook()
    for row in rows:
        made.active.append(row)
    made.save(path)


def eyeq(root):
    """Three training and two test photographs; quality 0 good, 1 usable, 2 reject."""
    parts = {
        "train": [("10_left", 0, 0), ("10_right", 2, 4), ("15337_left", 1, 2)],
        "test": [("7_right", 2, 0), ("9_left", 0, 1)],
    }
    for split, rows in parts.items():
        lines = [(i, f"{name}.jpeg", q, d) for i, (name, q, d) in enumerate(rows)]
        file = root / "data" / f"Label_EyeQ_{split}.csv"
        table(file, ("", "image", "quality", "DR_grade"), lines)
        for k, (name, *_) in enumerate(rows):
            photograph(root / split / f"{name}.jpeg", 0.6 + 0.1 * k)


def eyeq_d(root):
    """Two of EyeQ's test photographs; overall 0 reject ... 2 good, details 1 good."""
    rows = [("7_right", 0, 0, 1, 0), ("9_left", 2, 1, 1, 0)]
    header = ("file_name", "overall_quality", "illumination", "clarity", "contrast")
    table(root / "EyeQ-D-Quality-Details.csv", header, rows)
    for k, row in enumerate(rows):
        photograph(root / "test" / f"{row[0]}.jpeg", 0.7 + 0.1 * k)


def deepdrid(root):
    """One patient in each part; overall 1 gradable; scores 0 to 10."""
    header = ("patient_id", "image_id", "image_path", "Overall quality", "left_eye_DR_Level")
    header += ("right_eye_DR_Level", "patient_DR_Level", "Clarity", "Field definition", "Artifact")
    base = root / "regular_fundus_images"
    for split, patient in (("training", 1), ("validation", 265)):
        folder = f"regular-fundus-{split}"
        rows = [
            (patient, name, f"\\{folder}\\{patient}\\{name}.jpg", *scores)
            for name, scores in (
                (f"{patient}_l1", (1, 2, "", 4, 10, 8, 0)),
                (f"{patient}_r1", (0, "", 5, 4, 4, 1, 6)),
            )
        ]
        table(base / folder / f"{folder}.csv", header, rows)
        for k, row in enumerate(rows):
            photograph(base / folder / "Images" / str(patient) / f"{row[1]}.jpg", 0.6 + 0.2 * k)
    test = base / "Online-Challenge1&2-Evaluation"
    table(test / "Challenge2_upload.csv", ("image_id", "Overall quality"), [("347_l2", "")])
    book(test / "Challenge1_labels.xlsx", [("image_id", "DR_Levels"), ("347_l2", 3)])
    head = ("image_id", "Overall quality ", "Artifact", "Clarity", " Field definition")
    book(test / "Challenge2_labels.xlsx", [head, ("347_l2", 0, 10, 6, 8)])
    photograph(test / "Images" / "347" / "347_l2.jpg", 0.9)


MSHF_NAMES = ("DR-XJU-30", "Healthy-1", "Local2-7", "UWF-mosaic-3")


def mshf(root):
    """Four photographs of three cameras, three readers each; 1 good."""
    votes = {  # illumination, clarity, contrast, overall of each reader
        "DR-XJU-30": ((1, 1, 0, 1), (1, 0, 0, 1), (0, 0, 1, 1)),
        "Healthy-1": ((1, 1, 1, 1), (1, 1, 1, 1), (1, 1, 1, 1)),
        "Local2-7": ((0, 1, 0, 0), (0, 1, 1, 0), (1, 1, 0, 1)),
        "UWF-mosaic-3": ((0, 0, 0, 0), (0, 0, 0, 0), (0, 0, 0, 0)),
    }
    base = root / "MSHF dataset 2.0"
    block = ("illumination", "clarity", "contrast", "Overall")
    rows = [("image name", "annotator 1", *[""] * 4, "annotator 2", *[""] * 4, "annotator 3")]
    rows.append(("", *block, "", *block, "", *block))
    rows += [(f"{n}.jpg", *v[0], None, *v[1], None, *v[2]) for n, v in votes.items()]
    book(base / "Individual_scores.xlsx.xlsx", rows)
    for k, name in enumerate(MSHF_NAMES):
        group = name.rpartition("-")[0]
        photograph(base / "Original" / group / f"{name}.jpg", 0.6 + 0.1 * k)
        copy = "png" if name == "DR-XJU-30" else "jpg"  # the ending differs, as in the real set
        part = "test" if name == "Local2-7" else "train"
        photograph(base / "AI-use" / part / f"{name}.{copy}", 0.6 + 0.1 * k)


def drimdb(root):
    """One photograph in each folder, with blanks and brackets in the names."""
    for k, name in enumerate(("Good", "Bad", "Outlier")):
        photograph(root / "DRIMDB" / name / f"drimdb_{name.lower()} (1).jpg", 0.6 + 0.1 * k)


FUNPIQ_PALETTE = [0, 0, 0, 106, 153, 78, 232, 168, 56, 193, 69, 69]


def funpiq(root):
    """Two masks in a palette: left half good, right half bad, background outside the disc."""
    y, x = np.mgrid[:SIDE, :SIDE] + 0.5
    inside = np.hypot(x - 32, y - 32) <= 29
    codes = np.where(inside, np.where(x < 32, 1, 3), 0).astype(np.uint8)
    for k, name in enumerate(("10_left", "img00001")):
        photograph(root / "photographs" / f"{name}.jpg", 0.8 + 0.1 * k)
        mask = Image.fromarray(codes)
        mask.putpalette(FUNPIQ_PALETTE)
        path = root / "annotations" / "set" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        mask.save(path)


def iqad(root):
    """MKCNet's five sets, a few rows each; the qualities count upwards."""
    eyeq(root)
    lists = {
        "EYEQ": {
            "train": [("10_left.jpg", 0, 2), ("7_right.jpg", 0, 0)],
            "val": [("15337_left.jpg", 2, 1)],
            "test": [("10_right.jpg", 4, 0), ("9_left.jpg", 1, 2)],
        },
        "DEEPDR": {
            "train": [("1_l1.jpg", 3, 0)],
            "val": [("265_l1.jpg", 4, 1)],
            "test": [("347_l2.jpg", 0, 0)],
        },
        "DRAC": {"train": [("001.png", 0, 1), ("002.png", 2, 0)]},
        "IQAD-CT": {
            "train": [("2020.02.23.20026856-p17-115%3.png", 1, 0), ("Covid (7).png", 1, 1)],
            "val": [("18%2.jpg", 0, 0)],
            "test": [("2020.02.23.20026856-p17-116.png", 1, 0), ("Non-Covid (5).png", 0, 1)],
        },
        "IQAD-CXR": {
            "train": [("person13_bacteria_50.jpeg", 1, 0), ("00000042_001.png", 0, 2)],
            "val": [("NORMAL2-IM-1102-0001.jpeg", 0, 1)],
            "test": [("person13_virus_7.jpeg", 1, 1), ("00000042_002.png", 1, 2)],
        },
    }
    for name, parts in lists.items():
        for k, (split, rows) in enumerate(parts.items()):
            lines = [(f"Images/{file}", d, q) for file, d, q in rows]
            table(root / name / f"{split}.txt", ("image_name", "DR_label", "IQ_label"), lines)
            for j, (file, *_) in enumerate(rows):
                if name != "EYEQ":
                    photograph(root / name / "Images" / file, 0.6 + 0.1 * (k + j))


def vessels(root):
    """Two of HRF's photographs with arteries and veins, one of CHASE_DB1's with vessels."""
    colour = np.zeros((SIDE, SIDE, 3), np.uint8)
    colour[:, 20:24, 0] = 255  # artery
    colour[:, 40:44, 2] = 255  # vein
    for k, name in enumerate(("01_h", "02_dr")):
        photograph(root / "hrf" / "images" / f"{name}.jpg", 0.8 + 0.1 * k)
        path = root / "hrf" / "manual_av" / f"{name}_AVmanual.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(colour).save(path)
    grey = colour.max(axis=2)
    for side, level in (("L", 0.9), ("R", 1.0)):
        photograph(root / "chase" / f"Image_01{side}.jpg", level)
        for reader in ("1stHO", "2ndHO"):
            Image.fromarray(grey).save(root / "chase" / f"Image_01{side}_{reader}.png")
    photograph(root / "own" / "images" / "a.jpg")
    (root / "own" / "vessels").mkdir()
    Image.fromarray(grey).save(root / "own" / "vessels" / "a.png")


WRITERS = {
    "eyeq": eyeq,
    "eyeq_d": eyeq_d,
    "deepdrid": deepdrid,
    "mshf": mshf,
    "drimdb": drimdb,
    "funpiq": funpiq,
    "iqad": iqad,
    "vessels": vessels,
}

SETS = (
    "eyeq",
    "eyeq_d",
    "deepdrid",
    "mshf",
    "drimdb",
    "funpiq",
    "iqad/EYEQ",
    "iqad/IQAD-CT",
    "vessels/hrf",
    "vessels/chase_db1",
    "vessels/folder",
)

# Name with variant -> folder below the root that a writer filled.
FOLDERS = {"vessels/hrf": "hrf", "vessels/chase_db1": "chase", "vessels/folder": "own"}


def write(name, root):
    """Writes the set of a name such as 'iqad/EYEQ'. Returns: its folder."""
    WRITERS[name.partition("/")[0]](root)
    return root / posixpath.join(FOLDERS.get(name, ""))
