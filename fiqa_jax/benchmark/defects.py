"""Maps against defects as they are: camera left out, kinds left out, calm on good photographs.

    python -m fiqa_jax.benchmark defects --workdir runs/defects \\
        --set hrf=HRF/labels.csv --set chase=CHASE_DB1/labels.csv --set idrid=IDRiD/photos \\
        --model EFIQA=fiqa_jax/weights/efiqa --model W-Net=fiqa_jax/weights/segmentor

Copies are made by the frozen engine (`input_pipeline.synthetic.defects.protocol`) once and kept in
the work directory. Every simple map's scale, and the fitted map, come from the other cameras.
`--families` also fits without each family of kinds and tests on it, `--ablation` without each part
of the network. Written: table.csv, kinds.csv, kinds.png, and steps.csv with `--ablation`, in the
work directory.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from fiqa_jax.benchmark import (
    defect_calibration,
    defect_causes,
    defect_copies,
    defect_fit,
    defect_maps,
    defect_scores,
    defect_steps,
)
from fiqa_jax.benchmark.defect_copies import Copies
from fiqa_jax.methods.visible_cells import CAUSES
from fiqa_jax.report import markdown
from input_pipeline import atomic
from input_pipeline.synthetic.defects import KINDS, protocol

FITTED = "network of cells"


def left_out(sets: Sequence[Copies], settings: defect_fit.Settings) -> list[defect_scores.Row]:
    """Rows of the fitted map where neither the camera nor the family of the kind was trained on.

    Prints each family's kinds when it is done.
    """
    out: list[defect_scores.Row] = []
    for family in sorted({kind.family for kind in KINDS.values()}):
        kinds_of = [name for name, kind in KINDS.items() if kind.family == family]
        score = defect_maps.fitted(sets, settings, kinds_of)["map"]
        rows = [row for row in defect_scores.rows(sets, score) if row.kind in kinds_of]
        each = (f"{kind} {value:.3f}" for kind, value in defect_scores.by_kind(rows).items())
        print(f"{family}, never trained on: {', '.join(each)}", flush=True)
        out += rows
    return out


def picture(kinds: Mapping[str, Mapping[str, float]], file: Path) -> None:
    """Kinds by maps as a coloured table; .5 is chance."""
    names = list(kinds)
    values = np.array([[kinds[m].get(k, np.nan) for m in names] for k in KINDS])
    figure = Figure((1.6 + 0.95 * len(names), 0.27 * len(KINDS) + 1.8), layout="constrained")
    axis = figure.subplots()
    axis.imshow(values, cmap="RdBu", vmin=0, vmax=1, aspect="auto")
    axis.set_xticks(range(len(names)), names, rotation=40, ha="right", fontsize=8)
    axis.set_yticks(range(len(KINDS)), [k.replace("_", " ") for k in KINDS], fontsize=8)
    for row, column in np.argwhere(~np.isnan(values)):
        value = values[row, column]
        ink = "white" if abs(value - 0.5) > 0.33 else "black"
        text = f"{value:.2f}".removeprefix("0")
        axis.text(column, row, text, ha="center", va="center", fontsize=7.5, color=ink)
    axis.set_title("AUROC of bad cells, mean over photographs; .5 is chance", fontsize=9)
    figure.savefig(file, dpi=130)


def add_arguments(p: argparse.ArgumentParser) -> None:
    """The flags; see the module's docstring."""
    p.add_argument("--workdir", required=True, help="copies and tables")
    p.add_argument("--set", action="append", required=True, help="CAMERA=table or folder")
    p.add_argument("--photographs", default="", help="CAMERA=COUNT,...; all of the others")
    p.add_argument("--train", type=int, default=20, help="mixtures of each photograph")
    p.add_argument("--every", type=int, default=1, help="so manieth kind of each photograph")
    p.add_argument("--model", action="append", default=[], help="NAME=DIR, also segmentors")
    p.add_argument("--steps", type=int, default=700, help="of the fit")
    p.add_argument("--families", action="store_true", help="leave families of kinds out")
    p.add_argument("--ablation", action="store_true", help="leave parts of the network out")
    p.add_argument("--person", default="", help="CAMERA=FIRST:LAST letters, comma-separated")
    p.add_argument("--seed", type=int, default=0, help="of the fit and the bootstrap")


