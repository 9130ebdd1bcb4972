"""Several trained stages on the same test photographs: one table of values and paired differences.

Two kinds of uncertainty stand apart, because they answer different questions. Over patients: one
prediction per photograph (probabilities averaged over the seeds), patients resampled. Over seeds:
one metric per seed, Student's t. Folds of one seed are joined before anything is computed.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fiqa_jax.evaluation import bootstrap, intervals, metrics
from fiqa_jax.evaluation.decisions import predicted_class
from fiqa_jax.evaluation.intervals import Interval
from fiqa_jax.recipe.repetitions import RULES, Runs, by_rule, join, prior_corrected
from input_pipeline import atomic

# Every other head is a detail. The diagnosis is also judged on photographs of high and low quality.
GRADED = ("quality", "ungradable", "diagnosis", "hq_diagnosis", "lq_diagnosis")
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


def table(
    files: Mapping[str, Sequence[Path]],
    wanted: Sequence[str],
    reference: str,
    seed: int = 0,
) -> Comparison:
    """Compares prediction files.

    Args:
      files: stage -> its prediction files, one per repetition (`.../seed0-fold1/predictions_*`).
      wanted: `<head>_<metric>` in order, e.g. `quality_macro_f1`; `details_<metric>` is the mean
        over the details, for metrics of the confusion matrix. () for macro-F1, accuracy and AUROC
        of every head. A stage without a head has no row for it. Where the reference has details
        and the true grade is known, two rules that read it are compared as well.
      reference: stage that the others are compared with.
      seed: of the bootstrap.

    Raises:
      ValueError: files of different photographs, or no reference among the stages.
    """
    runs = {name: join(name, paths) for name, paths in files.items()}
    if reference not in runs:
        raise ValueError(f"compare: the reference {reference!r} is none of {sorted(runs)}")
    for name, paths in files.items():
        corrected = prior_corrected(runs[name], paths)
        if corrected is not None:
            runs[name + PRIOR] = corrected
    details = tuple(h for h in runs[reference].prob if h not in GRADED)
    for name, worst in RULES.items():
        rule = by_rule(runs[reference], details, worst)
        if rule is not None:
            runs[name] = rule
    rows: list[dict[str, Any]] = []
    for name, run in runs.items():
        for head in run.prob:
            kinds = [w.removeprefix(head + "_") for w in wanted if w.startswith(head + "_")]
            if not wanted:
                kinds = ["macro_f1", "accuracy", "auroc"]
            if kinds:
                rows += _rows(name, head, kinds, run, runs[reference], seed)
        kinds = [w.removeprefix("details_") for w in wanted if w.startswith("details_")]
        if kinds and details and set(details) <= set(run.prob):
            rows += mean_rows(name, details, kinds, run, runs[reference], seed)
    return Comparison(tuple(rows), reference)


def write(comparison: Comparison, directory: Path) -> None:
    """compare.csv in a stage's folder."""
    directory.mkdir(parents=True, exist_ok=True)
    cells = [[_short(row[name]) for name in COLUMNS] for row in comparison.rows]
    atomic.write_csv(directory / "compare.csv", COLUMNS, cells)


def _short(value: Any) -> Any:
    return f"{value:.6g}" if isinstance(value, float) else value


def _rows(
    name: str, head: str, kinds: Sequence[str], run: Runs, other: Runs, seed: int
) -> list[dict[str, Any]]:
    truth, classes = run.truth[head], run.names[head]
    mean = run.prob[head].mean(0)
    whole = intervals.intervals(truth, mean, run.patient, classes, seed=seed)
    each = [metrics.scores(truth, p, classes).values for p in run.prob[head]]
    shared = head in other.prob and run is not other
    if shared and not np.array_equal(run.id, other.id):
        raise ValueError(
            f"compare: {name!r} was tested on other photographs than the reference ({len(run.id)} "
            f"and {len(other.id)}); give both stages the same data and split"
        )
    if shared:
        gap = intervals.differences(
            truth, mean, other.prob[head].mean(0), run.patient, classes, seed=seed
        )
        theirs = [metrics.scores(truth, p, classes).values for p in other.prob[head]]
    out = []
    for kind in kinds:
        if kind not in whole:
            raise ValueError(f"compare: no metric {kind!r} of {head!r}; known: {sorted(whole)}")
        paired = [b[kind] for b in theirs] if shared else []
        out.append(
            _row(
                (name, head, kind, int((truth >= 0).sum())),
                whole[kind],
                gap[kind] if shared else None,
                [e[kind] for e in each],
                paired,
            )
        )
    return out


