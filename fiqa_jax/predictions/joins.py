"""Predictions and labels of the same photographs, put together by id."""

import dataclasses
import os
import re
from collections.abc import Callable, Sequence

import numpy as np

from fiqa_jax.predictions.label_files import Format, LabelError, Labels
from fiqa_jax.predictions.schema import Predictions
from input_pipeline.photo.file_type import SUFFIXES

_SIDES = ("predictions have no label", "labels have no prediction")


def stem(name: str) -> str:
    """File name without folders and without an image extension: 'a/b_left.JPEG' -> 'b_left'."""
    base = re.split(r"[\\/]", name.strip())[-1]
    root, extension = os.path.splitext(base)
    return root if extension.lower() in SUFFIXES else base


def join(
    predictions: Predictions,
    labels: Labels,
    how: Format,
    *,
    exact: bool = False,
    allow_missing: bool = False,
    partly: bool = False,
) -> tuple[Predictions, list[str]]:
    """Predictions with the labels of the same photographs.

    The patient is the label file's, else the prediction file's, else what `how.patient` finds in
    the id, else the photograph itself. Labels of files that predict did not judge (`refused`) are
    left out. Where only gradable / ungradable is labelled and the model
    grades, P(reject) is the probability of ungradable.

    Args:
      predictions: from labelled.read_predictions; `labels`: from labelled.read_labels.
      how: the format of the ids.
      exact: compare whole ids; else their stems (`stem`), unless all labels have whole ones.
      allow_missing: leave out what only one side has, instead of an error.
      partly: predictions without a label are left out.

    Returns:
      (predictions in file order, sentences on what was joined).

    Raises:
      LabelError: an id twice on one side, or on one side only.
    """
    known = {*predictions.id.tolist(), *predictions.refused}
    exact = exact or (bool(labels.id) and set(labels.id) <= known)
    key = str if exact else stem
    ours = _index(predictions.id.tolist(), key, "predictions", ())
    theirs = _index(labels.id, key, labels.file or "labels", labels.lines)
    refused = {key(name) for name in predictions.refused} - {*ours}
    unjudged = [name for name in theirs if name in refused]
    theirs = {name: row for name, row in theirs.items() if name not in refused}
    both = [name for name in ours if name in theirs]
    alone = [n for n in ours if n not in theirs], [n for n in theirs if n not in ours]
    missing = alone[1] if partly else alone[0] or alone[1]
    if not both or (missing and not allow_missing):
        parts = [
            f"{len(names):,} of {len(side):,} {what} (first: {names[0]!r})"
            for names, side, what in zip(alone, (ours, theirs), _SIDES, strict=True)
            if names
        ]
        raise LabelError(
            f"predictions and labels do not match: {'; '.join(parts)}. Check --id and the files, "
            "or leave them out with --allow-missing"
        )
    notes = [f"{len(both):,} photographs joined by {'id' if exact else 'file stem'}"]
    if unjudged:
        notes.append(f"left out: {len(unjudged):,} labels of files that were not judged")
    notes += [
        f"left out: {len(names):,} {what}"
        for names, what in zip(alone, _SIDES, strict=True)
        if names
    ]
    left, right = [ours[name] for name in both], [theirs[name] for name in both]
    patient = [
        _patient(predictions, p, labels.patient[r], how.patient)
        for p, r in zip(left, right, strict=True)
    ]
    if not any(patient):
        notes.append("no patients known: every photograph is taken as its own")
    outputs = {name: values[left] for name, values in predictions.outputs.items()}
    truth = {name: values[right] for name, values in labels.truth.items()}
    if "p_quality" in outputs and "p_ungradable" not in outputs and "quality" not in truth:
        outputs["p_ungradable"] = outputs["p_quality"][:, -1]
    return (
        dataclasses.replace(
            predictions,
            rows=tuple(predictions.rows[p] for p in left) if predictions.rows else (),
            id=predictions.id[left],
            patient=np.array([p or n for p, n in zip(patient, both, strict=True)], np.str_),
            outputs=outputs,
            truth=truth,
        ),
        notes,
    )


def _patient(predictions: Predictions, row: int, labelled: str, pattern: str) -> str:
    """'' where nothing says whose photograph it is."""
    name, patient = str(predictions.id[row]), str(predictions.patient[row])
    if labelled or (patient and patient != name):
        return labelled or patient
    match = re.search(pattern, stem(name)) if pattern else None
    return match.group(1) if match else ""


def _index(
    ids: Sequence[str], key: Callable[[str], str], file: str, lines: Sequence[int]
) -> dict[str, int]:
    """Place of each id by its key; `file` and `lines` of the ids are for messages."""
    place: dict[str, int] = {}
    for i, name in enumerate(ids):
        short = key(name)
        if short in place:
            first = place[short]
            where = [f"line {lines[k]}" if lines else f"row {k + 1}" for k in (first, i)]
            where_both = f"{file}: {ids[first]!r} ({where[0]}) and {name!r} ({where[1]})"
            if name == ids[first]:
                raise LabelError(
                    f"{where_both} are one id twice; each photograph stands once: delete one of "
                    "the two"
                )
            raise LabelError(
                f"{where_both} are both called {short!r}; ids must be unique (--exact-ids "
                "compares them whole)"
            )
        place[short] = i
    return place
