"""Metrics of one prediction file: whole split, float64, on the host; never averaged over batches.

Everything that follows from a confusion matrix is computed by `count_scores`, which also takes a
stack of matrices: the bootstrap of `intervals` calls it on thousands of resampled matrices,
so a value and its interval cannot come from two definitions. Rank and probability metrics are
scikit-learn's. A metric that the data cannot define (one class only) is NaN, with a note.

Definitions used throughout:
  macro: unweighted mean over the classes that occur in truth or prediction (as scikit-learn).
  AUROC, AP of more than two classes: unweighted mean of one class against the rest; `auroc_ovo`:
    of one class against another, over all pairs in both directions (Hand and Till 2001).
  Brier: sum over classes of (p - y)^2 for several classes (0..2), (p - y)^2 for two (0..1).
  ECE: 15 equal-width bins, see `fiqa_jax.evaluation.reliability`.
  NLL: natural logarithm, probabilities clipped at float64's epsilon.
"""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fiqa_jax.evaluation import ranking, reliability
from fiqa_jax.evaluation.decisions import predicted_class
from fiqa_jax.evaluation.reliability import ratio
from input_pipeline.tables.examples import GRADABLE, QUALITY

DETAIL = ("good", "defect")

Floats = NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Scores:
    """Metrics of one head over one set of examples."""

    values: dict[str, float]  # NaN where the data cannot define the metric
    n: int  # examples with a label
    absent: int  # examples left out because their label is absent (-1)
    confusion: NDArray[np.int64]  # [C, C], rows truth, columns prediction
    names: tuple[str, ...]  # class names in the order of the matrix
    notes: tuple[str, ...]  # what was undefined or left out, and why


def _mean(values: Floats) -> Floats:
    """Mean over the last axis of what is not NaN; NaN where nothing is left."""
    return ratio(np.nansum(values, -1), np.isfinite(values).sum(-1))


def count_scores(confusion: ArrayLike, names: Sequence[str]) -> dict[str, Floats]:
    """Every metric that follows from a confusion matrix, for one matrix or a stack of them.

    Kappa is Cohen's, `quadratic_kappa` weights a confusion by the squared distance of the classes
    (only for three or more, which must be ordered), `mcc` is Gorodkin's (2004, equation 8). With
    two classes the second is the positive one of sensitivity, specificity and precision.

    Args:
      confusion: [..., C, C] counts, rows truth, columns prediction.
      names: C class names; per-class F1 is called `f1_<name>`.

    Returns:
      Name to float64 [...]; NaN where 0 / 0.
    """
    m = np.asarray(confusion, np.float64)
    hit = np.diagonal(m, axis1=-2, axis2=-1)
    truth, predicted, total = m.sum(-1), m.sum(-2), m.sum((-2, -1))
    f1 = ratio(2 * hit, truth + predicted)
    recall = ratio(hit, truth)
    chance = (truth * predicted).sum(-1)
    spread = np.sqrt((total**2 - (truth**2).sum(-1)) * (total**2 - (predicted**2).sum(-1)))
    out = {
        "accuracy": ratio(hit.sum(-1), total),
        "balanced_accuracy": _mean(recall),
        "macro_f1": _mean(f1),
        "weighted_f1": ratio(np.nansum(truth * f1, -1), total),
        "kappa": ratio(total * hit.sum(-1) - chance, total**2 - chance),
        "mcc": ratio(total * hit.sum(-1) - chance, spread),
    }
    if len(names) > 2:
        rank = np.arange(len(names), dtype=np.float64)
        cost = (rank[:, None] - rank[None, :]) ** 2
        expected = (cost * truth[..., :, None] * predicted[..., None, :]).sum((-2, -1))
        out["quadratic_kappa"] = 1 - ratio(total * (cost * m).sum((-2, -1)), expected)
    else:
        out["sensitivity"] = recall[..., 1]
        out["specificity"] = recall[..., 0]
        out["precision"] = ratio(hit[..., 1], predicted[..., 1])
        # The area under the ROC curve of hard predictions, which some papers print (MKCNet's).
        out["auroc_hard"] = recall.mean(-1)
    out.update({f"f1_{name}": f1[..., k] for k, name in enumerate(names)})
    return out


