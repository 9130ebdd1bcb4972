"""What a stage predicted for a split: its metrics, and the files that hold its rows."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fiqa_jax.evaluation import metrics
from fiqa_jax.inference import photo_limits
from fiqa_jax.predictions import rows as judge
from fiqa_jax.predictions import schema, triage
from fiqa_jax.recipe.data import Data
from fiqa_jax.training.method import DataSpec
from input_pipeline import atomic


def scores(outputs: Mapping[str, np.ndarray], data: Data, spec: DataSpec) -> dict[str, float]:
    """Metrics of gathered outputs against the labels of their rows, float64, on the host."""
    truth = data.labels(outputs["index"])
    outputs = as_used(outputs, data)
    heads = metrics.head_scores(truth, outputs, spec.detail_names, spec.diagnosis_names)
    flat = metrics.summary(heads, spec.detail_names)
    for name in (n for n in outputs if n.startswith("row_")):
        values = outputs[name].astype(np.float64)
        known = values[np.isfinite(values)]
        flat[name.removeprefix("row_")] = float(known.mean()) if len(known) else float("nan")
    return flat


def as_used(outputs: Mapping[str, np.ndarray], data: Data) -> dict[str, np.ndarray]:
    """Outputs as `predict` takes them: the worst where nothing of a retina can be seen."""
    fields = [data.fields.get(name) for name in _ids(outputs, data)]
    empty = np.array([field is not None and bool(field.empty) for field in fields], bool)
    return photo_limits.ungradable_where(outputs, empty)


def limits(
    outputs: Mapping[str, np.ndarray], data: Data, threshold: float
) -> tuple[list[list[triage.Finding]], NDArray[np.uint8] | None]:
    """What limits the decision on each row, as in `predict`, and the fields of view of rows.

    Args:
      outputs: gathered ones, with `index`; where they hold maps, photographs are read for them.
      threshold: of the map.

    Returns:
      Findings of N rows; `[N, S, S] uint8`, 1 inside the field, None without maps.
    """
    names = _ids(outputs, data)
    findings: list[list[triage.Finding]] = []
    frames = data.section.allow_frame or data.section.modality != "fundus"
    for name in names:
        field = data.fields.get(name)
        findings.append(
            photo_limits.field_findings(field.across, field.shown, field.empty, frames=frames)
            if field
            else []
        )
    photographs = data.photographs
    if photographs is None or "map" not in outputs:
        return findings, None
    place = {name: row for row, name in enumerate(photographs.table.id.tolist())}
    fields = []
    for i, name in enumerate(names):
        photo = photographs.read(place[name])
        fields.append(photo["fov"])
        seen = data.fields.get(name)
        if not (seen and seen.empty):
            quality = outputs["map"][i]
            findings[i] += photo_limits.picture_findings(
                photo["image"], photo["fov"], quality, threshold
            )
    return findings, np.stack(fields)


def _ids(outputs: Mapping[str, np.ndarray], data: Data) -> list[str]:
    return data.source.table.id[outputs["index"]].tolist()


def write(
    directory: Path,
    split: str,
    outputs: Mapping[str, np.ndarray],
    data: Data,
    spec: DataSpec,
    thresholds: triage.Thresholds,
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
    outputs = as_used(outputs, data)
    findings, fov = limits(outputs, data, thresholds.map)
    made = judge.rows_from_outputs(
        {k: v for k, v in outputs.items() if k != "index" and not k.startswith("row_")},
        path=table.path[rows].tolist(),
        id=table.id[rows].tolist(),
        patient=table.patient[rows].tolist(),
        details=spec.detail_names,
        diagnosis=spec.diagnosis_names,
        thresholds=thresholds,
        model=model,
        fov=fov,
        truth=data.labels(rows),
        findings=findings,
    )
    names = schema.columns(spec.detail_names, spec.diagnosis_names, truth=True)
    schema.write_csv(directory / f"predictions_{split}.csv", made, names)
