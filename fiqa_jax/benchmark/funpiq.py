"""Quality maps of any method against annotated pixels, as FunPiQ measures them (2026).

    python -m fiqa_jax.benchmark funpiq --maps DIR --annotations DIR

Maps are .npy `[h, w]` or grey PNG, higher = worse, called like the annotations and lying over the
whole photograph. Those that `python -m fiqa_jax.predict --maps` writes lie over the square about
the field of view: give the photographs too, `--photographs DIR`. Several methods are compared by
`--maps NAME=DIR` for each.

Annotations are palette PNGs (0 background, which does not count, 1 good, 2 usable, 3 bad). FunPiQ's
are its release v0.0.0, for photographs cut by EyeQ's own script (the paper's numbers), or v1.0.0,
for photographs as they were published.

Printed are, for pixels pooled over all photographs and over each set: the quadratic kappa of the
three grades, and for bad against the rest Dice, AUROC, average precision and the sensitivity at a
specificity of 95 %. Thresholds are the best on these very pixels, as published, and beside them
those of the other photographs in five folds (CV). Pooled numbers flatter a map that only tells good
photographs from bad ones: the rows `image mean` show by how much, and the second table has the mean
over photographs that are bad in part. Intervals (95 %) resample patients, where names tell them
or `--patients` does (a CSV with the columns name and patient), else photographs.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from fiqa_jax.evaluation import intervals
from fiqa_jax.evaluation.intervals import Interval
from fiqa_jax.maps import annotations, scoring
from fiqa_jax.maps.annotations import Annotation
from fiqa_jax.maps.scoring import Measured
from fiqa_jax.report import markdown
from input_pipeline import atomic

METRICS = {
    "kappa": "kappa",
    "kappa_cv": "kappa, CV",
    "dice": "Dice",
    "dice_cv": "Dice, CV",
    "auroc": "AUROC",
    "ap": "AP",
    "sensitivity": "sensitivity",
}
SIDE = 512  # pixels of the square where photographs are given
Rows = list[tuple[str, str, str, Interval]]  # map, scope, metric, value


def counted(
    listed: Sequence[Annotation], files: Mapping[str, Path], photographs: Mapping[str, Path]
) -> tuple[scoring.Counts, scoring.Counts]:
    """Counts of one kind of map and of its mean over each photograph, `[N, 3, L]` each.

    Raises:
      ValueError: files that cannot be read or do not fit; the message names the file.
    """
    cuts = scoring.cuts_of(annotations.read_map(files[annotation.name]) for annotation in listed)
    counts, means, sizes = [], [], []
    for annotation in listed:
        file = files[annotation.name]
        value, codes = annotations.known_pixels(annotation, file, photographs, SIDE)
        if not len(codes):
            raise ValueError(f"{annotation.file}: all of it is background")
        counts.append(scoring.count(value, codes, cuts))
        means.append(float(value.mean()))
        sizes.append(np.bincount(codes, minlength=4)[1:])
    between = scoring.cuts_of([np.array(means)])
    flat = np.zeros((len(listed), 3, len(between) + 1))
    flat[np.arange(len(listed)), :, np.searchsorted(between, means, side="right")] = sizes
    return np.stack(counts), flat


def compared(
    maps: Mapping[str, Path], listed: Sequence[Annotation], photographs: Path | None, seed: int
) -> Rows:
    """Every number of every kind of map.

    Args:
      maps: name -> folder.
      listed: the annotations.
      photographs: folder, where maps lie over the square about the field of view.
      seed: of folds and resamples.

    Returns:
      Rows; scopes are `all`, the sets, and `each`.

    Raises:
      ValueError: files that are missing, cannot be read or do not fit.
    """
    given = {}
    if photographs:
        given = annotations.files(photographs, annotations.PHOTOGRAPHS, "photographs")
    people = [annotation.patient for annotation in listed]
    pairs = {name: annotations.maps_of(place, listed) for name, place in maps.items()}
    measured: dict[str, Measured] = {}
    for name, files in pairs.items():
        counts, flat = counted(listed, files, given)
        measured[name] = scoring.measure(counts, people, seed)
        measured[f"{name}, image mean"] = scoring.measure(flat, people, seed)
    rows: Rows = []
    for name, values in measured.items():
        rows += _rows(name, values, listed, seed)
    rows += _gaps(measured, people, seed)
    return rows


def _rows(name: str, measured: Measured, listed: Sequence[Annotation], seed: int) -> Rows:
    people = np.array([annotation.patient for annotation in listed])
    sources = np.array([annotation.source or "other" for annotation in listed])
    scopes = {"all": np.ones(len(listed), bool)}
    if len(set(sources)) > 1:
        scopes |= {str(s): sources == s for s in sorted(set(sources))}
    out: Rows = []
    for scope, here in scopes.items():
        values = scoring.pooled(scoring.subset(measured, here), people[here].tolist(), seed)
        out += [(name, scope, metric, values[metric]) for metric in METRICS]
    alone = scoring.each(measured)
    for metric in METRICS:
        out.append(
            (name, "each", metric, intervals.mean_interval(alone[metric], people, seed=seed))
        )
    return out


def _gaps(measured: Mapping[str, Measured], people: Sequence[str], seed: int) -> Rows:
    """Paired differences, first map minus the others, over photographs that are bad in part."""
    (first, first_measured), *others = measured.items()
    first_alone = scoring.each(first_measured)
    out: Rows = []
    for name, other in others:
        theirs = scoring.each(other)
        for metric in METRICS:
            gap = intervals.mean_interval(first_alone[metric] - theirs[metric], people, seed=seed)
            out.append((name, f"each, {first} minus this", metric, gap))
    return out


def add_arguments(p: argparse.ArgumentParser) -> None:
    """The flags; see the module's docstring."""
    p.add_argument("--maps", action="append", required=True, help="DIR or NAME=DIR; several")
    p.add_argument("--annotations", required=True, help="folder of palette PNGs")
    p.add_argument("--photographs", default="", help="folder; maps lie over their squares")
    p.add_argument("--patients", default="", help="CSV: name, patient")
    p.add_argument("--seed", type=int, default=0, help="of folds and resamples")
    p.add_argument("--output", default="", help="CSV of every number")


