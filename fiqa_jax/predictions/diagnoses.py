"""Diagnoses with their truth, from this project's prediction files or anybody's CSV."""

import argparse
import dataclasses

import numpy as np
from numpy.typing import NDArray

from fiqa_jax.evaluation import metrics
from fiqa_jax.evaluation.decisions import predicted_class
from fiqa_jax.evaluation.metrics import Head
from fiqa_jax.predictions import label_files
from fiqa_jax.predictions.joins import join
from fiqa_jax.predictions.label_files import Format, LabelError, Labels
from fiqa_jax.predictions.schema import DIAGNOSIS
from input_pipeline.tables import codes as words
from input_pipeline.tables.columns import header, read_sheet
from input_pipeline.tables.table_error import TableError, given


@dataclasses.dataclass(frozen=True)
class Diagnosed:
    """N photographs with a true class and a probability for each class."""

    id: NDArray[np.str_]
    patient: NDArray[np.str_]
    head: Head
    notes: tuple[str, ...]  # sentences on how they were read

    def only(self, here: NDArray[np.bool_]) -> "Diagnosed":
        """The photographs where `here [N]` is true.

        Raises:
          ValueError: they are all of one class.
        """
        head = Head(self.head.truth[here], self.head.prob[here], self.head.names)
        seen = np.unique(head.truth)
        if len(seen) < 2:
            name = self.head.names[seen[0]] if len(seen) else "no class"
            raise ValueError(
                f"all {len(head.truth):,} photographs are of one class, {name!r}; a diagnosis can "
                "be judged where there are two or more"
            )
        return Diagnosed(self.id[here], self.patient[here], head, self.notes)

    def counts(self) -> str:
        """How many there are of each class, in words."""
        each = np.bincount(self.head.truth, minlength=len(self.head.names)).tolist()
        counted = ", ".join(f"{name} {n:,}" for name, n in zip(self.head.names, each, strict=True))
        gone = [name for name, n in zip(self.head.names, each, strict=True) if not n]
        return counted + (f" (AUROC is not defined without {', '.join(gone)})" if gone else "")

    def built_in(self) -> dict[str, NDArray[np.float64]]:
        """Scores `[N]` that need no table: the model's own doubt, no order, the best order."""
        p = self.head.prob
        top = np.maximum(p, 1 - p) if p.ndim == 1 else p.max(-1)
        wrong = (predicted_class(self.head.prob) != self.head.truth).astype(np.float64)
        return {"confidence": 1 - top, "random": np.zeros(len(top)), "oracle": wrong}


def add_arguments(p: argparse.ArgumentParser) -> None:
    """Adds --diagnosis and the flags that say how its files are to be read."""
    g = p.add_argument_group("the diagnosis")
    g.add_argument("--diagnosis", required=True, metavar="FILE", help="predictions, .csv or .jsonl")
    g.add_argument("--labels", metavar="FILE", help="CSV of true classes, if in another file")
    g.add_argument("--truth", metavar="COLUMN", help="of the true class, in --labels if given")
    classes = "in the order of the true classes' codes; p_NAME if no column is given"
    g.add_argument("--classes", metavar="NAME[=COLUMN],...", help=classes)
    g.add_argument("--id", metavar="COLUMN", help="of the photograph's name, in both files")
    g.add_argument("--patient", metavar="COLUMN", help="of the patient, beside the true class")
    g.add_argument("--patient-pattern", metavar="REGEX", help="group 1 in the id is the patient")
    g.add_argument("--score-id", default="id", metavar="COLUMN", help="of the name, for --score")
    g.add_argument("--exact-ids", action="store_true", help="compare whole ids, not file stems")
    g.add_argument("--allow-missing", action="store_true", help="use what all files have")


def read(args: argparse.Namespace) -> Diagnosed:
    """What the flags of `add_arguments` name; photographs without a true class are left out.

    Raises:
      LabelError, PredictionsError: files or columns that do not fit, ids that are missing or stand
        twice, a probability that is none.
      ValueError: one class only.
    """
    columns = {}
    for part in (args.classes or "").split(",") if args.classes else []:
        name, _, column = (text.strip() for text in part.partition("="))
        columns[DIAGNOSIS + name] = column or f"p_{name}"
    columns |= {"id": args.id} if args.id else {}
    how = Format(columns=columns, patient=args.patient_pattern or "")
    predictions, notes = label_files.read_predictions(args.diagnosis, how)
    if not len(predictions.diagnosis):
        raise LabelError(
            f"{args.diagnosis}: no probabilities of a diagnosis; expected p_diagnosis_<name> "
            "columns, or name them: --classes NAME=COLUMN,..."
        )
    notes += [
        f"{n:,} rows of {args.diagnosis} say {s!r}, left out"
        for s, n in predictions.left_out.items()
    ]
    if args.labels or args.truth:
        labels, note = _labels(args, predictions.diagnosis)
        notes.append(note)
    elif "diagnosis" in predictions.truth:
        nobody = [""] * len(predictions.id)
        truth = {"diagnosis": predictions.truth["diagnosis"]}
        labels = Labels(predictions.id.tolist(), nobody, truth, (), ())
    else:
        raise LabelError(
            f"{args.diagnosis}: no column true_diagnosis; name the true class with --truth, and "
            "its file with --labels if it is another"
        )
    predictions, joined = join(
        predictions, labels, how, exact=args.exact_ids, allow_missing=args.allow_missing
    )
    notes += joined
    head = metrics.heads(predictions.truth, predictions.outputs, (), predictions.diagnosis).get(
        "diagnosis"
    )
    if head is None:
        raise LabelError(f"{args.labels or args.diagnosis}: no photograph has a true class")
    bad = ~np.isfinite(head.prob if head.prob.ndim == 1 else head.prob.sum(-1))
    if bad.any():
        name = predictions.id[int(np.argmax(bad))]
        raise LabelError(f"{args.diagnosis}, id {str(name)!r}: a probability is empty or no number")
    absent = int((head.truth < 0).sum())
    if absent:
        notes.append(f"{absent:,} photographs without a true class left out")
    return Diagnosed(predictions.id, predictions.patient, head, tuple(notes)).only(head.truth >= 0)


def _labels(args: argparse.Namespace, classes: tuple[str, ...]) -> tuple[Labels, str]:
    """True classes of a CSV, and a sentence on the values seen."""
    file = args.labels or args.diagnosis
    try:
        sheet = read_sheet(file)
    except TableError as error:
        raise LabelError(error.worded(given)) from None
    wanted = {"id": args.id or "id", "diagnosis": args.truth or "true_diagnosis"}
    wanted |= {"patient": args.patient} if args.patient else {}
    for what, name in wanted.items():
        if header(name) not in sheet.columns:
            flag = {"id": "--id", "diagnosis": "--truth", "patient": "--patient"}[what]
            raise LabelError(
                f"{file}: no column {name!r}; name it with {flag}; there are {[*sheet.columns]}"
            )
    cells = {what: sheet.columns[header(name)] for what, name in wanted.items()}
    try:
        truth, note = words.diagnosis(cells["diagnosis"], sheet.lines, wanted["diagnosis"], classes)
    except TableError as error:
        text = error.worded(
            lambda setting: "--classes" if setting.name == "data.diagnosis" else str(setting)
        )
        raise LabelError(f"{file}: {text}") from None
    who = cells.get("patient", sheet.columns.get("patient", [""] * len(truth)))
    return Labels(cells["id"], who, {"diagnosis": truth.astype(np.int64)}, (), ()), note
