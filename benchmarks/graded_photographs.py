"""Predictions against readers' grades, per source, with floors beside and intervals over patients.

    fiqa predict --model fundus --allow-frame --output out test.csv
    python benchmarks/graded_photographs.py --predictions out/predictions.csv --table test.csv \
        --figure grades.png

The table has the columns `path`, `patient`, `quality` and `source`. Floors are single numbers that
know nothing of retinas, each turned so that it ranks the readers' rejects highest: bytes of the
file for each pixel of its field, mean grey and the variance of the Laplacian in the field. A
table of two grades alone has no measures of three.
Intervals: 95 %, 1,000 draws of patients. ECE: of the grade named, ten bins of equal mass. The
figure shows confusions and whether the grades' probabilities come true.
"""

import argparse
import csv
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from scipy import ndimage
from sklearn.metrics import f1_score

from fiqa_jax.evaluation import metrics
from fiqa_jax.evaluation.ranking import auroc
from fiqa_jax.report import figures
from input_pipeline.photo.reader import read_photo

GRADES = ("good", "usable", "reject")
DRAWS = 1000
FLOORS = ("bytes a pixel", "mean grey", "Laplacian variance")


def read(predictions: Path, table: Path) -> dict[str, np.ndarray]:
    """Judged photographs with a grade: truth, probabilities, decisions, who and where from."""
    with open(table, newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["quality"]]
    with open(predictions, newline="") as file:
        found = {os.path.abspath(row["path"]): row for row in csv.DictReader(file)}
    here = [(r, found[os.path.abspath(table.parent / r["path"])]) for r in rows]
    fine = [(r, p) for r, p in here if p["status"] == "ok"]
    print(f"{len(rows)} graded photographs, {len(rows) - len(fine)} of them not judged")
    for r, p in here:
        if p["status"] != "ok":
            print(f"  {r['source']} {r['quality']}: {p['status']}")
    return {
        "path": np.array([os.path.abspath(table.parent / r["path"]) for r, _ in fine]),
        "truth": np.array([GRADES.index(r["quality"]) for r, _ in fine]),
        "p": np.array([[float(p[f"p_{g}"] or "nan") for g in GRADES] for _, p in fine]),
        "score": np.array([float(p["score"]) for _, p in fine]),
        "area": np.array([float(p["bad_area"] or "nan") for _, p in fine]),
        "decision": np.array([p["decision"] for _, p in fine]),
        "patient": np.array([r["patient"] for r, _ in fine]),
        "source": np.array([r["source"] for r, _ in fine]),
    }


def floors(paths: np.ndarray) -> np.ndarray:
    """`[N, 3]`, higher for what looks worse; see FLOORS."""
    out = []
    for path in paths.tolist():
        photo = read_photo(path, 512)
        grey = photo.image.mean(-1)
        inside = photo.fov > 0
        edge = ndimage.binary_erosion(inside, iterations=4)
        area = inside.mean() * photo.width**2
        sharp = ndimage.laplace(grey)[edge].var() if edge.any() else 0.0
        out.append((-os.path.getsize(path) / area, -grey[inside].mean(), -sharp))
    return np.array(out)


def equal_mass(p: np.ndarray, bins: int = 10) -> list[np.ndarray]:
    """Rows of each of `bins` bins of equal mass, in order of `p`."""
    return np.array_split(np.argsort(p, kind="stable"), bins)


def ece(truth: np.ndarray, p: np.ndarray, bins: int = 10) -> float:
    """Mean distance of confidence from accuracy over bins of equal mass."""
    sure, right = p.max(-1), p.argmax(-1) == truth
    parts = equal_mass(sure, bins)
    return sum(len(i) * abs(sure[i].mean() - right[i].mean()) for i in parts) / len(truth)


def draw(groups: dict[str, dict[str, np.ndarray]]) -> bytes:
    """A row for each group: confusion, and how often P(good) and P(reject) came true."""
    figure = Figure((7.4, 3.1 * len(groups)), dpi=figures.DPI, layout="constrained")
    axes = figure.subplots(len(groups), 2, squeeze=False)
    for (left, right), (name, d) in zip(axes, groups.items(), strict=True):
        figures.draw_confusion(left, confusion(d["truth"], d["p"]), GRADES)
        left.set(xlabel="the model", ylabel="the readers")
        left.set_title(f"{name}: {len(d['truth']):,} photographs", fontsize=9, loc="left")
        right.plot([0, 1], [0, 1], color="grey", lw=0.8, ls=":")
        for k, colour in ((0, figures.COLOURS[0]), (2, figures.COLOURS[1])):
            bins = equal_mass(d["p"][:, k])
            told = [d["p"][rows, k].mean() for rows in bins]
            came = [(d["truth"][rows] == k).mean() for rows in bins]
            right.plot(told, came, "o-", ms=3.5, lw=1.2, color=colour, label=f"P({GRADES[k]})")
        right.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
        right.set(xlabel="probability, ten bins of equal mass", ylabel="share that is")
        right.legend(fontsize=8, frameon=False, loc="upper left")
        figures.plain(right)
    return figures.png(figure)


