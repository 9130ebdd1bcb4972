"""The predictions of a stage over all its repetitions: folds joined, seeds stacked."""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from fiqa_jax.evaluation import calibration, metrics
from fiqa_jax.inference import model_dir
from fiqa_jax.predictions import schema
from input_pipeline.tables.examples import GRADABLE, QUALITY

# Rules that read the TRUE overall grade: a detail head that is worth having beats both.
RULES = {"rule: fine if good": 0, "rule: fine if usable": 1}


@dataclasses.dataclass(frozen=True)
class Runs:
    """One stage: the same photographs in the same order, predicted by every seed."""

    id: np.ndarray  # [N]
    patient: np.ndarray  # [N]
    truth: dict[str, np.ndarray]  # head -> [N] int, -1 absent
    prob: dict[str, np.ndarray]  # head -> [seeds, N, C] or [seeds, N]
    names: dict[str, tuple[str, ...]]


def join(name: str, paths: Sequence[Path]) -> Runs:
    """The files of a stage: folds put together, seeds stacked, rows in the order of their ids."""
    by_seed: dict[str, list[schema.Predictions]] = {}
    for path in paths:
        repeat = re.sub(r"-?fold\d+", "", path.parent.name)
        by_seed.setdefault(repeat, []).append(schema.load(path))
    heads: list[dict[str, np.ndarray]] = []
    first: tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]] | None = None
    first_run = next(iter(by_seed.values()))[0]
    for parts in by_seed.values():
        ids = np.concatenate([p.id for p in parts])
        if len(np.unique(ids)) < len(ids):
            raise ValueError(f"compare: {name!r} predicts photographs in more than one fold")
        order = np.argsort(ids)
        patient = np.concatenate([p.patient for p in parts])[order]
        truth = {k: v[order] for k, v in _by_head(parts, "truth", first_run.details).items()}
        if first is not None and not np.array_equal(first[0], ids[order]):
            raise ValueError(f"compare: the repetitions of {name!r} tested different photographs")
        first = first or (ids[order], patient, truth)
        heads.append(
            {k: v[order] for k, v in _by_head(parts, "outputs", first_run.details).items()}
        )
    assert first is not None
    ids, patient, truth = first
    prob = {h: np.stack([run[h] for run in heads]) for h in heads[0] if h in truth}
    for group, rows in by_quality(truth).items():
        if "diagnosis" in prob:
            prob[f"{group}_diagnosis"] = prob["diagnosis"]
            truth[f"{group}_diagnosis"] = np.where(rows, truth["diagnosis"], -1)
    names = {
        h: {
            "quality": QUALITY,
            "ungradable": GRADABLE,
            **dict.fromkeys(("diagnosis", "hq_diagnosis", "lq_diagnosis"), first_run.diagnosis),
        }.get(h, metrics.DETAIL)
        for h in prob
    }
    return Runs(ids, patient, truth, prob, names)


def by_quality(truth: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Rows `[N] bool` of high ('hq': good, gradable) and low quality ('lq': the rest).

    Args:
      truth: head -> labels; {} comes back where neither quality nor ungradable is among them.
    """
    grade = truth.get("quality", truth.get("ungradable"))
    return {} if grade is None else {"hq": grade == 0, "lq": grade > 0}


def _by_head(
    parts: Sequence[schema.Predictions], what: str, details: Sequence[str]
) -> dict[str, np.ndarray]:
    keys = set.intersection(*(set(getattr(p, what)) for p in parts))
    joined = {k: np.concatenate([getattr(p, what)[k] for p in parts]) for k in keys}
    out = {}
    for head in ("quality", "ungradable", "diagnosis"):
        key = head if what == "truth" else f"p_{head}"
        if key in joined:
            out[head] = metrics.second_of_two(joined[key])  # labels are [N]: as they are
    block = joined.get("details" if what == "truth" else "p_details")
    if block is not None:
        out |= {name: block[:, k] for k, name in enumerate(details)}
    return out


def prior_corrected(run: Runs, paths: Sequence[Path]) -> Runs | None:
    """Control C3 for the three-class grade, with the training prior of the model beside it."""
    config = paths[0].parent / "model" / model_dir.CONFIG
    if "quality" not in run.prob or not config.is_file():
        return None
    counts = model_dir.read_config(config.parent)["data"]["class_counts"].get("quality")
    if not counts or not all(counts):
        return None
    prior = np.asarray(counts, np.float64) / sum(counts)
    corrected = np.stack([calibration.prior_correction(p, prior, 1.0) for p in run.prob["quality"]])
    return dataclasses.replace(run, prob={"quality": corrected})


def by_rule(run: Runs, details: Sequence[str], worst: int) -> Runs | None:
    """Details told from the true grade alone: a defect wherever the grade is worse than `worst`.

    Args:
      run: any stage with labels of the grade and of details.
      details: their names.
      worst: the worst grade without a defect, 0 good or 1 usable.

    Returns:
      Runs of one seed with probabilities 0 and 1, or None where there is no true grade.
    """
    grade = run.truth.get("quality")
    if grade is None or not details or (grade < 0).any():
        return None
    said = (grade > worst).astype(np.float64)[None]
    return dataclasses.replace(
        run, prob=dict.fromkeys(details, said), names=dict.fromkeys(details, metrics.DETAIL)
    )