def scores(truth: ArrayLike, prob: ArrayLike, names: Sequence[str]) -> Scores:
    """All metrics of one head.

    Args:
      truth: [N] int class indices; negative = absent, left out and counted.
      prob: [N, C] float, rows sum to 1, predicted class = largest; or [N] float, the probability
        of the second of two classes, predicted from 0.5 on.
      names: the C (or two) class names.

    Returns:
      Scores. Values: those of `count_scores`, `auroc`, `ap` (macro one-vs-rest for more than two
      classes, with `auroc_<name>`, `ap_<name>` and `auroc_ovo` beside), `nll`, `brier`, `ece`.

    Raises:
      ValueError: shapes that do not fit, a label outside the classes, a non-finite probability.
    """
    y, p = np.asarray(truth, np.int64), np.asarray(prob, np.float64)
    classes = len(names)
    if p.shape != ((len(y),) if p.ndim == 1 else (len(y), classes)) or (p.ndim == 1) != (
        classes == 2
    ):
        raise ValueError(
            f"{len(y)} labels of classes {tuple(names)} need probabilities "
            f"[{len(y)}, {classes}] (or [{len(y)}] for two classes); seen {p.shape}"
        )
    here = y >= 0
    absent = int((~here).sum())
    y, p = y[here], p[here]
    if (y >= classes).any():
        raise ValueError(f"label {int(y.max())} is outside the {classes} classes {tuple(names)}")
    wrong = ~((p >= 0) & (p <= 1 + 1e-6))
    if wrong.any():
        raise ValueError(f"{int(wrong.sum())} of {p.size} probabilities are outside 0..1 or NaN")
    if p.ndim == 2:
        off = np.abs(p.sum(-1) - 1)
        if (off > 1e-3).any():
            raise ValueError(
                f"{int((off > 1e-3).sum())} of {len(p)} rows do not sum to 1 (off by up to "
                f"{off.max():.3f}); expected a distribution over {tuple(names)}: normalise first"
            )
    guess = predicted_class(p)
    confusion = confusion_matrix(y, guess, classes)
    values = {k: float(v) for k, v in count_scores(confusion, names).items()}
    values |= _ranked(y, p, names) | _probabilistic(y, p, classes)
    counts = np.bincount(y, minlength=classes)
    missing = [name for name, count in zip(names, counts, strict=True) if not count]
    notes = [f"{absent} without a label left out"] if absent else []
    if missing:
        notes.append(f"no example of {', '.join(missing)} among {len(y)}")
    undefined = sorted(k for k, v in values.items() if np.isnan(v))
    if undefined:
        notes.append(f"undefined (NaN): {', '.join(undefined)}")
    return Scores(values, len(y), absent, confusion, tuple(names), tuple(notes))


def confusion_matrix(truth: ArrayLike, predicted: ArrayLike, classes: int) -> NDArray[np.int64]:
    """[C, C] int64 counts, rows truth, columns prediction, of two [N] int arrays in 0..C-1."""
    pair = np.asarray(truth, np.int64) * classes + np.asarray(predicted, np.int64)
    return np.bincount(pair, minlength=classes * classes).reshape(classes, classes)


def _ranked(y: NDArray[np.int64], p: Floats, names: Sequence[str]) -> dict[str, float]:
    def both(hit: NDArray[np.bool_], score: Floats) -> tuple[float, float]:
        return ranking.auroc(hit, score), ranking.average_precision(hit, score)

    if p.ndim == 1:
        auroc, ap = both(y == 1, p)
        return {"auroc": auroc, "ap": ap}
    each = [both(y == k, p[:, k]) for k in range(len(names))]
    # NaN as soon as one class is undefined: a mean over other classes is another metric.
    out = {
        "auroc": float(np.mean([a for a, _ in each])),
        "ap": float(np.mean([b for _, b in each])),
    }
    for name, (auroc, ap) in zip(names, each, strict=True):
        out |= {f"auroc_{name}": auroc, f"ap_{name}": ap}
    pairs = [
        ranking.auroc(y[(y == i) | (y == j)] == i, p[(y == i) | (y == j), i])
        for i, j in itertools.permutations(range(len(names)), 2)
    ]
    return out | {"auroc_ovo": float(np.mean(pairs))}


