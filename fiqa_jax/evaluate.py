"""Metrics with patient-clustered intervals of a prediction file, from the command line.

    python -m fiqa_jax.evaluate --predictions predictions_test.csv
    python -m fiqa_jax.evaluate --predictions P.csv --labels L.csv --format eyeq
    python -m fiqa_jax.evaluate --predictions P.csv --compare OTHER.csv --margin 0.03

Evaluation files of this project carry their labels. Any other CSV needs an id and probability
columns, and a label file with the same ids.
"""

import argparse
import dataclasses
import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from fiqa_jax import assess, calibrate, labelled, paired, stats
from fiqa_jax.assess import Assessed, Compared
from fiqa_jax.join import join
from fiqa_jax.labelled import FORMATS, Format, LabelError
from fiqa_jax.predictions import Predictions, PredictionsError


def parser() -> argparse.ArgumentParser:
    """The command line; see the module's docstring."""
    formats = "; ".join(f"{name}: {how.says}" for name, how in FORMATS.items())
    p = argparse.ArgumentParser("fiqa_jax.evaluate", description=__doc__.split("\n", 1)[0])
    p.add_argument("--predictions", required=True, metavar="FILE", help=".csv or .jsonl")
    p.add_argument("--labels", metavar="FILE", help="CSV; not needed for our evaluation files")
    p.add_argument("--compare", metavar="FILE", help="predictions of the same photographs")
    p.add_argument("--json", metavar="FILE", help="write everything there as well")
    g = p.add_argument_group("how the files are to be read")
    g.add_argument("--format", "--dataset", choices=sorted(FORMATS), help=formats)
    g.add_argument("--id", metavar="NAME", help="column of the photograph's name, in both files")
    g.add_argument("--prob-columns", metavar="GOOD,USABLE,REJECT", help="of the prediction file")
    g.add_argument("--columns", metavar="OURS=THEIRS,...", help="further ones of that file")
    g.add_argument("--truth-column", metavar="NAME", help="the grade in the label file")
    g.add_argument("--label-columns", metavar="OURS=THEIRS,...", help="further ones of that file")
    g.add_argument("--codes", metavar="RAW=WORD,...", help="grades, e.g. 0=good,1=usable,2=reject")
    g.add_argument("--detail-code", choices=("good", "defect"), help="what 1 means for a detail")
    g.add_argument("--diagnosis", metavar="NAME,...", help="classes in the order of their codes")
    g.add_argument("--patient-pattern", metavar="REGEX", help="group 1 in the id is the patient")
    g.add_argument("--exact-ids", action="store_true", help="compare whole ids, not file stems")
    g.add_argument("--allow-missing", action="store_true", help="use what both files have")
    g = p.add_argument_group("what is computed")
    g.add_argument(
        "--prior-correction",
        type=float,
        metavar="TAU",
        help="divide grades by the training class shares to the power TAU (1: balanced)",
    )
    g.add_argument(
        "--train-labels",
        metavar="FILE",
        help="label file the shares come from; the published counts of --format otherwise",
    )
    g.add_argument("--margin", type=float, help="non-inferiority margin for --compare")
    g.add_argument(
        "--draws",
        type=int,
        default=stats.COUNT_DRAWS,
        help="bootstrap draws of count metrics, a fifth for rank metrics; 0: no intervals "
        "(default %(default)s)",
    )
    g.add_argument("--seed", type=int, default=0, help="of the draws (default %(default)s)")
    return p


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit status."""
    given = sys.argv[1:] if argv is None else argv
    # --prior_correction and --prior-correction are the same.
    flags = [re.sub(r"^--[a-z_]+", lambda m: m[0].replace("_", "-"), one) for one in given]
    args = parser().parse_args(flags)
    try:
        run(args)
    except (LabelError, PredictionsError, ValueError, OSError) as error:
        print(f"evaluate: {error}", file=sys.stderr)
        return 1
    return 0


def run(args: argparse.Namespace) -> None:
    """Reads, evaluates, prints and writes.

    Raises:
      LabelError, PredictionsError, ValueError: files that do not fit; nothing is written then.
    """
    if args.compare and args.draws <= 0:
        raise ValueError("--compare needs draws; leave --draws as it is")
    how = _format(args)
    found, notes = _read(args.predictions, args, how)
    draws = {"seed": args.seed, "count_draws": args.draws, "rank_draws": args.draws // 5}
    heads = assess.assess(found, **draws)
    print("\n".join(f"- {note}" for note in notes))
    for name, one in heads.items():
        print("\n" + head_text(name, one))
    compared: dict[str, Compared] = {}
    if args.compare:
        other, other_notes = _read(args.compare, args, how)
        compared = assess.compare(found, other, **draws)
        print(f"\n{args.predictions} minus {args.compare}")
        print("\n".join(f"- {note}" for note in other_notes))
        for name, both in compared.items():
            print("\n" + compared_text(name, both, args.margin))
        print("\n".join(_holm(compared, found.details)))
    if args.json:
        _write(args.json, args, notes, heads, compared)


def _format(args: argparse.Namespace) -> Format:
    how = FORMATS[args.format] if args.format else Format()
    columns, labels = dict(how.columns), dict(how.labels)
    if args.id:
        columns["id"] = labels["id"] = args.id
    if args.prob_columns:
        names = args.prob_columns.split(",")
        if len(names) != 3:
            raise LabelError(f"--prob-columns {args.prob_columns!r}: expected GOOD,USABLE,REJECT")
        columns |= dict(zip(("p_good", "p_usable", "p_reject"), names, strict=True))
    if args.truth_column:
        labels["quality"] = args.truth_column
    columns |= _pairs(args.columns, "--columns")
    labels |= _pairs(args.label_columns, "--label-columns")
    return dataclasses.replace(
        how,
        columns=columns,
        labels=labels,
        codes=_pairs(args.codes, "--codes") or how.codes,
        detail_code=args.detail_code or how.detail_code,
        patient=args.patient_pattern or how.patient,
    )


def _pairs(text: str | None, flag: str) -> dict[str, str]:
    parts = [part.partition("=") for part in (text or "").split(",") if part]
    if any(not sep for _, sep, _ in parts):
        raise LabelError(f"{flag} {text!r}: expected NAME=VALUE,NAME=VALUE,...")
    return {key.strip(): value.strip() for key, _, value in parts}


def _read(path: str, args: argparse.Namespace, how: Format) -> tuple[Predictions, list[str]]:
    found, notes = labelled.read_predictions(path, how)
    notes = [f"{path}: {len(found.id):,} predictions", *notes]
    notes += [
        f"{count} rows with status '{status}' left out" for status, count in found.left_out.items()
    ]
    diagnosis = tuple(args.diagnosis.split(",")) if args.diagnosis else found.diagnosis
    if args.labels:
        labels = labelled.read_labels(args.labels, how, found.details, diagnosis)
        found, joined = join(
            found, labels, how, exact=args.exact_ids, allow_missing=args.allow_missing
        )
        notes += [f"{args.labels}: {len(labels.id):,} labels", *labels.notes, *joined]
    elif not found.truth:
        raise LabelError(f"{path} holds no true labels; give a label file with --labels")
    if args.prior_correction is not None:
        counts = _train_counts(args, how)
        if "p_quality" not in found.outputs:
            raise LabelError("--prior-correction: the predictions have no three-class grade")
        corrected = calibrate.prior_correction(
            found.outputs["p_quality"], counts, args.prior_correction
        )
        found = dataclasses.replace(found, outputs={**found.outputs, "p_quality": corrected})
        notes.append(
            f"grades divided by training shares {np.round(counts / counts.sum(), 4).tolist()} to "
            f"the power {args.prior_correction:g}"
        )
    return found, notes


def _train_counts(args: argparse.Namespace, how: Format) -> np.ndarray:
    if args.train_labels:
        truth = labelled.read_labels(args.train_labels, how).truth
        if "quality" in truth:
            return np.bincount(truth["quality"][truth["quality"] >= 0], minlength=3)
    if "train" in how.counts:
        return np.array(how.counts["train"])
    raise LabelError("--prior-correction needs the training classes: give --train-labels")


def head_text(name: str, one: Assessed) -> str:
    """A head's metrics and confusion matrix as plain text."""
    found = one.scores
    lines = [f"{name}: {found.n:,} photographs of {one.patients:,} patients"]
    if one.intervals:
        lines.append(f"{'metric':<20}{'value':>9}   95 % interval, patients resampled")
    for metric, value in found.values.items():
        line = f"{metric:<20}{value:>9.4f}"
        if metric in one.intervals:
            line += f"   {one.intervals[metric].low:.4f} ... {one.intervals[metric].high:.4f}"
        lines.append(line)
    width = max(9, *(len(n) + 2 for n in found.names))
    lines.append("confusion (rows truth)".ljust(24) + "".join(f"{n:>{width}}" for n in found.names))
    for label, row in zip(found.names, found.confusion, strict=True):
        lines.append(f"  {label:<22}" + "".join(f"{count:>{width}}" for count in row))
    return "\n".join([*lines, *(f"- {note}" for note in found.notes)])


