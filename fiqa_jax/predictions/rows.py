"""Rows of predictions from a method's outputs: the grade in words, decision, reasons, advice."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fiqa_jax.evaluation import decisions
from fiqa_jax.evaluation.decisions import predicted_class
from fiqa_jax.predictions import advice, defect_terms, places, triage
from fiqa_jax.predictions.schema import DIAGNOSIS, SCHEMA, Row, columns
from fiqa_jax.predictions.triage import Finding, Thresholds
from input_pipeline import plain_text
from input_pipeline.tables.examples import GRADABLE, QUALITY

JUDGED = ("p_quality", "p_ungradable", "p_details", "p_diagnosis", "score", "map")
HEADS = frozenset({"p_quality", "p_ungradable", "p_details"})  # that a score is made of
NOT_FINITE = (
    "the model gave NaN or infinity ({}); its weights are damaged, or the photograph is unlike any "
    "that it was trained on: try another model, and if that judges it, get this one again"
)


def with_score(outputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Outputs with a score, that of `decisions.score` where the method gave none.

    Taken before any calibration, because cut-offs of the score are fitted on uncalibrated outputs.

    Args:
      outputs: see `rows_from_outputs`.
    """
    if "score" in outputs:
        return dict(outputs)
    score = decisions.score({k: np.asarray(outputs[k], np.float64) for k in HEADS & outputs.keys()})
    return dict(outputs) if score is None else {**outputs, "score": score}


def rows_from_outputs(
    outputs: Mapping[str, NDArray[Any]],
    *,
    path: Sequence[str],
    id: Sequence[str],
    patient: Sequence[str] | None = None,
    details: Sequence[str] = (),
    diagnosis: Sequence[str] = (),
    thresholds: Thresholds,
    model: str,
    fov: NDArray[np.uint8] | None = None,
    truth: Mapping[str, NDArray[Any]] | None = None,
    findings: Sequence[Sequence[Finding]] | None = None,
) -> list[Row]:
    """Rows from a method's gathered outputs: status ok, or error where one is not finite.

    Args:
      outputs: any of p_quality [N, 3], p_ungradable [N], p_details [N, K], p_diagnosis [N, T],
        score [N], map [N, h, w], causes [N, h, w, 4] in the order of `defect_terms.CAUSES`. A
        missing score is that of `with_score`.
      path: N file names, '' for drawn images; `id`: N unique ids; `patient`: N, the id by default.
      details: K names; `diagnosis`: T names.
      thresholds: cut-offs of the model.
      model: name of the model, shown in every row.
      fov: [N, S, S] uint8, 1 inside the field; for the bad area.
      truth: labels as in metrics.head_scores; adds the true_* columns.
      findings: of each photograph, what limits its decision beside the model's outputs.

    Returns:
      N rows in the order of `columns`.
    """
    number = {key: np.asarray(value, np.float64) for key, value in with_score(outputs).items()}
    people = id if patient is None else patient
    names = columns(details, diagnosis, truth=truth is not None)
    made = []
    for i in range(len(id)):
        values = {key: value[i] for key, value in number.items()}
        if lost := not_finite(values):
            failed: Row = dict.fromkeys(names)
            failed |= failed_row(
                *(str(path[i]), str(id[i]), "error", NOT_FINITE.format(", ".join(lost)), model),
                *(details, diagnosis, str(people[i])),
                reasons="model: no answer",
            )
            if truth is not None:
                known = {k: np.asarray(v)[i] for k, v in truth.items()}
                failed |= _true(known, details, diagnosis)
            made.append(failed)
            continue
        row: Row = dict.fromkeys(names)
        row |= {"path": str(path[i]), "id": str(id[i]), "patient": str(people[i])}
        row |= {"status": "ok", "error": "", "map": "", "model": model, "schema": SCHEMA}
        limits = () if findings is None else findings[i]
        mask = None if fov is None else fov[i]
        row |= _judged(values, details, diagnosis, thresholds, mask, limits)
        if truth is not None:
            row |= _true({k: np.asarray(v)[i] for k, v in truth.items()}, details, diagnosis)
        made.append(row)
    return made


def not_finite(outputs: Mapping[str, NDArray[Any]]) -> list[str]:
    """Names of the outputs of one photograph, of those that rows are made from, with NaN or inf."""
    return [k for k in JUDGED if k in outputs and not np.isfinite(outputs[k]).all()]


