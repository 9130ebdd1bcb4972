"""The part of the report that one stage gets: what it did, curves, test results, examples."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fiqa_jax.evaluation import reliability
from fiqa_jax.predictions import assessment, schema
from fiqa_jax.predictions.assessment import Assessed
from fiqa_jax.report import figures, gallery, page
from fiqa_jax.report.page import Item, Picture, Section, Table

_CURVES = 6  # lines in a panel at most
# Metric -> how tables call it, in their order.
LABELS = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "macro-F1",
    "weighted_f1": "weighted F1",
    "kappa": "kappa",
    "quadratic_kappa": "quadratic kappa",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "auroc": "AUROC",
    "ap": "average precision",
    "nll": "NLL",
    "brier": "Brier score",
    "ece": "calibration error (ECE)",
}


@dataclasses.dataclass(frozen=True)
class Run:
    """One repetition of a stage."""

    directory: Path
    record: dict[str, Any]  # stage.json, {} where there is none


def stage_sections(
    name: str, runs: Sequence[Run], photographs: gallery.Photographs, opened: bool
) -> list[Section]:
    """A stage's own section: what it did, curves, test results, examples; then what it left."""
    first = runs[0]
    items: list[Item] = [text for text in (_what(runs),) if text]
    items += _curves(name, runs)
    for split in ("test", "val"):
        file = first.directory / f"predictions_{split}.csv"
        if file.is_file():
            items += _results(name, split, file, len(runs), photographs)
            break
    else:
        other = sorted(first.directory.glob("predictions_*.csv"))
        if other:
            split = other[0].stem.removeprefix("predictions_")
            items += _results(name, split, other[0], len(runs), photographs)
    if first.record.get("kind") == "fit":
        items += _fitted(first.record.get("facts", {}))
    out = [Section(name, tuple(items), opened)] if len(items) > 1 else []
    out += [page.load_section(r.directory) for r in runs if (r.directory / page.SECTION).is_file()]
    return out


def _what(runs: Sequence[Run]) -> str:
    record = runs[0].record
    facts = record.get("facts", {})
    parts = [str(record.get("kind", ""))]
    source = record.get("settings", {}).get("of", "")
    if source and isinstance(source, str):
        parts.append(f"with the results of stage {source}")
    if len(runs) > 1:
        parts.append(f"{len(runs)} runs ({', '.join(str(r.record['repeat']) for r in runs)})")
    for key, text in (
        ("train_rows", "{:,} training photographs"),
        ("steps", "{:,} steps"),
        ("step_used", "weights of step {:,}"),
        ("seconds_per_step", "{:.3f} s a step"),
        ("input_wait", "{:.1%} of the time waiting for data"),
    ):
        if key in facts:
            parts.append(text.format(facts[key]))
    return ", ".join(part for part in parts if part)


def _curves(name: str, runs: Sequence[Run]) -> list[Item]:
    train: dict[str, list[figures.Series]] = {}
    val: dict[str, list[figures.Series]] = {}
    for run in runs:
        file = run.directory / "metrics.jsonl"
        if not file.is_file():
            continue
        lines = _lines(file)
        for split, panel in (("train", train), ("val", val)):
            here = [line for line in lines if line.get("split") == split]
            keys = dict.fromkeys(["loss", *(key for line in here for key in line)])
            wanted = [key for key in keys if _drawn(split, key)][:_CURVES]
            for key in wanted:
                series = [(line["step"], line[key]) for line in here if line.get(key) is not None]
                if series:
                    label = key.removesuffix("_macro_f1") + " macro-F1" * (split == "val")
                    panel.setdefault(label, []).append(series)
    used = runs[0].record.get("facts", {}).get("step_used") if len(runs) == 1 else None
    return [
        Picture(f"{name}-{title}", figures.curves(panel, title, used), "")
        for title, panel in (("training", train), ("validation", val))
        if panel
    ]


def _drawn(split: str, key: str) -> bool:
    if split == "val":
        return key.endswith("_macro_f1")
    return key not in ("step", "split", "grad_norm")


