"""How bright the brightest parts of graded photographs are, and what lies below "too dark".

    python benchmarks/brightness.py --table EYEQ/labels.csv [--splits train,val]

For every grade: photographs, the least, the thousandth, the hundredth and the half of where the
brightest twentieth of a field begins (0 to 255), and how many begin below the limit.
"""

import argparse
import collections
import csv
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from fiqa_jax.inference import photo_limits
from fiqa_jax.predictions.triage import DARK
from input_pipeline.photo.errors import PhotoError
from input_pipeline.photo.reader import read_photo

SIDE = 128
SHARES = (0, 0.1, 1, 50)  # %


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    p.add_argument("--table", type=Path, required=True, help="CSV: path, split, quality")
    p.add_argument("--splits", default="train,val")
    p.add_argument("--workers", type=int, default=2)
    args = p.parse_args()
    with args.table.open(encoding="utf-8", newline="") as file:
        splits = args.splits.split(",")
        rows = [r for r in csv.DictReader(file) if r["split"] in splits and r["quality"]]

    def brightest(row: dict[str, str]) -> float:
        try:
            photo = read_photo(args.table.parent / row["path"], SIDE)
        except PhotoError:
            return float("nan")
        return photo_limits.brightest(photo.image, photo.fov) if photo.fov.any() else float("nan")

    found = collections.defaultdict(list)
    with ThreadPoolExecutor(args.workers) as pool:
        for row, value in zip(rows, pool.map(brightest, rows), strict=True):
            found[row["quality"]].append(value)
    heads = [f"{share:g} %" for share in SHARES]
    print(f"| grade | photographs | {' | '.join(heads)} | below {DARK} |")
    print("| --- " * (len(heads) + 3) + "|")
    for grade, values in sorted(found.items()):
        seen = np.array(values)[np.isfinite(values)]
        ends = " | ".join(f"{value:.0f}" for value in np.percentile(seen, SHARES))
        print(f"| {grade} | {len(seen)} | {ends} | {int((seen < DARK).sum())} |")


if __name__ == "__main__":
    main()