def failed_row(
    path: str,
    id: str,
    status: str,
    reason: str,
    model: str,
    details: Sequence[str] = (),
    diagnosis: Sequence[str] = (),
    patient: str = "",
    reasons: str = "file: cannot be read",
) -> Row:
    """Row of a file that is not judged: it could not be read (`error`), or is no fundus photograph.

    `reasons` is that of an error. Such a row holds no probabilities; its decision is `review`, so
    that somebody looks. A file of a folder that is no picture at all is `skipped`, with nothing to
    decide.
    """
    row: Row = dict.fromkeys(columns(details, diagnosis))
    out = status == "out_of_scope"
    row |= {"path": path, "id": id, "patient": patient or id, "status": status}
    row |= {"error": " ".join(plain_text.as_text(reason).split()), "quality": ""}
    if status == "skipped":
        row |= {"reasons": "file: no photograph", "decision": "", "advice": ""}
        return row | {"map": "", "model": model, "schema": SCHEMA}
    says, what_to_do = advice.out_of_scope(reason) if out else ("", advice.UNREADABLE)
    row |= {"reasons": f"file: {says}" if out else reasons, "decision": "review"}
    row |= {"advice": what_to_do}
    return row | {"map": "", "model": model, "schema": SCHEMA}


def _judged(
    outputs: Mapping[str, NDArray[Any]],
    details: Sequence[str],
    diagnosis: Sequence[str],
    thresholds: Thresholds,
    fov: NDArray[np.uint8] | None,
    findings: Sequence[Finding],
) -> Row:
    row: Row = {"quality": ""}
    if "p_ungradable" in outputs:
        row["p_ungradable"] = float(outputs["p_ungradable"])
        row["quality"] = GRADABLE[int(row["p_ungradable"] >= thresholds.ungradable)]
    if "p_quality" in outputs:
        grade = outputs["p_quality"]
        row |= {f"p_{name}": float(p) for name, p in zip(QUALITY, grade, strict=True)}
        row["quality"] = QUALITY[int(predicted_class(grade[None])[0])]
    p_details = outputs.get("p_details", np.full(len(details), np.nan))
    if "p_details" in outputs:
        row |= {f"p_{name}": float(p) for name, p in zip(details, p_details, strict=True)}
    if "p_diagnosis" in outputs:
        p_diagnosis = outputs["p_diagnosis"]
        row["diagnosis"] = diagnosis[int(predicted_class(p_diagnosis[None])[0])]
        row |= {DIAGNOSIS + name: float(p) for name, p in zip(diagnosis, p_diagnosis, strict=True)}
    area, place = float("nan"), ""
    causes: list[tuple[str, float, str]] = []
    if "map" in outputs:
        area, place = places.bad_area(outputs["map"], fov, thresholds.map)
        row["bad_area"] = area
    told = next((finding.cause for finding in findings if finding.cause), "")
    if told and area > 0:
        causes = [(told, area, place)]
        place = defect_terms.where_and_why(causes)
    elif "causes" in outputs and area > 0 and outputs["causes"].any():
        parts = places.by_cause(outputs["map"], outputs["causes"], fov, thresholds.map)
        causes = [(list(defect_terms.CAUSES)[k], share, where) for k, share, where in parts]
        place = defect_terms.where_and_why(causes)
    row["score"] = float(outputs.get("score", np.nan))
    wide = triage.large_area(area, place, thresholds.recapture is not None, causes)
    limits = [*findings, *([wide] if wide else [])]
    by_model = triage.decide(row["score"], row["quality"], thresholds)
    row["decision"] = triage.settled(by_model, limits)
    row["reasons"], row["advice"] = advice.explain(
        details, p_details, row["decision"], row["quality"], thresholds, area, place, limits
    )
    return row


def _true(
    label: Mapping[str, NDArray[Any]], details: Sequence[str], diagnosis: Sequence[str]
) -> Row:
    row: Row = {}
    if "quality" in label and label["quality"] >= 0:
        row["true_quality"] = QUALITY[int(label["quality"])]
    if "ungradable" in label and label["ungradable"] >= 0:
        row["true_ungradable"] = int(label["ungradable"])
    if "details" in label:
        for name, value in zip(details, label["details"], strict=True):
            row[f"true_{name}"] = int(value) if value >= 0 else None
    if diagnosis and "diagnosis" in label and label["diagnosis"] >= 0:
        row["true_diagnosis"] = diagnosis[int(label["diagnosis"])]
    return row