def mean_rows(
    name: str, details: Sequence[str], kinds: Sequence[str], run: Runs, other: Runs, seed: int
) -> list[dict[str, Any]]:
    """Rows of the mean over details, all details resampled together.

    Args:
      name: of the stage.
      details: heads to average.
      kinds: metrics of the confusion matrix, see `metrics.count_scores`.
      run, other: the stage and the reference.
      seed: of the bootstrap.

    Raises:
      ValueError: a metric that does not follow from a confusion matrix.
    """
    ones = np.ones((1, len(run.id)))
    weights = np.concatenate(
        list(bootstrap.patient_weights(run.patient, intervals.COUNT_DRAWS, seed))
    )
    people = len(np.unique(run.patient))
    shared = run is not other and set(details) <= set(other.prob)
    out = []
    for kind in kinds:

        def mean(which: Runs, weight: np.ndarray, prob: int | None, kind: str = kind) -> np.ndarray:
            values = [_weighted(which, head, weight, prob, kind) for head in details]
            return np.mean(values, axis=0)

        value, draws = float(mean(run, ones, None)[0]), mean(run, weights, None)
        each = [float(mean(run, ones, k)[0]) for k in range(len(run.prob[details[0]]))]
        gap, theirs = None, []
        if shared:
            base, others = float(mean(other, ones, None)[0]), mean(other, weights, None)
            gap = intervals.lead(value - base, draws - others, people, intervals.LEVEL)
            theirs = [float(mean(other, ones, k)[0]) for k in range(len(other.prob[details[0]]))]
        whole = intervals.percentile(value, draws, people, intervals.LEVEL)
        out.append(_row((name, "details", kind, len(run.id)), whole, gap, each, theirs))
    return out


def _weighted(run: Runs, head: str, weight: np.ndarray, seed: int | None, kind: str) -> np.ndarray:
    """A metric of one detail under weights [D, N]: of one seed, or of the seeds' mean."""
    prob = run.prob[head].mean(0) if seed is None else run.prob[head][seed]
    truth = run.truth[head]
    cell = 2 * np.maximum(truth, 0) + predicted_class(prob)
    known = (truth >= 0)[:, None] * np.eye(4)[cell]
    scores = metrics.count_scores((weight @ known).reshape(-1, 2, 2), metrics.DETAIL)
    if kind not in scores:
        raise ValueError(f"compare: details_{kind} is not known; known: {sorted(scores)}")
    return scores[kind]


def _row(
    key: tuple[str, str, str, int],
    whole: Interval,
    gap: Interval | None,
    each: Sequence[float],
    theirs: Sequence[float],
) -> dict[str, Any]:
    """One row of COLUMNS: a value over patients and over seeds, and its paired difference."""
    name, head, kind, n = key
    seeds = intervals.seed_interval(each)
    row: dict[str, Any] = dict.fromkeys(COLUMNS, "")
    row |= {"stage": name, "head": head, "metric": kind, "seeds": len(each), "n": n}
    row |= {"patients": whole.units, "value": whole.value, "low": whole.low, "high": whole.high}
    row |= {"seed_mean": seeds.value, "seed_low": seeds.low, "seed_high": seeds.high}
    if gap is not None:
        row |= {"difference": gap.value, "p": gap.p}
        row |= {"difference_low": gap.low, "difference_high": gap.high}
        if len(theirs) == len(each):
            s = intervals.seed_interval([a - b for a, b in zip(each, theirs, strict=True)])
            row |= {"seed_difference": s.value}
            row |= {"seed_difference_low": s.low, "seed_difference_high": s.high}
    return row
