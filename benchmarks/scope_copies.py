"""How many locally degraded photographs the reader takes for something else than an eye.

    python -m fiqa_jax.benchmark defects --workdir runs/defects --set hrf=HRF/labels.csv ...
    python benchmarks/scope_copies.py runs/defects/copies

Every copy that `benchmark defects` has made (one defect each, and mixtures of up to three) is read
as a file would be. Printed are copies and those out of scope, by kind; of mixtures each kind
counts.
"""

import argparse
import collections
from pathlib import Path

import numpy as np

from input_pipeline.photo.reader import read_photo

SIDE = 128


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    p.add_argument("folder", type=Path)
    args = p.parse_args()
    seen, out = collections.Counter[str](), collections.Counter[str]()
    copies = refused = 0
    for file in sorted(args.folder.glob("*.npz")):
        with np.load(file) as stored:
            images, kinds = stored["image"], stored["kind"]
        for image, kind in zip(images, kinds, strict=True):
            photo = read_photo(image, SIDE)
            copies, refused = copies + 1, refused + bool(photo.scope)
            names = str(kind).split("+") if str(kind) else ["as it is"]
            seen.update(names)
            if photo.scope:
                out.update(names)
                print(f"{file.stem} {kind}: {photo.scope}")
    print(f"\n{refused} of {copies} copies out of scope\n\n| kind | copies | out |")
    print("| --- | --- | --- |")
    for name in sorted(seen):
        print(f"| {name} | {seen[name]} | {out[name]} |")


if __name__ == "__main__":
    main()
