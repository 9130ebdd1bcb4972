"""Metrics of one head on resampled patients, thousands of times.

Metrics of the confusion matrix need only each patient's own matrix: patients with equal matrices
are exchangeable, so one multinomial draw over the distinct ones stands for a whole resample.
Rank and probability metrics take a weight per photograph; with unit weights they are the numbers
of `fiqa_jax.evaluation.metrics`.
"""

import dataclasses
import itertools
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fiqa_jax.evaluation import metrics, reliability
from fiqa_jax.evaluation.decisions import predicted_class
from fiqa_jax.evaluation.reliability import ratio

_CELLS = 2_000_000  # weights held at a time

Floats = NDArray[np.float64]
Draws = dict[str, Floats]


@dataclasses.dataclass(frozen=True)
class Rows:
    """Labelled photographs of one head, with one or more predictions of them."""

    truth: NDArray[np.int64]  # [N] class indices
    probs: list[Floats]  # each [N, C], or [N] probability of the second of two classes
    group: NDArray[np.int64]  # [N] patient as 0..patients-1
    patients: int


def rows_of(truth: ArrayLike, probs: Sequence[ArrayLike], patient: ArrayLike) -> Rows:
    """Rows with a label (truth >= 0) and their patients as numbers.

    Raises:
      ValueError: lengths that differ.
    """
    y, who = np.asarray(truth, np.int64), np.asarray(patient)
    p = [np.asarray(prob, np.float64) for prob in probs]
    if who.shape != y.shape or any(len(model) != len(y) for model in p):
        raise ValueError(
            f"{len(y)} labels need as many patients and probabilities; seen {who.shape} and "
            f"{[model.shape for model in p]}"
        )
    here = y >= 0
    distinct, group = np.unique(who[here], return_inverse=True)
    return Rows(y[here], [model[here] for model in p], group, len(distinct))


def draws(
    rows: Rows, names: Sequence[str], seed: int, count_draws: int, rank_draws: int
) -> list[Draws]:
    """For each set of probabilities: metric -> [draws], all on the same resampled patients."""
    out: list[Draws] = [{} for _ in rows.probs]
    if not rows.patients:
        return out
    for_counts, for_ranks = np.random.default_rng(seed).spawn(2)
    if count_draws:
        tables = _resampled_confusions(rows, len(names), for_counts, count_draws)
        for k, draws in enumerate(out):
            draws |= metrics.count_scores(tables[:, k], names)
    if rank_draws:
        parts: list[list[Draws]] = [[] for _ in rows.probs]
        for weight in _weights(rows.group, rows.patients, for_ranks, rank_draws):
            for k, prob in enumerate(rows.probs):
                parts[k].append(weighted_scores(rows.truth, prob, weight, names))
        for draws, part in zip(out, parts, strict=True):
            draws |= {name: np.concatenate([p[name] for p in part]) for name in part[0]}
    return out


def _resampled_confusions(
    rows: Rows, classes: int, rng: np.random.Generator, draws: int
) -> NDArray[np.int64]:
    """[draws, len(probs), C, C] confusion matrices of resampled patients."""
    size, models = classes * classes, len(rows.probs)
    counts = np.zeros((rows.patients, models * size), np.int64)
    for k, prob in enumerate(rows.probs):
        guess = predicted_class(prob)
        np.add.at(counts, (rows.group, k * size + rows.truth * classes + guess), 1)
    distinct, times = np.unique(counts, axis=0, return_counts=True)
    step = max(1, _CELLS // len(distinct))
    taken = [
        rng.multinomial(rows.patients, times / rows.patients, min(step, draws - first)) @ distinct
        for first in range(0, draws, step)
    ]
    return np.concatenate(taken).reshape(draws, models, classes, classes)


def patient_weights(patient: ArrayLike, draws: int, seed: int) -> Iterator[Floats]:
    """Chunks [d, N] of how often each photograph's patient was drawn, `draws` rows in all."""
    distinct, group = np.unique(np.asarray(patient), return_inverse=True)
    return _weights(group, len(distinct), np.random.default_rng(seed), draws)


def _weights(
    group: NDArray[np.int64], patients: int, rng: np.random.Generator, draws: int
) -> Iterator[Floats]:
    step = max(1, _CELLS // len(group))
    for first in range(0, draws, step):
        times = np.stack(
            [
                np.bincount(rng.integers(0, patients, patients), minlength=patients)
                for _ in range(min(step, draws - first))
            ]
        )
        yield times[:, group].astype(np.float64)


def weighted_scores(
    truth: NDArray[np.int64], prob: Floats, weight: Floats, names: Sequence[str]
) -> Draws:
    """Rank and probability metrics of `metrics.scores` with a weight per example, many at a time.

    Args:
      truth: [N] int; `prob`: [N, C] or [N]; `weight`: [D, N] >= 0; `names`: class names.

    Returns:
      Metric name to [D] float64.
    """
    total = weight.sum(-1)
    classes = len(names)
    full = np.stack([1 - prob, prob], -1) if prob.ndim == 1 else prob
    full = full / full.sum(-1, keepdims=True)
    likelihood = np.clip(full[np.arange(len(truth)), truth], np.finfo(np.float64).eps, None)
    error = ((full - np.eye(classes)[truth]) ** 2).sum(-1) / (2 if classes == 2 else 1)
    out = {
        "nll": ratio(weight @ -np.log(likelihood), total),
        "brier": ratio(weight @ error, total),
    }
    sure, happened = reliability.confidences(truth, prob)
    bins = reliability.ECE_BINS
    gap = np.zeros((len(truth), bins))
    gap[np.arange(len(truth)), reliability.bin_of(sure, bins)] = sure - happened
    out["ece"] = ratio(np.abs(weight @ gap).sum(-1), total)
    if prob.ndim == 1:
        out["auroc"], out["ap"] = _ranked(truth == 1, prob, weight)
        return out
    each = [_ranked(truth == k, prob[:, k], weight) for k in range(classes)]
    out["auroc"] = np.mean([auroc for auroc, _ in each], axis=0)
    out["ap"] = np.mean([ap for _, ap in each], axis=0)
    for name, (auroc, ap) in zip(names, each, strict=True):
        out |= {f"auroc_{name}": auroc, f"ap_{name}": ap}
    pairs = []
    for i, j in itertools.permutations(range(classes), 2):
        here = (truth == i) | (truth == j)
        pairs.append(_ranked(truth[here] == i, prob[here, i], weight[:, here])[0])
    return out | {"auroc_ovo": np.mean(pairs, axis=0)}


def _ranked(hit: NDArray[np.bool_], score: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Weighted AUROC (ties count half) and average precision, [D] each."""
    order = np.argsort(score, kind="stable")
    first = np.flatnonzero(np.diff(score[order], prepend=-np.inf))
    w = weight[:, order]
    positive = np.add.reduceat(w * hit[order], first, axis=-1)
    negative = np.add.reduceat(w, first, axis=-1) - positive
    p, n = positive.sum(-1), negative.sum(-1)
    below = np.cumsum(negative, -1)
    auroc = ratio((positive * (below - negative / 2)).sum(-1), p * n)
    # From the highest score down: what has been taken in so far, ties together.
    outranked = p[:, None] - np.cumsum(positive, -1) + positive
    taken = outranked + n[:, None] - below + negative
    precision = np.divide(outranked, taken, out=np.zeros_like(outranked), where=taken > 0)
    ap = ratio((positive * precision).sum(-1), p)
    return auroc, np.where(n > 0, ap, np.nan)
