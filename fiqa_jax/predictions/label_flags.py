"""Flags that say how prediction and label files are to be read, shared by several commands."""

import argparse
import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path

from fiqa_jax.predictions import label_files
from fiqa_jax.predictions.joins import join
from fiqa_jax.predictions.label_files import FORMATS, Format, LabelError
from fiqa_jax.predictions.schema import Predictions
from input_pipeline.tables import folders


def hyphens(argv: Sequence[str]) -> list[str]:
    """Arguments with hyphens in their flags: --label_columns and --label-columns are the same."""
    return [re.sub(r"^--[a-z_]+", lambda m: m[0].replace("_", "-"), word) for word in argv]


def add_arguments(p: argparse.ArgumentParser, predictions: bool = True) -> None:
    """Adds --predictions, --labels and the flags that describe their columns and codes.

    Args:
      p: of a command.
      predictions: whether --predictions has to be given.
    """
    formats = "; ".join(f"{name}: {how.says}" for name, how in FORMATS.items())
    text = ".csv or .jsonl, or the folder that fiqa predict wrote"
    p.add_argument("--predictions", required=predictions, metavar="FILE", help=text)
    p.add_argument("--labels", metavar="FILE", help="CSV; not needed for our evaluation files")
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


def format_of(args: argparse.Namespace) -> Format:
    """The format of --format with what the other flags say instead.

    Raises:
      LabelError: a flag that cannot be understood.
    """
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


def table_of(path: str) -> str:
    """The table of a folder that fiqa predict wrote; any other path is the file itself."""
    inside = Path(path) / folders.TABLE
    return str(inside) if inside.is_file() else path


def read(
    path: str, args: argparse.Namespace, how: Format, *, partly: bool = False
) -> tuple[Predictions, list[str]]:
    """Labelled predictions, and sentences on how they were read.

    Args:
      path: of the predictions; `args`: of `add_arguments`; `how`: of `format_of`.
      partly: labels of some of the predictions are enough.

    Raises:
      LabelError, PredictionsError: files that do not fit.
    """
    path = table_of(path)
    predictions, notes = label_files.read_predictions(path, how)
    notes = [f"{path}: {len(predictions.id):,} predictions", *notes]
    notes += [
        f"{count} rows with status '{status}' left out"
        for status, count in predictions.left_out.items()
    ]
    diagnosis = tuple(args.diagnosis.split(",")) if args.diagnosis else predictions.diagnosis
    if args.labels:
        labels = label_files.read_labels(args.labels, how, predictions.details, diagnosis)
        predictions, joined = join(
            *(predictions, labels, how),
            exact=args.exact_ids,
            allow_missing=args.allow_missing,
            partly=partly
            or (bool(predictions.rows) and not predictions.truth),  # what predict wrote
        )
        notes += [f"{args.labels}: {len(labels.id):,} labels", *labels.notes, *joined]
    elif not predictions.truth:
        raise LabelError(f"{path} holds no true labels; give a label file with --labels")
    return predictions, notes