def _probabilistic(y: NDArray[np.int64], p: Floats, classes: int) -> dict[str, float]:
    from sklearn.metrics import log_loss

    if not len(y):
        return dict.fromkeys(("nll", "brier", "ece"), float("nan"))
    full = p if p.ndim == 2 else np.stack([1 - p, p], -1)
    full = full / full.sum(-1, keepdims=True)  # sums of float32 outputs are off by 1e-7
    error = ((full - np.eye(classes)[y]) ** 2).sum(-1)
    return {
        "nll": float(log_loss(y, full, labels=list(range(classes)))),
        "brier": float(error.mean() / (2 if classes == 2 else 1)),
        "ece": reliability.expected_error(*reliability.confidences(y, p)),
    }


@dataclasses.dataclass(frozen=True)
class Head:
    """Labels and probabilities of one head, ready for `scores`."""

    truth: NDArray[np.int64]  # [N], -1 absent
    prob: Floats  # [N, C], or [N] probability of the second of two classes
    names: tuple[str, ...]


def second_of_two(prob: Floats) -> Floats:
    """Probabilities as `scores` takes them: of two classes `[N, 2]` the second's `[N]`."""
    return prob[:, 1] if prob.ndim == 2 and prob.shape[-1] == 2 else prob


def heads(
    truth: Mapping[str, ArrayLike],
    outputs: Mapping[str, ArrayLike],
    details: Sequence[str] = (),
    diagnosis: Sequence[str] = (),
) -> dict[str, Head]:
    """Every head that has both an output and at least one label.

    Args:
      truth: any of 'quality' [N], 'ungradable' [N], 'details' [N, K], 'diagnosis' [N]; int,
        negative = absent.
      outputs: any of 'p_quality' [N, 3], 'p_ungradable' [N], 'p_details' [N, K],
        'p_diagnosis' [N, T].
      details: K names; `diagnosis`: T names.

    Returns:
      'quality', 'ungradable', each detail's name and 'diagnosis', as far as they exist.
    """
    out: dict[str, Head] = {}
    known = {"quality": QUALITY, "ungradable": GRADABLE, "diagnosis": tuple(diagnosis)}
    for head, names in known.items():
        if head in truth and f"p_{head}" in outputs:
            prob = second_of_two(np.asarray(outputs[f"p_{head}"], np.float64))
            out[head] = Head(np.asarray(truth[head], np.int64), prob, names)
    if "details" in truth and "p_details" in outputs:
        labels = np.asarray(truth["details"], np.int64)
        prob = np.asarray(outputs["p_details"], np.float64)
        for k, name in enumerate(details):
            out[name] = Head(labels[:, k], prob[:, k], DETAIL)
    order = ("quality", "ungradable", *details, "diagnosis")
    return {name: out[name] for name in order if name in out and (out[name].truth >= 0).any()}


def head_scores(
    truth: Mapping[str, ArrayLike],
    outputs: Mapping[str, ArrayLike],
    details: Sequence[str] = (),
    diagnosis: Sequence[str] = (),
) -> dict[str, Scores]:
    """`scores` of every head of `heads` (same arguments), by its name."""
    known = heads(truth, outputs, details, diagnosis)
    return {name: scores(head.truth, head.prob, head.names) for name, head in known.items()}


def summary(scores_of: Mapping[str, Scores], details: Sequence[str] = ()) -> dict[str, float]:
    """Flat metrics of all heads, as metrics.jsonl and `config.train.select` name them.

    Args:
      scores_of: result of `head_scores`.
      details: names of the details among the heads; their mean is added as `details_<metric>`.

    Returns:
      `<head>_<metric>` and `<head>_n` to float, e.g. `quality_macro_f1`, `clarity_f1_defect`,
      `details_macro_f1`.
    """
    flat: dict[str, float] = {}
    for head, scored in scores_of.items():
        flat |= {f"{head}_{name}": value for name, value in scored.values.items()}
        flat[f"{head}_n"] = float(scored.n)
    present = [scores_of[name].values for name in details if name in scores_of]
    if present:
        for metric in present[0]:
            flat[f"details_{metric}"] = float(np.mean([values[metric] for values in present]))
    return flat
