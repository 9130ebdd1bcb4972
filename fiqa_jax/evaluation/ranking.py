"""How well a score ranks one class above another: the areas that every table and map is given."""

import numpy as np
from numpy.typing import ArrayLike


def auroc(positive: ArrayLike, score: ArrayLike) -> float:
    """Area under the ROC curve; ties count half.

    Args:
      positive: `[N]` bool or 0/1; `score`: `[N] float`, higher for the positive ones.

    Returns:
      float64 in [0, 1]; NaN where one of the two classes is missing.
    """
    from sklearn.metrics import roc_auc_score

    hit, value = _arrays(positive, score)
    return float(roc_auc_score(hit, value)) if _both(hit) else float("nan")


def average_precision(positive: ArrayLike, score: ArrayLike) -> float:
    """Area under precision over recall, without interpolation; arguments and NaN as `auroc`."""
    from sklearn.metrics import average_precision_score

    hit, value = _arrays(positive, score)
    return float(average_precision_score(hit, value)) if _both(hit) else float("nan")


def _arrays(positive: ArrayLike, score: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    return np.asarray(positive, bool), np.asarray(score)


def _both(hit: np.ndarray) -> bool:
    return bool(hit.any() and not hit.all())
