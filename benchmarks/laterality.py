"""Does the place of disc and macula tell which eye a photograph shows?

    python benchmarks/laterality.py --table EYEQ/labels.csv [--splits train,val] [--most 400]

Photographs whose names tell the eye (13_left.jpeg) are read at 256 px; the disc lies on the nasal
side, so that an eye whose disc is to the right of its macula is a right one, if the camera did not
turn the picture upside down or mirror it. Printed are how many discs are found and how often the
side is right, by grade, with an exact 95 % interval.
"""

import argparse
import collections
import csv
from pathlib import Path

from scipy import stats

from fiqa_jax.maps import landmarks
from input_pipeline.photo.errors import PhotoError
from input_pipeline.photo.reader import read_photo
from input_pipeline.tables import eyes

SIDE = 256


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    p.add_argument("--table", type=Path, required=True, help="CSV: path, split, quality")
    p.add_argument("--splits", default="train,val")
    p.add_argument("--folder", default="large/", help="what paths begin with (%(default)s)")
    p.add_argument("--most", type=int, default=400)
    args = p.parse_args()
    with args.table.open(encoding="utf-8", newline="") as file:
        rows = [
            row
            for row in csv.DictReader(file)
            if row["split"] in args.splits.split(",") and row["path"].startswith(args.folder)
        ]
    seen, found, right = (collections.Counter[str]() for _ in range(3))
    for row in rows[: args.most]:
        eye = eyes.eye(Path(row["path"]).name)
        if not eye:
            continue
        try:
            photo = read_photo(args.table.parent / row["path"], SIDE)
        except PhotoError:
            continue
        here = landmarks.find(photo.image, photo.fov)
        for group in ("all", row["quality"] or "not graded"):
            seen[group] += 1
            if here and here.macula:
                found[group] += 1
                said = eyes.RIGHT if here.disc[1] > here.macula[1] else eyes.LEFT
                right[group] += said == eye
    print("| grade | photographs | disc and macula found | side right |\n| --- | --- | --- | --- |")
    for group in sorted(seen):
        ends = stats.binomtest(right[group], found[group]).proportion_ci()
        share = f"{right[group] / found[group]:.2f} [{ends.low:.2f}, {ends.high:.2f}]"
        print(f"| {group} | {seen[group]} | {found[group]} | {share} |")


if __name__ == "__main__":
    main()
