"""Scores that nobody's grades trained, as published: one threshold, chosen in folds.

    fiqa predict --model runs/efiqa_cp/maps/model --allow-frame --output out table.csv
    python benchmarks/label_free.py --table table.csv --score EFIQA=out/predictions.csv

The table has the columns `path`, `patient`, `quality` and, where there are several, `source`.
Usable photographs count as good, good is positive (Wang et al. 2026, section 4; their number of
folds is not given, here five, nobody in two). In each fold the threshold with the best balanced
accuracy on the others is applied; balanced accuracy, F1 and MCC are of all folds' decisions
together, AUROC and average precision of the scores. 95 % intervals, 1,000 draws of patients.
NAME=FILE:COLUMN takes another column than `score`; higher is worse. The floors are those of
graded_photographs.py.
"""

import argparse
import csv
import os
from pathlib import Path

import numpy as np
from graded_photographs import FLOORS, floors, interval
from numpy.typing import NDArray
from sklearn import metrics
from sklearn.model_selection import StratifiedGroupKFold

from fiqa_jax.evaluation import ranking

FOLDS = 5
MEASURES = ("balanced accuracy", "F1", "MCC", "AUROC", "AP")


def threshold(good: NDArray[np.bool_], score: NDArray[np.floating]) -> float:
    """The cut, halfway between two scores, below which `good` has the best balanced accuracy."""
    values, place = np.unique(score, return_inverse=True)
    cuts = np.concatenate([[-np.inf], (values[1:] + values[:-1]) / 2, [np.inf]])
    # Good ones below each cut, and the others at or above it.
    right = np.concatenate([[0], np.bincount(place[good], minlength=len(values)).cumsum()])
    wrong = np.concatenate([[0], np.bincount(place[~good], minlength=len(values)).cumsum()])
    balanced = (right / max(right[-1], 1) + 1 - wrong / max(wrong[-1], 1)) / 2
    return float(cuts[int(np.argmax(balanced))])


def decided(
    good: NDArray[np.bool_], score: NDArray[np.floating], patient: NDArray[np.str_]
) -> NDArray[np.bool_]:
    """Decisions [N] by the threshold of the other folds."""
    out = np.zeros(len(good), bool)
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0)
    for others, fold in folds.split(score, good, patient):
        out[fold] = score[fold] < threshold(good[others], score[others])
    return out


def row(
    good: NDArray[np.bool_], score: NDArray[np.floating], patient: NDArray[np.str_]
) -> list[str]:
    """The cells of a printed row, in the order of MEASURES."""
    called = decided(good, score, patient)
    of = {
        "balanced accuracy": lambda i: metrics.balanced_accuracy_score(good[i], called[i]),
        "F1": lambda i: metrics.f1_score(good[i], called[i]),
        "MCC": lambda i: metrics.matthews_corrcoef(good[i], called[i]),
        "AUROC": lambda i: ranking.auroc(good[i], -score[i]),
        "AP": lambda i: ranking.average_precision(good[i], -score[i]),
    }
    return [interval(of[name], patient) for name in MEASURES]


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    p.add_argument("--table", type=Path, required=True)
    p.add_argument("--score", action="append", required=True, help="NAME=FILE[:COLUMN]")
    args = p.parse_args()
    with open(args.table, newline="") as file:
        rows = [r for r in csv.DictReader(file) if r["quality"]]
    paths = np.array([os.path.abspath(args.table.parent / r["path"]) for r in rows])
    scores: dict[str, NDArray[np.floating]] = {}
    for given in args.score:
        name, _, place = given.partition("=")
        file_name, _, column = place.partition(":")
        with open(file_name, newline="") as file:
            found = {os.path.abspath(r["path"]): r for r in csv.DictReader(file)}
        scores[name] = np.array([float(found[p][column or "score"] or "nan") for p in paths])
    for name, values in zip(FLOORS, floors(paths).T, strict=True):
        scores[name] = values
    judged = np.all([np.isfinite(v) for v in scores.values()], axis=0)
    print(f"{len(rows)} graded photographs, {len(rows) - judged.sum()} not judged by every model")
    good = np.array([r["quality"] != "reject" for r in rows])
    patient = np.array([r["patient"] for r in rows])
    source = np.array([r.get("source", "") for r in rows])
    groups = {s: judged & (source == s) for s in np.unique(source).tolist() if s}
    for group, here in (groups | {"all": judged}).items():
        print(f"\n{group}: {here.sum()} photographs, {(~good[here]).sum()} rejects")
        print(f"| score | {' | '.join(MEASURES)} |\n|{' --- |' * (1 + len(MEASURES))}")
        for name, values in scores.items():
            cells = row(good[here], values[here], patient[here])
            print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
