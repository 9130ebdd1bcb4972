"""Metrics with intervals of a prediction file, and of two files against each other."""

import dataclasses
import math
from typing import Any

import numpy as np

from fiqa_jax.evaluation import intervals as stats
from fiqa_jax.evaluation import metrics, significance
from fiqa_jax.evaluation.decisions import predicted_class
from fiqa_jax.evaluation.intervals import Interval
from fiqa_jax.evaluation.significance import McNemar
from fiqa_jax.predictions.schema import Predictions
from input_pipeline.tables.examples import GRADABLE


@dataclasses.dataclass(frozen=True)
class Assessed:
    """One head over one file."""

    scores: metrics.Scores
    intervals: dict[str, Interval]  # {} where no draws were asked for
    patients: int


@dataclasses.dataclass(frozen=True)
class Compared:
    """One head of two files over the same photographs."""

    differences: dict[str, Interval]  # first minus second, patients resampled
    mcnemar: McNemar
    delong: dict[str, tuple[float, float, float]]  # class -> (difference of AUROC, se, p)
    n: int


def assess(
    predictions: Predictions,
    *,
    seed: int,
    count_draws: int = stats.COUNT_DRAWS,
    rank_draws: int = stats.RANK_DRAWS,
) -> dict[str, Assessed]:
    """Every head that has labels and outputs; draws as in `stats.intervals`, 0 for none.

    Raises:
      ValueError: no head has both.
    """
    out = {}
    for name, head in _heads(predictions).items():
        intervals = {}
        if count_draws or rank_draws:
            intervals = stats.intervals(
                head.truth,
                head.prob,
                predictions.patient,
                head.names,
                seed=seed,
                count_draws=count_draws,
                rank_draws=rank_draws,
            )
        scores = metrics.scores(head.truth, head.prob, head.names)
        out[name] = Assessed(
            scores, intervals, len(np.unique(predictions.patient[head.truth >= 0]))
        )
    return out


def compare(
    first: Predictions,
    second: Predictions,
    *,
    seed: int,
    count_draws: int = stats.COUNT_DRAWS,
    rank_draws: int = stats.RANK_DRAWS,
) -> dict[str, Compared]:
    """Every head that both files have, paired by id; labels and patients are the first file's.

    Raises:
      ValueError: different photographs, or no head in common.
    """
    place = {name: row for row, name in enumerate(second.id.tolist())}
    if set(place) != set(first.id.tolist()):
        raise ValueError(
            f"the two files hold different photographs: {len(first.id):,} and {len(second.id):,}, "
            f"{len(set(place) & set(first.id.tolist())):,} in both; compare the same ones"
        )
    order = np.array([place[name] for name in first.id.tolist()], np.int64)
    # The same labels for both, whatever the second file says.
    other = dataclasses.replace(
        second,
        truth=first.truth,
        outputs={name: values[order] for name, values in second.outputs.items()},
    )
    ours, theirs = _heads(first), _heads(other)
    out = {}
    for name in ours:
        if name not in theirs:
            continue
        a, b, truth = ours[name].prob, theirs[name].prob, ours[name].truth
        differences = stats.differences(
            truth,
            a,
            b,
            first.patient,
            ours[name].names,
            seed=seed,
            count_draws=count_draws,
            rank_draws=rank_draws,
        )
        here = truth >= 0
        y, p, q = truth[here], a[here], b[here]
        test = significance.mcnemar(predicted_class(p) == y, predicted_class(q) == y)
        out[name] = Compared(differences, test, _delong(y, p, q, ours[name].names), len(y))
    if not out:
        raise ValueError(f"no head in common: {sorted(ours)} and {sorted(theirs)}")
    return out


def to_json(value: Any) -> Any:
    """Dataclasses, arrays and NaN as plain JSON values (NaN -> null)."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_json(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_json(item) for item in value]
    if isinstance(value, np.ndarray):
        return to_json(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def ranking(predictions: Predictions, *, seed: int) -> str:
    """How well a score alone, without probabilities, ranks photographs; '' where it cannot be told.

    Args:
      predictions: predictions with the output `score` (higher = worse) and the label `ungradable`.
      seed: of the bootstrap, which resamples patients.
    """
    bad, score = predictions.truth.get("ungradable"), predictions.outputs.get("score")
    if bad is None or score is None or len(set(bad[bad >= 0].tolist())) < 2:
        return ""
    reached = stats.intervals(bad, score, predictions.patient, GRADABLE, seed=seed, count_draws=0)[
        "auroc"
    ]
    return (
        f"{int((bad >= 0).sum()):,} photographs held out. Gives no grade; its score ranks "
        f"ungradable above gradable photographs with an AUROC of {reached:.3f}, "
        "patients resampled."
    )


def _heads(predictions: Predictions) -> dict[str, metrics.Head]:
    heads = metrics.heads(
        predictions.truth, predictions.outputs, predictions.details, predictions.diagnosis
    )
    if not heads:
        raise ValueError(
            f"nothing to evaluate: labels of {sorted(predictions.truth) or 'nothing'}, outputs "
            f"{sorted(predictions.outputs)}"
        )
    return heads


def _delong(
    y: np.ndarray, p: np.ndarray, q: np.ndarray, names: tuple[str, ...]
) -> dict[str, tuple[float, float, float]]:
    """Of each class against the rest; of the second class where there are two."""
    columns = {names[1]: (y == 1, p, q)} if p.ndim == 1 else {}
    if p.ndim == 2:
        columns = {name: (y == k, p[:, k], q[:, k]) for k, name in enumerate(names)}
    return {
        name: significance.delong(hit, np.stack([a, b])).difference()
        for name, (hit, a, b) in columns.items()
        if min(hit.sum(), (~hit).sum()) > 1
    }
