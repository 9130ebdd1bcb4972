"""Whether a model tells a poor photograph from clouded media: AUROC by the doctors' keywords.

    fiqa predict --allow-frame --output out media.csv
    python benchmarks/media_capture.py --predictions out/predictions.csv --table media.csv

The table has the columns `path` and `cause`: capture, media or none. Haze is the defect `contrast`,
dust and lids are `artefact`; the first less the second ranks media above capture. One photograph a
patient; 95 % intervals, 1,000 draws of photographs.
"""

import argparse
import csv
from collections import Counter
from pathlib import Path

import numpy as np
from graded_photographs import interval

from fiqa_jax.evaluation.ranking import auroc


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    p.add_argument("--predictions", type=Path, required=True)
    p.add_argument("--table", type=Path, required=True)
    args = p.parse_args()
    with open(args.table, newline="") as file:
        cause = {Path(r["path"]).name: r["cause"] for r in csv.DictReader(file)}
    with open(args.predictions, newline="") as file:
        rows = [r for r in csv.DictReader(file) if r["status"] == "ok"]
    why = np.array([cause[Path(r["path"]).name] for r in rows])
    score = np.array([float(r["score"]) for r in rows])
    haze = np.array([float(r["p_contrast"]) - float(r["p_artefact"]) for r in rows])
    for name, value, high, low in (
        ("contrast less artefact", haze, "media", "capture"),
        ("score", score, "media", "none"),
        ("score", score, "capture", "none"),
    ):
        here = np.isin(why, (high, low))
        y, v = why[here] == high, value[here]
        found = interval(lambda i, y=y, v=v: auroc(y[i], v[i]), np.arange(len(y)))
        print(f"{name}, {high} ({y.sum()}) above {low} ({(~y).sum()}): {found}")
    for name in ("capture", "media", "none"):
        decided = Counter(r["decision"] for r, w in zip(rows, why, strict=True) if w == name)
        print(f"{name}: {dict(sorted(decided.items()))}")


if __name__ == "__main__":
    main()