def run(args: argparse.Namespace) -> None:
    """Prints a table and writes it where asked to.

    Raises:
      ValueError, OSError: nothing is printed or written then.
    """
    workdir = Path(args.workdir)
    folder = workdir / "copies"
    folder.mkdir(parents=True, exist_ok=True)
    parts = {n: slice(*map(int, p.split(":"))) for n, p in _pairs(args.person.split(","))}
    most = {name: int(count) for name, count in _pairs(args.photographs.split(","))}
    photos = []
    for camera, place in _pairs(args.set):
        part = parts.get(camera, slice(None))
        photos += defect_copies.photographs(camera, Path(place), most.get(camera, 0), part)
    for k, photo in enumerate(photos):
        defect_copies.make(photo, folder, args.train, args.every)
        print(f"\r{k + 1} of {len(photos)} photographs", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    sets = list(defect_copies.load(photos, folder))
    settings = defect_fit.Settings(steps=args.steps, seed=args.seed)
    network = defect_maps.fitted(sets, settings)
    scores = {FITTED: network["map"]}
    models = {name: Path(path) for name, path in _pairs(args.model)}
    scores |= defect_maps.of_models(models, sets)
    for name, scales in defect_maps.simple().items():
        scores[name] = defect_maps.chosen(sets, scales)
    scores["known truth"] = defect_maps.truth
    rows = {name: defect_scores.rows(sets, score) for name, score in scores.items()}
    kinds = {name: defect_scores.by_kind(each) for name, each in rows.items()}
    cameras = ", ".join(sorted({one.camera for one in sets}))
    print(f"engine {protocol.VERSION}, {len(sets)} photographs of {cameras}")
    _table(rows, args.seed, workdir / "table.csv")
    named = defect_causes.confusion(sets, network["map"], network["causes"])
    print(f"{FITTED}: causes of single defects, balanced accuracy of four classes ", end="")
    print(f"{defect_causes.balanced_accuracy(named):.3f}; a row for each true cause:")
    for name, counts in zip(CAUSES, named.tolist(), strict=True):
        print(f"  {name} {counts}")
    print(f"{FITTED}: what its values mean")
    header = ("read", "calibration error", "bad from", "sensitivity", "alarms")
    read = [
        (r.way, f"{r.error:.3f}", r.level, f"{r.sensitivity:.3f}", f"{r.alarms:.3f}")
        for r in defect_calibration.compared(sets, network["map"])
    ]
    print(markdown.table(header, read))
    if args.families:
        unseen = defect_scores.by_kind(left_out(sets, settings))
        kinds = {FITTED: kinds[FITTED], f"{FITTED}, family unseen": unseen} | kinds
        print(f"mean {np.mean(list(unseen.values())):.3f}")
    table = [[kind, *(each.get(kind, float("nan")) for each in kinds.values())] for kind in KINDS]
    atomic.write_csv(workdir / "kinds.csv", ["kind", *kinds], table)
    picture(kinds, workdir / "kinds.png")
    if args.ablation:
        steps = {FITTED: rows[FITTED]}
        for name, score in defect_steps.steps(sets, settings):
            steps[name] = defect_scores.rows(sets, score)
            print(f"{name}: {np.mean(list(defect_scores.by_kind(steps[name]).values())):.3f}")
        _table(steps, args.seed, workdir / "steps.csv")


def _table(rows: Mapping[str, Sequence[defect_scores.Row]], seed: int, file: Path) -> None:
    """Prints and writes a row for every map; gaps are to the network of cells."""
    made = defect_scores.table(rows, FITTED, seed)
    cameras = sorted({row.camera for row in rows[FITTED]})
    header = ["map", "mean", "gap", "worst", "worst_kind", *cameras, "sensitivity", "alarms"]
    body = [[defect_scores.shown(row.get(k, "")) for k in header] for row in made]
    print(markdown.table(header, body))
    atomic.write_csv(file, header, body)


def _pairs(values: Sequence[str]) -> list[tuple[str, str]]:
    return [(name, rest) for name, _, rest in (v.partition("=") for v in values) if name]