def run(args: argparse.Namespace) -> None:
    """Prints a table for each scope and writes every number where asked to.

    Raises:
      ValueError, OSError: nothing is printed or written then.
    """
    maps = {}
    for text in args.maps:
        name, equals, folder = text.partition("=")
        maps[name if equals else Path(text).name or text] = Path(folder if equals else text)
    if len(maps) != len(args.maps):
        raise ValueError(f"--maps: two of one name; give NAME=DIR. Seen: {args.maps}")
    given = Path(args.photographs) if args.photographs else None
    people = annotations.patients(Path(args.patients)) if args.patients else None
    listed = annotations.listed(Path(args.annotations), people)
    rows = compared(maps, listed, given, args.seed)
    _show(rows, listed)
    if args.output:
        cells = [(m, s, k, v.value, v.low, v.high, v.units) for m, s, k, v in rows]
        header = ("map", "scope", "metric", "value", "low", "high", "units")
        atomic.write_csv(Path(args.output), header, cells)


def _show(rows: Rows, listed: Sequence[Annotation]) -> None:
    people = len({annotation.patient for annotation in listed})
    print(f"{len(listed)} photographs of {people} patients; [95 % interval]")
    for scope in dict.fromkeys(scope for _, scope, _, _ in rows):
        title = f"Pixels of {scope}, pooled"
        if scope.startswith("each"):
            title = "Mean over photographs that are bad in part" + scope.removeprefix("each")
        here = [(m, v) for m, s, _, v in rows if s == scope]
        lines = [
            (name, *(f"{v:.3f}" for m, v in here if m == name))
            for name in dict.fromkeys(m for m, _ in here)
        ]
        print(f"\n{title}\n\n{markdown.table(('map', *METRICS.values()), lines)}")