def confusion(truth: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Counts `[3, 3]`, a row for each of the readers' grades."""
    return metrics.confusion_matrix(truth, p.argmax(-1), len(GRADES))


def macro_auroc(truth: np.ndarray, p: np.ndarray) -> float:
    return float(np.mean([auroc(truth == k, p[:, k]) for k in range(len(GRADES))]))


def interval(measure: Callable[[np.ndarray], float], patient: np.ndarray) -> str:
    """The measure of all rows, and its 95 % interval over draws of patients."""
    names, who = np.unique(patient, return_inverse=True)
    rows = [np.flatnonzero(who == k) for k in range(len(names))]
    rng = np.random.default_rng(0)
    draws = []
    for _ in range(DRAWS):
        taken = np.concatenate([rows[k] for k in rng.integers(0, len(rows), len(rows))])
        draws.append(measure(taken))
    whole = measure(np.arange(len(patient)))
    if not np.isfinite(whole):
        return "-"
    low, high = np.nanpercentile(draws, (2.5, 97.5))  # but draws without one of the grades
    return f"{whole:.3f} [{low:.3f}, {high:.3f}]"


def report(title: str, d: dict[str, np.ndarray]) -> None:
    t, p, s, who = d["truth"], d["p"], d["score"], d["patient"]
    print(
        f"\n{title}: {len(t)} photographs of {len(np.unique(who))} patients, "
        f"{np.bincount(t, minlength=3).tolist()} good, usable, reject"
    )
    if np.isfinite(p).all() and len(np.unique(t)) == len(GRADES):
        print("  macro one-against-rest AUROC", interval(lambda i: macro_auroc(t[i], p[i]), who))
        f1 = lambda i: f1_score(t[i], p[i].argmax(-1), average="macro")  # noqa: E731
        print("  macro-F1", interval(f1, who))
        print("  accuracy", interval(lambda i: float((p[i].argmax(-1) == t[i]).mean()), who))
        print("  ECE", interval(lambda i: ece(t[i], p[i]), who))
        counts = confusion(t, p).tolist()
        print(f"  confusion, a row for each of the readers' grades: {counts}")
    worst = p[:, 2] if np.isfinite(p).all() else s
    print(
        "  reject against the rest AUROC",
        interval(lambda i: auroc(t[i] == 2, worst[i]), who),
    )
    two = np.flatnonzero(t != 1)
    print(
        "  reject against good AUROC",
        interval(lambda i: auroc(t[two][i] == 2, worst[two][i]), who[two]),
    )
    if np.isfinite(d["area"]).all():
        a = d["area"]
        print(
            "  bad area: reject against good AUROC",
            interval(lambda i: auroc(t[two][i] == 2, a[two][i]), who[two]),
            "| median of good, usable, reject",
            [round(float(np.median(a[t == k])), 3) for k in range(3) if (t == k).any()],
        )
    for column, floor in enumerate(FLOORS):
        f = d["floors"][:, column]
        print(
            f"  {floor}: reject against the rest AUROC",
            interval(lambda i, f=f: auroc(t[i] == 2, f[i]), who),
            "| model less floor",
            interval(
                lambda i, f=f: auroc(t[i] == 2, worst[i]) - auroc(t[i] == 2, f[i]),
                who,
            ),
        )
    accepted = d["decision"] == "accept"
    for grade, name in enumerate(GRADES):
        at = np.flatnonzero(t == grade)
        if len(at):
            share = lambda i, at=at: float(accepted[at][i].mean())  # noqa: E731
            print(f"  of the readers' {name} accepted", interval(share, who[at]))


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    p.add_argument("--predictions", type=Path, required=True)
    p.add_argument("--table", type=Path, required=True)
    p.add_argument("--figure", type=Path, help="a PNG file")
    args = p.parse_args()
    d = read(args.predictions, args.table)
    d["floors"] = floors(d["path"])
    groups = {f"source {s}": d["source"] == s for s in np.unique(d["source"]).tolist()}
    small = d["source"] == "eyeq_200"
    halves = {"eyeq_200": small, "the larger ones": ~small}
    if both := small.any() and not small.all():
        groups["all larger ones"] = ~small
    if args.figure:
        shown = halves if both else {name.removeprefix("source "): r for name, r in groups.items()}
        parts = {n: {k: d[k][rows] for k in ("truth", "p")} for n, rows in shown.items()}
        args.figure.write_bytes(draw(parts))
    for name, rows in groups.items():
        report(name, {key: value[rows] for key, value in d.items()})


if __name__ == "__main__":
    main()
