"""Several trained stages on the same test photographs: one table of values and paired differences.

Two kinds of uncertainty stand apart, because they answer different questions. Over patients: one
prediction per photograph (probabilities averaged over the seeds), patients resampled. Over seeds:
one metric per seed, Student's t. Folds of one seed are joined before anything is computed.
"""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fiqa_jax import calibrate, metrics, model_dir, predictions, stats
from input_pipeline import atomic

PRIOR = " + prior"  # control C3: the same probabilities divided by the training prior
COLUMNS = (
    "stage",
    "head",
    "metric",
    "n",
    "patients",
    "seeds",
    "value",
    "low",
    "high",
    "seed_mean",
    "seed_low",
    "seed_high",
    "difference",
    "difference_low",
    "difference_high",
    "p",
    "seed_difference",
    "seed_difference_low",
    "seed_difference_high",
)


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Rows of COLUMNS, and the stage that differences are taken from."""

    rows: tuple[dict[str, Any], ...]
    reference: str


@dataclasses.dataclass(frozen=True)
class _Runs:
    """One stage: the same photographs in the same order, predicted by every seed."""

    id: np.ndarray  # [N]
    patient: np.ndarray  # [N]
    truth: dict[str, np.ndarray]  # head -> [N] int, -1 absent
    prob: dict[str, np.ndarray]  # head -> [seeds, N, C] or [seeds, N]
    names: dict[str, tuple[str, ...]]


def table(
    files: Mapping[str, Sequence[Path]],
    wanted: Sequence[str],
    reference: str,
    seed: int = 0,
) -> Comparison:
    """Compares prediction files.

    Args:
      files: stage -> its prediction files, one per repetition (`.../seed0-fold1/predictions_*`).
      wanted: `<head>_<metric>` in order, e.g. `quality_macro_f1`; () for macro-F1, accuracy and
        AUROC of every head. A stage without a head has no row for it.
      reference: stage that the others are compared with.
      seed: of the bootstrap.

    Raises:
      ValueError: files of different photographs, or no reference among the stages.
    """
    runs = {name: _join(name, paths) for name, paths in files.items()}
    if reference not in runs:
        raise ValueError(f"compare: the reference {reference!r} is none of {sorted(runs)}")
    for name, paths in files.items():
        corrected = _prior_corrected(runs[name], paths)
        if corrected is not None:
            runs[name + PRIOR] = corrected
    rows: list[dict[str, Any]] = []
    for name, run in runs.items():
        for head in run.prob:
            kinds = [w.removeprefix(head + "_") for w in wanted if w.startswith(head + "_")]
            if not wanted:
                kinds = ["macro_f1", "accuracy", "auroc"]
            if kinds:
                rows += _rows(name, head, kinds, run, runs[reference], seed)
    return Comparison(tuple(rows), reference)


def write(found: Comparison, directory: Path) -> None:
    """compare.csv in a stage's folder."""
    directory.mkdir(parents=True, exist_ok=True)
    cells = [[_short(row[name]) for name in COLUMNS] for row in found.rows]
    atomic.write_csv(directory / "compare.csv", COLUMNS, cells)


def _short(value: Any) -> Any:
    return f"{value:.6g}" if isinstance(value, float) else value