def _results(
    name: str, split: str, file: Path, runs: int, photographs: gallery.Photographs
) -> list[Item]:
    predictions = schema.load(file)
    heads = gallery.graded(predictions)
    if not heads:
        return [f"{file.name}: {len(predictions.rows)} photographs, no labels."]
    assessed = assessment.assess(predictions, seed=0)
    which = f", first of {runs} runs" if runs > 1 else ""
    items: list[Item] = []
    singles = [head for head in heads if head not in predictions.details]
    details = [head for head in heads if head in predictions.details]
    if singles:
        items.append(_single_table({h: assessed[h] for h in singles}, f"{split} split{which}"))
    if details:
        items.append(_detail_table({h: assessed[h] for h in details}, f"{split} split{which}"))
    for head in singles:
        scores = assessed[head].scores
        picture = figures.confusion(scores.confusion, scores.names, head)
        items.append(Picture(f"{name}-{head}-confusion", picture, ""))
    items.append(
        "Reliability: dots on the dotted line are probabilities that come true as often as they "
        "say; grey bars show how many predictions lie there."
    )
    for head, head_scores in heads.items():
        here = head_scores.truth >= 0
        pair = reliability.confidences(head_scores.truth[here], head_scores.prob[here])
        title = f"{head}, ECE {assessed[head].scores.values['ece']:.3f}"
        picture = figures.reliability_diagram(*pair, title)
        items.append(Picture(f"{name}-{head}-reliability", picture, ""))
    lead = next(iter(heads))
    items += gallery.galleries(predictions, lead, heads[lead], photographs, name, file.parent)
    if predictions.left_out:
        items.append(f"Not evaluated: {predictions.left_out}.")
    return items


def _single_table(heads: Mapping[str, Assessed], caption: str) -> Table:
    """Metrics down, heads across."""
    rows = []
    for metric, label in LABELS.items():
        cells = [_value(assessed, metric) for assessed in heads.values()]
        if any(cells):
            rows.append((label, *cells))
    each = [
        (f"F1 of {n}", *(_value(other, f"f1_{n}") for other in heads.values()))
        for assessed in heads.values()
        for n in assessed.scores.names
    ]
    counts = ", ".join(
        f"{head}: {assessed.scores.n:,} photographs of {assessed.patients:,} patients"
        for head, assessed in heads.items()
    )
    text = f"{caption}; {counts}; 95 % intervals, patients resampled"
    return Table(("metric", *heads), (*rows, *dict.fromkeys(each)), text)


def _detail_table(heads: Mapping[str, Assessed], caption: str) -> Table:
    """Details down, metrics across."""
    columns = {
        "F1 of defect": "f1_defect",
        "F1 of good": "f1_good",
        "macro-F1": "macro_f1",
        "balanced accuracy": "balanced_accuracy",
        "AUROC": "auroc",
        "AP": "ap",
    }
    rows = tuple(
        (
            f"{head}|{assessed.scores.n:,} labelled, "
            f"{int(assessed.scores.confusion[1].sum()):,} with defect",
            *(_value(assessed, metric) for metric in columns.values()),
        )
        for head, assessed in heads.items()
    )
    return Table(("detail", *columns), rows, f"{caption}, details at threshold 0.5")


def _value(assessed: Assessed, metric: str) -> str:
    value = assessed.scores.values.get(metric)
    if value is None:
        return ""
    if np.isnan(value):
        return "undefined"
    text = f"{value:.3f}"
    if metric in assessed.intervals:
        text += f"|{assessed.intervals[metric].ends('.3f', ' to ')}"
    return text


def _fitted(facts: Mapping[str, Any]) -> list[Item]:
    numbers = {k: v for k, v in _flat(facts).items() if not isinstance(v, list | bool)}
    rows = [(k.removeprefix("temperature "), short(v)) for k, v in numbers.items()]
    return [Table(("fitted", "value"), tuple(rows))] if rows else []


def short(value: Any) -> str:
    """A number with three decimals, a whole one without; anything else as it is."""
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    try:
        return f"{float(value):.3f}"
    except (TypeError, ValueError):
        return str(value)


def _flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            out |= _flat(value, f"{prefix}{key} ")
        else:
            out[f"{prefix}{key}"] = value
    return out


def _lines(file: Path) -> list[dict[str, Any]]:
    out = []
    for text in file.read_text(encoding="utf-8").splitlines():
        try:
            out.append(json.loads(text))
        except json.JSONDecodeError:
            break  # the line a kill cut short
    return out
