"""What a photograph's simplest numbers say of its quality: the floor any model must clear.

    python -m fiqa_jax.benchmark simple --csv labels.csv

For every statistic: AUROC for ungradable against the rest, lower values taken as worse (decided
beforehand, not chosen on the labels), with an interval from resampled patients. The file's size is
among them because it gives away many data sets: JPEG spends fewer bytes on blur.
"""

import argparse
import json
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from scipy import ndimage

from fiqa_jax import defaults
from fiqa_jax.evaluation import intervals
from fiqa_jax.report import markdown
from input_pipeline.sources import opening
from input_pipeline.tables.examples import GRADABLE

STATISTICS = ("laplacian_variance", "mean", "rms_contrast", "file_size")


def statistics(image: np.ndarray, fov: np.ndarray) -> dict[str, float]:
    """Numbers of one photograph.

    Args:
      image: `[S, S, 3] uint8`.
      fov: `[S, S] uint8`, 1 inside the field.

    Returns:
      laplacian_variance: variance of the 4-neighbour Laplacian of the green channel over the field
      eroded by two pixels (its rim is an edge of the camera, not of the eye); mean and
      rms_contrast (standard deviation over mean) of the green channel over the field.
    """
    green = image[..., 1].astype(np.float64)
    inside = fov > 0
    core = ndimage.binary_erosion(inside, iterations=2)
    if not core.any():
        return dict.fromkeys(STATISTICS[:3], 0.0)
    mean = float(green[inside].mean())
    return {
        "laplacian_variance": float(ndimage.laplace(green)[core].var()),
        "mean": mean,
        "rms_contrast": float(green[inside].std() / mean) if mean else 0.0,
    }


def measure(source: opening.Source, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Statistics `[n] float64` of some rows of a source; file_size is NaN without a file."""
    found: dict[str, list[float]] = {name: [] for name in STATISTICS}
    for row in rows:
        example = source.read(int(row))
        for name, value in statistics(example["image"], example["fov"]).items():
            found[name].append(value)
        file = str(source.items[row])
        known = os.path.isfile(file)
        found["file_size"].append(float(os.path.getsize(file)) if known else float("nan"))
    return {name: np.array(values) for name, values in found.items()}


def table(
    statistics: Mapping[str, np.ndarray], ungradable: np.ndarray, patient: np.ndarray, seed: int
) -> list[dict[str, float | str]]:
    """AUROC of every statistic for ungradable (1) against gradable (0), lower values worse."""
    rows: list[dict[str, float | str]] = []
    for name, values in statistics.items():
        if not np.isfinite(values).all():
            continue
        worse = 1.0 - (np.argsort(np.argsort(values, kind="stable")) + 0.5) / len(values)
        worse = _ties_alike(values, worse)
        got = intervals.intervals(ungradable, worse, patient, GRADABLE, seed=seed, count_draws=0)
        auroc = got["auroc"]
        rows.append({"statistic": name, "auroc": auroc.value, "low": auroc.low, "high": auroc.high})
    return rows


def _ties_alike(values: np.ndarray, rank: np.ndarray) -> np.ndarray:
    _, place = np.unique(values, return_inverse=True)
    return (np.bincount(place, rank) / np.bincount(place))[place]


def add_arguments(p: argparse.ArgumentParser) -> None:
    """The flags; see the module's docstring."""
    p.add_argument("--csv", required=True, help="table with path and quality or gradable")
    p.add_argument("--root", default="", help="folder that relative paths start from")
    p.add_argument("--side", type=int, default=512, help="pixels of the square crop")
    p.add_argument("--erase", default="[]", help="boxes as JSON, original pixels")
    p.add_argument("--columns", default="{}", help="JSON: what for -> column's name")
    p.add_argument("--quality-codes", default="{}", help="JSON: value in the table -> class")
    p.add_argument("--seed", type=int, default=0, help="of the bootstrap")
    p.add_argument("--output", default="", help="JSON file for the table")


def run(args: argparse.Namespace) -> None:
    """Prints a table and writes it where asked to.

    Raises:
      ValueError, OSError: nothing is printed or written then.
    """
    data = defaults.base().data
    data.update({"source": "csv", "path": args.csv, "root": args.root, "side": args.side})
    data.update({"classes": 2, "details": (), "cache": "none"})
    data.erase = tuple(tuple(box) for box in json.loads(args.erase))
    data.columns = tuple(json.loads(args.columns).items())
    data.quality_codes = tuple(json.loads(args.quality_codes).items())
    source = opening.make_source(data, require_labels=True)
    label = source.table.labels["ungradable"]
    rows = np.flatnonzero(label >= 0)
    statistics = measure(source, rows)
    made = table(statistics, label[rows], source.table.patient[rows], args.seed)
    bad = int(label[rows].sum())
    print(f"{source.name}: {len(rows)} photographs, {bad} ungradable, {args.side} px")
    cells = [
        (r["statistic"], f"{r['auroc']:.3f}", f"{r['low']:.3f} to {r['high']:.3f}") for r in made
    ]
    print(markdown.table(("statistic", "AUROC", "95 % interval"), cells))
    if args.output:
        Path(args.output).write_text(json.dumps(made, indent=1) + "\n")