def _rows(
    name: str, head: str, kinds: Sequence[str], run: _Runs, other: _Runs, seed: int
) -> list[dict[str, Any]]:
    truth, classes = run.truth[head], run.names[head]
    mean = run.prob[head].mean(0)
    whole = stats.intervals(truth, mean, run.patient, classes, seed=seed)
    each = [metrics.scores(truth, p, classes).values for p in run.prob[head]]
    shared = head in other.prob and run is not other
    if shared and not np.array_equal(run.id, other.id):
        raise ValueError(
            f"compare: {name!r} was tested on other photographs than the reference ({len(run.id)} "
            f"and {len(other.id)}); give both stages the same data and split"
        )
    if shared:
        gap = stats.differences(
            truth, mean, other.prob[head].mean(0), run.patient, classes, seed=seed
        )
        theirs = [metrics.scores(truth, p, classes).values for p in other.prob[head]]
    out = []
    for kind in kinds:
        if kind not in whole:
            raise ValueError(f"compare: no metric {kind!r} of {head!r}; known: {sorted(whole)}")
        seeds = stats.seed_interval([e[kind] for e in each])
        row: dict[str, Any] = dict.fromkeys(COLUMNS, "")
        row |= {"stage": name, "head": head, "metric": kind, "seeds": len(each)}
        row |= {"n": int((truth >= 0).sum()), "patients": whole[kind].units}
        row |= {"value": whole[kind].value, "low": whole[kind].low, "high": whole[kind].high}
        row |= {"seed_mean": seeds.value, "seed_low": seeds.low, "seed_high": seeds.high}
        if shared:
            d = gap[kind]
            row |= {"difference": d.value, "difference_low": d.low, "difference_high": d.high}
            row |= {"p": d.p}
            if len(theirs) == len(each):
                s = stats.seed_interval(
                    [a[kind] - b[kind] for a, b in zip(each, theirs, strict=True)]
                )
                row |= {"seed_difference": s.value}
                row |= {"seed_difference_low": s.low, "seed_difference_high": s.high}
        out.append(row)
    return out


def _join(name: str, paths: Sequence[Path]) -> _Runs:
    """The files of a stage: folds put together, seeds stacked, rows in the order of their ids."""
    by_seed: dict[str, list[predictions.Predictions]] = {}
    for path in paths:
        repeat = (
            re.sub(r"-?fold\d+", "", path.parent.name)
            if "fold" in path.parent.name
            else (path.parent.name)
        )
        by_seed.setdefault(repeat, []).append(predictions.load(path))
    heads: list[dict[str, np.ndarray]] = []
    first: tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]] | None = None
    one = next(iter(by_seed.values()))[0]
    for parts in by_seed.values():
        ids = np.concatenate([p.id for p in parts])
        if len(np.unique(ids)) < len(ids):
            raise ValueError(f"compare: {name!r} predicts photographs in more than one fold")
        order = np.argsort(ids)
        patient = np.concatenate([p.patient for p in parts])[order]
        truth = {k: v[order] for k, v in _by_head(parts, "truth", one.details).items()}
        if first is not None and not np.array_equal(first[0], ids[order]):
            raise ValueError(f"compare: the repetitions of {name!r} tested different photographs")
        first = first or (ids[order], patient, truth)
        heads.append({k: v[order] for k, v in _by_head(parts, "outputs", one.details).items()})
    assert first is not None
    ids, patient, truth = first
    prob = {h: np.stack([run[h] for run in heads]) for h in heads[0] if h in truth}
    names = {
        h: {
            "quality": metrics.QUALITY,
            "ungradable": metrics.GRADABLE,
            "diagnosis": one.diagnosis,
        }.get(h, metrics.DETAIL)
        for h in prob
    }
    return _Runs(ids, patient, truth, prob, names)


def _by_head(
    parts: Sequence[predictions.Predictions], what: str, details: Sequence[str]
) -> dict[str, np.ndarray]:
    keys = set.intersection(*(set(getattr(p, what)) for p in parts))
    joined = {k: np.concatenate([getattr(p, what)[k] for p in parts]) for k in keys}
    out = {}
    for head in ("quality", "ungradable", "diagnosis"):
        key = head if what == "truth" else f"p_{head}"
        if key in joined:
            out[head] = joined[key]
    block = joined.get("details" if what == "truth" else "p_details")
    if block is not None:
        out |= {name: block[:, k] for k, name in enumerate(details)}
    return out


def _prior_corrected(run: _Runs, paths: Sequence[Path]) -> _Runs | None:
    """Control C3 for the three-class grade, with the training prior of the model beside it."""
    config = paths[0].parent / "model" / model_dir.CONFIG
    if "quality" not in run.prob or not config.is_file():
        return None
    counts = model_dir.read_config(config.parent)["data"]["class_counts"].get("quality")
    if not counts or not all(counts):
        return None
    prior = np.asarray(counts, np.float64) / sum(counts)
    corrected = np.stack([calibrate.prior_correction(p, prior, 1.0) for p in run.prob["quality"]])
    return dataclasses.replace(run, prob={"quality": corrected})
