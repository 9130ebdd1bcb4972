"""model_card.md: what a model was made from, what it reaches, and what it is not for.

The items are those of CLAIM (Mongan et al. 2020) and TRIPOD+AI (Collins et al. 2024) that a run
knows the answer to: data and their source, the level at which splits are disjoint, reference
standard, performance with uncertainty, calibration, failures, intended and out-of-scope use. What
only a person can know is asked for by name instead of being guessed.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fiqa_jax.evaluation.decisions import predicted_class
from fiqa_jax.evaluation.intervals import Interval
from fiqa_jax.evaluation.metrics import Head, heads
from fiqa_jax.inference import model_dir
from fiqa_jax.predictions import assessment, schema
from fiqa_jax.predictions.assessment import Assessed
from fiqa_jax.predictions.schema import Predictions
from fiqa_jax.report import markdown
from input_pipeline import atomic, records

NAME = "model_card.md"
SHOWN = ("accuracy", "macro_f1", "auroc", "ece", "nll")
WORST = 5  # failures named for each head

_USE = """
Sorting colour fundus photographs by quality for research, data set curation and the study of
screening workflows. **Research use, not a medical device.** A person decides about patients.

Out of scope: ultra-widefield, anterior-segment and OCT images; photographs without a visible field
of view; cameras and populations unlike those above, until it was evaluated on them
(`python -m fiqa_jax.evaluate`) and its thresholds were fitted there
(`python -m fiqa_jax.calibrate`).
"""


def write(model: Path, trained: Path, seed: int = 0) -> Path:
    """Writes the card of a model directory.

    Args:
      model: holds config.json; the card goes beside it.
      trained: folder of the stage that made it: stage.json, predictions_test.csv if it has one.
      seed: of the bootstrap.

    Returns:
      The card's path.
    """
    config = model_dir.read_config(model)
    record = records.read(trained / "stage.json")
    file = next((trained / f"predictions_{s}.csv" for s in ("test", "val")), None)
    predictions = schema.load(file) if file is not None and file.is_file() else None
    parts = [
        _head(config),
        _section("Intended use and limits", _USE.strip()),
        _section("Data", _data(config, record)),
        _section("Reference standard", _reference(config, record)),
        _section("Training", _training(config, record)),
        _section("Performance", _performance(predictions, seed)),
        _section("Calibration and thresholds", _calibration(config)),
        _section("Failures", _failures(predictions)),
    ]
    atomic.write(model / NAME, "\n".join(parts).encode())
    return model / NAME


def _head(config: Mapping[str, Any]) -> str:
    lines = [
        "---",
        "library_name: fiqa_jax",
        "pipeline_tag: image-classification",
        "tags: [fundus, image-quality, jax]",
        "---",
        "",
        f"# {config['name']}",
        "",
        f"Method `{config['method']}`, trunk `{config['model'].get('name', '')}` of width "
        f"{config['model'].get('width', 1.0):g}, {config['data']['side']} px. Written from the run "
        "by fiqa_jax; add licence, contact and what is marked *to be filled in* before sharing.",
        "",
    ]
    return "\n".join(lines)


def _section(title: str, body: str) -> str:
    return f"## {title}\n\n{body}\n"


def _data(config: Mapping[str, Any], record: Mapping[str, Any]) -> str:
    facts = record["facts"]
    out = [f"Source: {facts.get('source', 'not recorded')}.", ""]
    splits = facts.get("splits", {}).items()
    rows = [(name, f"{photographs:,}", f"{patients:,}") for name, (photographs, patients) in splits]
    out.append(markdown.table(("split", "photographs", "patients"), rows))
    known = facts.get("patients_known")
    level = "patient" if known else "photograph: patients were not known, so both eyes of a person "
    level += "" if known else "and repeated visits may stand on both sides"
    out += ["", f"Splits are disjoint by {level}."]
    out += [f"- {note}" for note in facts.get("notes", ())]
    counts = config["data"]["class_counts"]
    out += [f"- training labels, {name}: {', '.join(map(str, n))}" for name, n in counts.items()]
    out.append("\nInclusion, exclusion, cameras and population: *to be filled in*.")
    return "\n".join(out)


def _reference(config: Mapping[str, Any], record: Mapping[str, Any]) -> str:
    data = config["data"]
    heads = [
        ", ".join(data["quality_names"]) and f"grade: {', '.join(data['quality_names'])}",
        data["detail_names"] and f"defects: {', '.join(data['detail_names'])}",
        data["diagnosis_names"] and f"diagnosis: {', '.join(data['diagnosis_names'])}",
    ]
    out = [f"- {h}" for h in heads if h]
    if record["settings"].get("labels"):
        out.append(
            "- the defects were learnt from another model's probabilities (pseudo-labels of stage "
            f"`{record['settings']['labels']}`), not from a person's labels"
        )
    out.append("\nGraders, their number and their agreement: *to be filled in*.")
    return "\n".join(out)


def _training(config: Mapping[str, Any], record: Mapping[str, Any]) -> str:
    facts, settings = record["facts"], record["settings"]
    software = ", ".join(f"{k} {v}" for k, v in config["versions"].items())
    if record["kind"] != "train":
        numbers = [(k, f"{v:.4g}") for k, v in facts.items() if type(v) in (int, float)]
        return _rows([("fitted", settings["artefact"]), *numbers, ("software", software)])
    rows = [
        ("updates", f"{facts['steps']:,}, weights of update {facts['step_used']:,}"),
        ("batch", settings["train.batch"]),
        ("optimiser", f"{settings['optim.name']}, rate {settings['optim.lr']:g}"),
        ("augmentation", (settings["augment.train"] or "none").replace("|", ", ")),
        ("started from", settings["model.init"] or settings["model.weights"] or "random weights"),
        ("seed", settings["seed"]),
        ("software", software),
    ]
    return _rows(rows)


def _rows(rows: Sequence[tuple[str, Any]]) -> str:
    return "\n".join(["| | |", "| --- | --- |", *(f"| {k} | {v} |" for k, v in rows)])


def _performance(predictions: Predictions | None, seed: int) -> str:
    if predictions is None or not predictions.truth:
        return "Not evaluated on labelled photographs."
    if not heads_of(predictions):
        ranking = assessment.ranking(predictions, seed=seed)
        return ranking or "Gives no grade: not evaluated against labels."
    out = [
        f"{len(predictions.id):,} photographs held out, "
        f"{len(set(predictions.patient.tolist())):,} patients; "
        "95 % intervals with patients resampled; before calibration.",
        "",
        f"| | n | {' | '.join(SHOWN)} |",
        "| --- " * (len(SHOWN) + 2) + "|",
    ]
    for name, assessed in assessment.assess(predictions, seed=seed).items():
        cells = [_cell(assessed, metric) for metric in SHOWN]
        out.append(f"| {name} | {assessed.scores.n:,} | {' | '.join(cells)} |")
    notes = [f"- {n}: {note}" for n, h in heads_of(predictions).items() for note in _notes(h)]
    return "\n".join([*out, *(["", *notes] if notes else [])])


def _cell(assessed: Assessed, metric: str) -> str:
    value = assessed.scores.values[metric]
    known: Interval | None = assessed.intervals.get(metric)
    if not np.isfinite(value):
        return "undefined"
    return f"{value:.3f}" + (f" [{known.ends('.3f', ', ')}]" if known else "")


def heads_of(predictions: Predictions) -> dict[str, Head]:
    """Labels and probabilities of every head of a prediction file."""
    return heads(predictions.truth, predictions.outputs, predictions.details, predictions.diagnosis)


def _notes(head: Head) -> list[str]:
    absent = int((head.truth < 0).sum())
    return [f"{absent:,} without a label left out"] if absent else []


def _calibration(config: Mapping[str, Any]) -> str:
    out = []
    for head, fitted in config["temperature"].items():
        out.append(f"- {head}: " + ", ".join(f"{k} {v:.3f}" for k, v in fitted.items()))
    cuts = config["thresholds"]
    if "accept" in cuts:
        out.append(
            f"- accepted below a score of {cuts['accept']:.3f}, to be taken again from "
            f"{cuts['recapture']:.3f}, looked at between"
        )
    if not out:
        return (
            "None was fitted: probabilities are the network's own, the decision follows the grade."
        )
    return "Fitted on the validation split.\n\n" + "\n".join(out)


def _failures(predictions: Predictions | None) -> str:
    if predictions is None:
        return "Not evaluated on labelled photographs."
    out: list[str] = []
    for name, head in heads_of(predictions).items():
        out += _worst(name, head, predictions.id.tolist())
    return "\n".join(out) or "No labelled photograph was judged wrongly."


def _worst(name: str, head: Head, ids: Sequence[str]) -> list[str]:
    """The most confident wrong answers of a head."""
    prob = head.prob if head.prob.ndim == 2 else np.stack([1 - head.prob, head.prob], -1)
    guess = predicted_class(head.prob)
    wrong = np.flatnonzero((head.truth >= 0) & (guess != head.truth))
    order = wrong[np.argsort(-prob[wrong, guess[wrong]], kind="stable")][:WORST]
    said = [
        f"  - `{ids[i]}`: {head.names[head.truth[i]]} taken for {head.names[guess[i]]} "
        f"({prob[i, guess[i]]:.2f})"
        for i in order
    ]
    labelled = int((head.truth >= 0).sum())
    if not said:
        return []
    return [f"- {name}: {len(wrong):,} of {labelled:,} wrong; the most confident:", *said]
