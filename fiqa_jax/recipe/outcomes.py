"""What a stage predicted for a split: its metrics, and the files that hold its rows."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from fiqa_jax.evaluation import metrics
from fiqa_jax.predictions import advice, schema
from fiqa_jax.predictions import rows as judge
from fiqa_jax.recipe.data import Data
from fiqa_jax.training.method import DataSpec
from input_pipeline import atomic


def scores(outputs: Mapping[str, np.ndarray], data: Data, spec: DataSpec) -> dict[str, float]:
    """Metrics of gathered outputs against the labels of their rows, float64, on the host."""
    truth = data.labels(outputs["index"])
    heads = metrics.head_scores(truth, outputs, spec.detail_names, spec.diagnosis_names)
    found = metrics.summary(heads, spec.detail_names)
    for name in (n for n in outputs if n.startswith("row_")):
        values = outputs[name].astype(np.float64)
        known = values[np.isfinite(values)]
        found[name.removeprefix("row_")] = float(known.mean()) if len(known) else float("nan")
    return found


def write(
    directory: Path,
    split: str,
    outputs: Mapping[str, np.ndarray],
    data: Data,
    spec: DataSpec,
    thresholds: advice.Thresholds,
    model: str,
) -> None:
    """predictions_<split>.csv with the true labels beside, rows_<split>.csv for row measures."""
    rows, table = outputs["index"], data.source.table
    measures = sorted(name for name in outputs if name.startswith("row_"))
    if measures:
        header = ("id", *(name.removeprefix("row_") for name in measures))
        cells = zip(table.id[rows], *(outputs[name] for name in measures), strict=True)
        atomic.write_csv(directory / f"rows_{split}.csv", header, cells)
    if not any(name == "score" or name.startswith("p_") for name in outputs):
        return
    made = judge.rows_from_outputs(
        {k: v for k, v in outputs.items() if k != "index" and not k.startswith("row_")},
        path=table.path[rows].tolist(),
        id=table.id[rows].tolist(),
        patient=table.patient[rows].tolist(),
        details=spec.detail_names,
        diagnosis=spec.diagnosis_names,
        thresholds=thresholds,
        model=model,
        truth=data.labels(rows),
    )
    names = schema.columns(spec.detail_names, spec.diagnosis_names, truth=True)
    schema.write_csv(directory / f"predictions_{split}.csv", made, names)
