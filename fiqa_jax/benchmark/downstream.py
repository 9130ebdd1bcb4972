"""Does a diagnosis get better when photographs are rejected by a score of their quality?

    python -m fiqa_jax.benchmark downstream --diagnosis predictions_test.csv \\
        --score "expected grade=grades/predictions.csv" \\
        --score "grade=grades/predictions.csv:quality" --maps EFIQA=maps

The diagnosis is a prediction file of this project with its truth, or any CSV with an id and a
probability for each class (`--classes`), and the true class in it or in another CSV (`--labels`,
`--truth`). A score is a column of any CSV with the same ids, higher where a photograph is worse
(`FILE:-COLUMN` turns it round); words such as good, usable, reject are grades. `--maps` takes what
`python -m fiqa_jax.predict --maps` wrote, and gives the mean of the map, the bad share of the
field, and that of disc and macula. Photographs that a method calls out of scope it rejects first.

Beside them stand `confidence` (the diagnosis model's own, least sure first: Geifman and El-Yaniv
2017), `random` (the expected value over all orders) and `oracle` (wrong answers first).

Printed are AURC and E-AURC of the error rate, and accuracy, AUROC (macro one-vs-rest) and macro-F1
of what is kept at fixed rejection rates; equal scores count by the expected value over their
orders. Intervals (95 %) resample patients; differences are of the first score, on the same
resamples.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from fiqa_jax.evaluation import intervals, selective_scores
from fiqa_jax.evaluation.intervals import Interval
from fiqa_jax.evaluation.selective_scores import AREAS, METRICS, Key, Measured
from fiqa_jax.predictions import diagnoses
from fiqa_jax.predictions import scores as score_files
from fiqa_jax.predictions.diagnoses import Diagnosed
from fiqa_jax.predictions.scores import ScoreError, Scores
from fiqa_jax.report import markdown, risk_figure
from input_pipeline import atomic

RATES = "0,0.05,0.1,0.2,0.3,0.5"
TITLES = {"accuracy": "Accuracy", "auroc": "AUROC", "macro_f1": "Macro-F1"}
BUILT_IN = ("confidence", "random", "oracle")
Found = dict[str, dict[Key, Measured]]


def add_arguments(p: argparse.ArgumentParser) -> None:
    """The flags; see the module's docstring."""
    diagnoses.add_arguments(p)
    g = p.add_argument_group("scores, higher = worse; the first is compared with the others")
    how = "several; FILE:-COLUMN where higher is better"
    g.add_argument("--score", action="append", default=[], metavar="NAME=FILE[:COLUMN]", help=how)
    g.add_argument(
        "--maps", action="append", default=[], metavar="NAME=DIR", help="output of predict --maps"
    )
    g = p.add_argument_group("what is computed")
    g.add_argument("--rates", default=RATES, help="shares rejected (default %(default)s)")
    g.add_argument(
        "--draws", type=int, default=intervals.RANK_DRAWS, help="resamples (%(default)s)"
    )
    g.add_argument("--seed", type=int, default=0, help="of resamples and drawn orders")
    g.add_argument("--output", default="", metavar="FILE", help="CSV of every number and curve")
    g.add_argument("--picture", default="", metavar="FILE", help="PNG of the curves")


def run(args: argparse.Namespace) -> None:
    """Reads, measures, prints and writes.

    Raises:
      ScoreError, LabelError, PredictionsError, ValueError: nothing is printed or written then.
    """
    rates = _rates(args.rates)
    if args.draws < 1:
        raise ValueError(f"--draws {args.draws}: expected 1 or more")
    if args.picture and not args.picture.lower().endswith(".png"):
        raise ValueError(f"--picture {args.picture}: expected the name of a .png file")
    diagnosed = diagnoses.read(args)
    scores = given(args, diagnosed.id.tolist())
    diagnosed, values, notes = together(diagnosed, scores, allow_missing=args.allow_missing)
    values |= diagnosed.built_in()
    result = selective_scores.measure(
        diagnosed.head, values, diagnosed.patient, rates, seed=args.seed, draws=args.draws
    )
    curves = {}
    if args.output or args.picture:
        curves = {
            name: selective_scores.curves(diagnosed.head, value) for name, value in values.items()
        }
    picture = risk_figure.draw(curves, BUILT_IN) if args.picture else b""
    _show(diagnosed, notes, result, rates)
    if args.output:
        _write(Path(args.output), result, curves)
    if args.picture:
        atomic.write(args.picture, picture)


def _rates(text: str) -> tuple[float, ...]:
    try:
        rates = tuple(sorted({float(part) for part in text.split(",")}))
    except ValueError:
        rates = (-1.0,)
    if not all(0 <= rate < 1 for rate in rates):
        raise ValueError(f"--rates {text!r}: expected shares from 0 to less than 1, as {RATES}")
    return rates


