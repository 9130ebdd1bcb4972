"""Several scores for rejection on the same diagnoses: numbers, intervals, paired differences.

Intervals are percentiles over resampled patients, and two scores are compared on the same
resamples; see `fiqa_jax.evaluation.risk_coverage` for what is measured and for equal scores.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fiqa_jax.evaluation import bootstrap, intervals, risk_coverage
from fiqa_jax.evaluation.decisions import predicted_class
from fiqa_jax.evaluation.intervals import Interval
from fiqa_jax.evaluation.metrics import Head

METRICS = ("accuracy", "auroc", "macro_f1")
AREAS = ("aurc", "e_aurc")
ORDERS = 4000  # of equal scores, drawn for a value of macro-F1
ORDERS_RESAMPLED = 32  # for each resample
POINTS = 60  # of a drawn curve
FEWEST = 0.04  # share of the photographs where drawn curves begin: fewer say nothing

Floats = NDArray[np.float64]
Key = tuple[str, float]  # metric and rejection rate; the areas have rate -1


@dataclasses.dataclass(frozen=True)
class Measured:
    """A number of one score, and the first score's minus it (None for the first)."""

    value: Interval
    gap: Interval | None


def measure(
    head: Head,
    scores: Mapping[str, ArrayLike],
    patient: ArrayLike,
    rates: Sequence[float],
    *,
    seed: int,
    draws: int = intervals.RANK_DRAWS,
) -> dict[str, dict[Key, Measured]]:
    """Every number of every score.

    Args:
      head: N labels of at least two classes, none absent, and probabilities of the diagnosis.
      scores: name -> `[N] float`, higher = rejected earlier. The first is compared with the others.
      patient: `[N]` any hashable; photographs with the same value are resampled together.
      rates: shares that are rejected, in [0, 1[.
      seed: of resamples and of drawn orders.
      draws: resamples.

    Returns:
      Name -> (metric, rate) -> number: AREAS at rate -1, METRICS at each of `rates`.

    Raises:
      ValueError: rates or scores that `fiqa_jax.evaluation.risk_coverage` refuses.
    """
    orders = {name: risk_coverage.order(score) for name, score in scores.items()}
    ones = np.ones((1, len(head.truth)))
    point = {n: _values(head, o, ones, rates, ORDERS, (seed, 0)) for n, o in orders.items()}
    parts: dict[str, list[dict[Key, Floats]]] = {name: [] for name in orders}
    for chunk, weight in enumerate(bootstrap.patient_weights(patient, draws, seed), 1):
        for name, ranked in orders.items():
            values = _values(head, ranked, weight, rates, ORDERS_RESAMPLED, (seed, chunk))
            parts[name].append(values)
    drawn = {
        n: {k: np.concatenate([p[k] for p in all_]) for k in point[n]} for n, all_ in parts.items()
    }
    people = len(np.unique(np.asarray(patient)))
    first = next(iter(orders))
    out: dict[str, dict[Key, Measured]] = {}
    for name in orders:
        out[name] = {}
        for key, (value,) in point[name].items():
            interval = intervals.percentile(float(value), drawn[name][key], people, intervals.LEVEL)
            gap = None
            if name != first:
                apart = drawn[first][key] - drawn[name][key]
                ahead = float(point[first][key][0] - value)
                gap = intervals.lead(ahead, apart, people, intervals.LEVEL)
            out[name][key] = Measured(interval, gap)
    return out


def _values(
    head: Head,
    ranked: risk_coverage.Order,
    weight: Floats,
    rates: Sequence[float],
    orders: int,
    seed: tuple[int, int],
) -> dict[Key, Floats]:
    """(metric, rate) -> `[D]`."""
    wrong = predicted_class(head.prob) != head.truth
    area = risk_coverage.aurc(ranked, wrong, weight)
    out = {("aurc", -1.0): area, ("e_aurc", -1.0): area - risk_coverage.best_aurc(wrong, weight)}
    for place, rate in enumerate(rates):
        kept = risk_coverage.cut(ranked, weight, rate)
        # The same orders for every score: equal scores are equal in every number.
        rng = np.random.default_rng((*seed, place))
        out["accuracy", rate] = risk_coverage.accuracy(kept, ~wrong)
        out["auroc", rate] = risk_coverage.auroc(kept, head)
        out["macro_f1", rate] = risk_coverage.macro_f1(kept, head, orders, rng)
    return out


def curves(head: Head, score: ArrayLike) -> dict[str, tuple[Floats, Floats]]:
    """Curves to draw: coverage `[P]` in ]0, 1] and what is kept there `[P]`, without intervals.

    Args:
      head: N labels and probabilities; `score`: `[N] float`, higher = rejected earlier.

    Returns:
      `error_rate` and `1 - auroc`, NaN where the latter is not defined.
    """
    ranked = risk_coverage.order(score)
    count = len(head.truth)
    coverage = np.unique(np.ceil(np.linspace(FEWEST, 1, POINTS) * count).astype(np.int64)) / count
    risk = risk_coverage.curve(ranked, predicted_class(head.prob) != head.truth)
    ones = np.ones((1, count))
    areas = [risk_coverage.auroc(risk_coverage.cut(ranked, ones, 1 - c), head)[0] for c in coverage]
    places = np.rint(coverage * count).astype(np.int64) - 1
    return {"error_rate": (coverage, risk[places]), "1 - auroc": (coverage, 1 - np.array(areas))}