def compared_text(name: str, both: Compared, margin: float | None) -> str:
    """Paired differences and tests of one head as plain text."""
    lines = [
        f"{name}: {both.n:,} photographs",
        f"{'metric':<20}{'difference':>11}   95 % interval, patients resampled, p",
    ]
    for metric, gap in both.differences.items():
        line = f"{metric:<20}{gap.value:>+11.4f}   {gap.low:+.4f} ... {gap.high:+.4f}   {gap.p:.4f}"
        if margin:
            verdict = "not inferior" if stats.non_inferior(metric, gap, margin) else "not shown"
            line += f"   margin {margin:g}: {verdict}"
        lines.append(line)
    test = both.mcnemar
    kind = "exact" if test.exact else f"chi-square {test.statistic:.2f}"
    lines.append(
        f"McNemar: right where the other is wrong {test.only_first} against {test.only_second}, "
        f"{kind}, p {test.p:.4f} ({paired.UNCLUSTERED})"
    )
    for label, (gap_, se, p) in both.delong.items():
        lines.append(
            f"DeLong: AUROC of {label} {gap_:+.4f} (se {se:.4f}), p {p:.4f} ({paired.UNCLUSTERED})"
        )
    return "\n".join(lines)


def _holm(compared: Mapping[str, Compared], details: Sequence[str]) -> list[str]:
    names = [name for name in details if name in compared]
    if len(names) < 2:
        return []
    adjusted = paired.holm([compared[name].differences["macro_f1"].p for name in names])
    text = ", ".join(f"{name} {p:.4f}" for name, p in zip(names, adjusted, strict=True))
    return [f"\nHolm over the details' macro-F1: p {text}"]


def _write(
    path: str,
    args: argparse.Namespace,
    notes: list[str],
    heads: Mapping[str, Assessed],
    compared: Mapping[str, Compared],
) -> None:
    content = {
        "schema": 1,
        "predictions": args.predictions,
        "labels": args.labels,
        "compare": args.compare,
        "notes": notes,
        "heads": assess.to_json(dict(heads)),
        "compared": assess.to_json(dict(compared)),
    }
    part = Path(f"{path}.part")
    part.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    os.replace(part, path)


if __name__ == "__main__":
    sys.exit(main())