def given(args: argparse.Namespace, photographs: Sequence[str]) -> dict[str, Scores]:
    """The scores of --score and --maps, by name, for N ids.

    Raises:
      ScoreError: none given, one name twice, files that do not fit.
    """
    out: dict[str, Scores] = {}
    for text in args.score:
        name, equals, place = text.partition("=")
        file, column = place, "score"
        if not Path(place).is_file() and ":" in place:
            file, _, column = place.rpartition(":")
        if not (name and equals and file and column):
            raise ScoreError(f"--score {text!r}: expected NAME=FILE or NAME=FILE:COLUMN")
        columns = score_files.column(
            Path(file), column, photographs, ids=args.score_id, exact=args.exact_ids
        )
        _add(out, name, columns)
    for text in args.maps:
        name, equals, folder = text.partition("=")
        if not (name and equals and folder):
            raise ScoreError(f"--maps {text!r}: expected NAME=DIR")
        every = score_files.of_maps(Path(folder), photographs, exact=args.exact_ids)
        for kind, columns in every.items():
            _add(out, f"{name} {kind}", columns)
    if not out:
        raise ScoreError("no scores; give --score NAME=FILE:COLUMN or --maps NAME=DIR")
    return out


def _add(out: dict[str, Scores], name: str, scores: Scores) -> None:
    if name in out or name in BUILT_IN:
        taken = "is built in" if name in BUILT_IN else "is given twice"
        raise ScoreError(f"a score called {name!r} {taken}; give it another name")
    out[name] = scores


def together(
    diagnosed: Diagnosed, scores: Mapping[str, Scores], *, allow_missing: bool
) -> tuple[Diagnosed, dict[str, np.ndarray], list[str]]:
    """The photographs that have a diagnosis and every score, and what was left out.

    Raises:
      ScoreError: a photograph without a score, unless missing ones are allowed; none left.
      ValueError: one class only.
    """
    notes = list(diagnosed.notes)
    there = np.ones(len(diagnosed.id), bool)
    for name, score in scores.items():
        notes += [f"{name}: {note}" for note in score.notes]
        lost = np.isnan(score.value)
        if lost.any() and not allow_missing:
            first = score.why[int(np.argmax(lost))]
            raise ScoreError(
                f"{name}: {int(lost.sum()):,} of {len(lost):,} photographs have no score; the "
                f"first: {first}. Give their scores, or leave them out of all with --allow-missing"
            )
        if lost.any():
            notes.append(f"{name}: no score for {int(lost.sum()):,}, left out of all scores")
        there &= ~lost
    if not there.any():
        raise ScoreError("no photograph has all scores; are these the same photographs?")
    kept = diagnosed.only(there)
    return kept, {name: score.value[there] for name, score in scores.items()}, notes


def _show(
    diagnosed: Diagnosed, notes: Sequence[str], result: Found, rates: Sequence[float]
) -> None:
    people, count = len(set(diagnosed.patient.tolist())), len(diagnosed.id)
    first, *others = result
    print("\n".join(f"- {note}" for note in notes))
    print(f"\n{count:,} photographs of {people:,} patients; {diagnosed.counts()}. [95 % interval]")
    print("\nRisk-coverage curve of the error rate: lower is better\n")
    lines: list[tuple[str, ...]] = []
    for name, numbers in result.items():
        area, excess = (numbers[metric, -1.0] for metric in AREAS)
        p = f"{area.gap.p:.4f}" if area.gap else "-"
        values = _cell(area.value, ".4f"), _cell(excess.value, ".4f"), _cell(area.gap, "+.4f")
        lines.append((name, *values, p))
    print(markdown.table(("score", "AURC", "E-AURC", f"AURC, {first} minus this", "p"), lines))
    header = ("score", *(f"{round(100 * rate, 1):g} %" for rate in rates))
    for metric in METRICS:
        lines = [
            (name, *(_cell(numbers[metric, rate].value, ".3f") for rate in rates))
            for name, numbers in result.items()
        ]
        print(f"\n{TITLES[metric]} of what is kept, by the share rejected\n")
        print(markdown.table(header, lines))
        lines = [
            (name, *(_cell(result[name][metric, rate].gap, "+.3f") for rate in rates))
            for name in others
        ]
        print(f"\n{TITLES[metric]}, {first} minus this\n\n{markdown.table(header, lines)}")


def _cell(interval: Interval | None, form: str) -> str:
    return "-" if interval is None else format(interval, form)


def _write(file: Path, result: Found, curves: Mapping[str, risk_figure.Curves]) -> None:
    header = ["score", "metric", "rejected", "value", "low", "high", "undefined_draws"]
    header += ["gap", "gap_low", "gap_high", "p", "patients"]
    rows: list[list[object]] = []
    for name, numbers in result.items():
        for (metric, rate), measured in numbers.items():
            v, g = measured.value, measured.gap
            gap = [g.value, g.low, g.high, g.p] if g else [""] * 4
            place = "" if rate < 0 else rate
            rows.append([name, metric, place, v.value, v.low, v.high, v.undefined, *gap, v.units])
    for name, panels in curves.items():
        for kind, (coverage, value) in panels.items():
            for c, v in zip(coverage.tolist(), value.tolist(), strict=True):
                rows.append([name, f"curve {kind}", round(1 - c, 9), v, *[""] * 8])
    body = [["" if isinstance(c, float) and np.isnan(c) else c for c in row] for row in rows]
    atomic.write_csv(file, header, body)
