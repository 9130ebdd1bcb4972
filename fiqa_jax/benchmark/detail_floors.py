"""Floors of naming defects: logistic regressions on a few simple statistics of a photograph."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fiqa_jax.evaluation import metrics, ranking

STATISTICS = ("laplacian_variance", "mean", "rms_contrast")

Floats = NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Named:
    """One way to name defects on N photographs.

    Attributes:
      score: `[N, K]` higher where the defect is likelier.
      cut: `[K]` the defect is named where the score is at or above it.
    """

    score: Floats
    cut: Floats


def features(arrays: Mapping[str, ArrayLike]) -> Floats:
    """Statistics as `simple.measure` gives them -> `[N, 3]`; the variance as its logarithm."""
    columns = [np.asarray(arrays[name], np.float64) for name in STATISTICS]
    columns[0] = np.log1p(columns[0])
    return np.stack(columns, -1)


def best_cut(truth: ArrayLike, score: ArrayLike) -> float:
    """The cut-off with the highest macro-F1; between two scores, the lower of equals.

    Args:
      truth: `[N]` 0 or 1, both there.
      score: `[N] float`.
    """
    y, s = np.asarray(truth, np.int64), np.asarray(score, np.float64)
    order = np.argsort(s, kind="stable")
    y, s = y[order], s[order]
    first = np.flatnonzero(np.diff(s, prepend=-np.inf))  # cut before each distinct score
    missed = np.concatenate([[0], np.cumsum(y)])[first]
    passed = first - missed
    hit, alarm = y.sum() - missed, (1 - y).sum() - passed
    tables = np.stack([np.stack([passed, alarm], -1), np.stack([missed, hit], -1)], -2)
    value = metrics.count_scores(tables, metrics.DETAIL)["macro_f1"]
    best = int(np.argmax(value))
    return float(s[first[best]] if best == 0 else (s[first[best] - 1] + s[first[best]]) / 2)


def regressions(
    x: Floats, truth: NDArray[np.int8], test: Floats, details: Sequence[str]
) -> dict[str, Named]:
    """Logistic regressions on simple statistics, fitted here and applied there.

    Args:
      x: `[N, 3]` features of the training photographs.
      truth: `[N, K]` their defects, 0 or 1.
      test: `[M, 3]` features of others.
      details: K names of defects.

    Returns:
      What is known of the M photographs by the best single statistic (per defect, by its AUROC in
      training, in whichever direction), by all three, and by their squares and products, too.

    Raises:
      ValueError: a defect that all training photographs have, or none.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import PolynomialFeatures, StandardScaler

    for k, name in enumerate(details):
        if len(np.unique(truth[:, k])) < 2:
            raise ValueError(
                f"all {len(x)} training photographs are alike in {name!r}; nothing can be fitted. "
                "Take more of them, or another data.lq_ratio"
            )
    defects = range(truth.shape[1])
    merit = [[ranking.auroc(truth[:, k], x[:, j]) for j in range(3)] for k in defects]
    best = np.abs(np.array(merit) - 0.5).argmax(-1)
    kinds = {
        "best single statistic": (1, [[int(best[k])] for k in defects]),
        "three statistics": (1, [[0, 1, 2]] * truth.shape[1]),
        "with squares and products": (2, [[0, 1, 2]] * truth.shape[1]),
    }
    out = {}
    for name, (degree, columns) in kinds.items():
        score, cut = np.zeros((len(test), truth.shape[1])), np.zeros(truth.shape[1])
        for k in defects:
            model = make_pipeline(
                StandardScaler(),
                PolynomialFeatures(degree, include_bias=False),
                LogisticRegression(C=1e3, max_iter=10_000),
            )
            model.fit(x[:, columns[k]], truth[:, k])
            cut[k] = best_cut(truth[:, k], model.predict_proba(x[:, columns[k]])[:, 1])
            score[:, k] = model.predict_proba(test[:, columns[k]])[:, 1]
        out[name] = Named(score, cut)
    return out
