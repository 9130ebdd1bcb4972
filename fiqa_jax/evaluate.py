"""Metrics with patient-clustered intervals of a prediction file, from the command line.

    python -m fiqa_jax.evaluate --predictions predictions_test.csv
    python -m fiqa_jax.evaluate --predictions P.csv --labels L.csv --format eyeq
    python -m fiqa_jax.evaluate --predictions P.csv --compare OTHER.csv --margin 0.03
    python -m fiqa_jax.evaluate audit --dataset eyeq --manual_dir DIR

Evaluation files of this project carry their labels. Any other CSV needs an id and probability
columns, and a label file with the same ids.
"""

import argparse
import dataclasses
import json
import sys
from collections.abc import Mapping, Sequence

import numpy as np

from fiqa_jax import command
from fiqa_jax.evaluation import calibration, intervals, metrics, significance
from fiqa_jax.predictions import assessment, label_files, label_flags
from fiqa_jax.predictions.assessment import Assessed, Compared
from fiqa_jax.predictions.label_files import Format, LabelError
from fiqa_jax.predictions.schema import Predictions
from input_pipeline import atomic


def parser() -> argparse.ArgumentParser:
    """The command line; see the module's docstring."""
    p = argparse.ArgumentParser("fiqa evaluate", description=__doc__.split("\n", 1)[0])
    p.add_argument("--compare", metavar="FILE", help="predictions of the same photographs")
    p.add_argument("--json", metavar="FILE", help="write everything there as well")
    label_flags.add_arguments(p)
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
        default=intervals.COUNT_DRAWS,
        help="bootstrap draws of count metrics, a fifth for rank metrics; 0: no intervals "
        "(default %(default)s)",
    )
    g.add_argument("--seed", type=int, default=0, help="of the draws (default %(default)s)")
    return p


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit status."""
    argv = sys.argv[1:] if argv is None else argv
    if argv and argv[0] == "audit":
        from fiqa_jax import audit  # reads photographs; the rest does without

        return audit.main(argv[1:])
    args = parser().parse_args(label_flags.hyphens(argv))
    return command.run("evaluate", lambda: run(args))


def run(args: argparse.Namespace) -> None:
    """Reads, evaluates, prints and writes.

    Raises:
      LabelError, PredictionsError, ValueError: files that do not fit; nothing is written then.
    """
    if args.compare and args.draws <= 0:
        raise ValueError("--compare needs draws; leave --draws as it is")
    how = label_flags.format_of(args)
    predictions, notes = _labelled(args.predictions, args, how)
    draws = {"seed": args.seed, "count_draws": args.draws, "rank_draws": args.draws // 5}
    scored = metrics.heads(
        predictions.truth, predictions.outputs, predictions.details, predictions.diagnosis
    )
    ranking = "" if scored or args.compare else assessment.ranking(predictions, seed=args.seed)
    heads = {} if ranking else assessment.assess(predictions, **draws)
    print("\n".join([*(f"- {note}" for note in notes), ranking]).rstrip())
    for name, assessed in heads.items():
        print("\n" + head_text(name, assessed))
    compared: dict[str, Compared] = {}
    if args.compare:
        other, other_notes = _labelled(args.compare, args, how)
        compared = assessment.compare(predictions, other, **draws)
        print(f"\n{args.predictions} minus {args.compare}")
        print("\n".join(f"- {note}" for note in other_notes))
        for name, both in compared.items():
            print("\n" + compared_text(name, both, args.margin))
        print("\n".join(_holm(compared, predictions.details)))
    if args.json:
        _write(args.json, args, notes, heads, compared)


def _labelled(path: str, args: argparse.Namespace, how: Format) -> tuple[Predictions, list[str]]:
    predictions, notes = label_flags.read(path, args, how)
    if args.prior_correction is not None:
        counts = _train_counts(args, how)
        if "p_quality" not in predictions.outputs:
            raise LabelError("--prior-correction: the predictions have no three-class grade")
        corrected = calibration.prior_correction(
            predictions.outputs["p_quality"], counts, args.prior_correction
        )
        predictions = dataclasses.replace(
            predictions, outputs={**predictions.outputs, "p_quality": corrected}
        )
        notes.append(
            f"grades divided by training shares {np.round(counts / counts.sum(), 4).tolist()} to "
            f"the power {args.prior_correction:g}"
        )
    return predictions, notes


def _train_counts(args: argparse.Namespace, how: Format) -> np.ndarray:
    if args.train_labels:
        truth = label_files.read_labels(args.train_labels, how).truth
        if "quality" in truth:
            return np.bincount(truth["quality"][truth["quality"] >= 0], minlength=3)
    if "train" in how.counts:
        return np.array(how.counts["train"])
    raise LabelError("--prior-correction needs the training classes: give --train-labels")


def head_text(name: str, assessed: Assessed) -> str:
    """A head's metrics and confusion matrix as plain text."""
    scores = assessed.scores
    lines = [f"{name}: {scores.n:,} photographs of {assessed.patients:,} patients"]
    if assessed.intervals:
        lines.append(f"{'metric':<20}{'value':>9}   95 % interval, patients resampled")
    for metric, value in scores.values.items():
        line = f"{metric:<20}{value:>9.4f}"
        if metric in assessed.intervals:
            line += f"   {assessed.intervals[metric].ends('.4f', ' ... ')}"
        lines.append(line)
    width = max(9, *(len(n) + 2 for n in scores.names))
    lines.append(
        "confusion (rows truth)".ljust(24) + "".join(f"{n:>{width}}" for n in scores.names)
    )
    for label, row in zip(scores.names, scores.confusion, strict=True):
        lines.append(f"  {label:<22}" + "".join(f"{count:>{width}}" for count in row))
    return "\n".join([*lines, *(f"- {note}" for note in scores.notes)])


def compared_text(name: str, both: Compared, margin: float | None) -> str:
    """Paired differences and tests of one head as plain text."""
    lines = [
        f"{name}: {both.n:,} photographs",
        f"{'metric':<20}{'difference':>11}   95 % interval, patients resampled, p",
    ]
    for metric, gap in both.differences.items():
        line = f"{metric:<20}{gap.value:>+11.4f}   {gap.ends('+.4f', ' ... ')}   {gap.p:.4f}"
        if margin:
            verdict = "not inferior" if intervals.non_inferior(metric, gap, margin) else "not shown"
            line += f"   margin {margin:g}: {verdict}"
        lines.append(line)
    test = both.mcnemar
    kind = "exact" if test.exact else f"chi-square {test.statistic:.2f}"
    lines.append(
        f"McNemar: right where the other is wrong {test.only_first} against {test.only_second}, "
        f"{kind}, p {test.p:.4f} ({significance.UNCLUSTERED})"
    )
    for label, (gap_, se, p) in both.delong.items():
        lines.append(
            f"DeLong: AUROC of {label} {gap_:+.4f} (se {se:.4f}), p {p:.4f} "
            f"({significance.UNCLUSTERED})"
        )
    return "\n".join(lines)


def _holm(compared: Mapping[str, Compared], details: Sequence[str]) -> list[str]:
    names = [name for name in details if name in compared]
    if len(names) < 2:
        return []
    adjusted = significance.holm([compared[name].differences["macro_f1"].p for name in names])
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
        "heads": assessment.to_json(dict(heads)),
        "compared": assessment.to_json(dict(compared)),
    }
    atomic.write(path, (json.dumps(content, indent=1, allow_nan=False) + "\n").encode())


if __name__ == "__main__":
    sys.exit(main())
