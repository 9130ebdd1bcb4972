"""A model's calibration and thresholds, fitted to labelled predictions."""

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fiqa_jax.evaluation import calibration, metrics, operating_points
from fiqa_jax.evaluation.calibration import Fitted
from fiqa_jax.evaluation.operating_points import Band
from fiqa_jax.predictions.schema import Predictions

SENSITIVITY = SPECIFICITY = 0.95  # of the band, where nothing else is asked for
FEWEST = 10  # examples of a kind; from fewer nothing is fitted, for it would fit chance


@dataclasses.dataclass(frozen=True)
class Calibration:
    """What a model's config.json takes over: `temperature` and `thresholds`."""

    temperature: dict[str, Fitted]
    thresholds: dict[str, Any]  # see triage.Thresholds
    band: Band | None  # what the thresholds were seen to do
    notes: tuple[str, ...]  # what could not be fitted, and why


def fit(
    predictions: Predictions,
    *,
    sensitivity: float = SENSITIVITY,
    specificity: float = SPECIFICITY,
    seed: int = 0,
) -> Calibration:
    """Calibration of every head and the band of the score, from labelled predictions.

    A photograph is bad where it is ungradable, or graded reject. A head with fewer than FEWEST
    labelled examples of two of its classes stays as it is, and so does the decision by grade with
    fewer bad photographs or others than that.

    Args:
      predictions: predictions with true labels, best of a validation split.
      sensitivity: share of bad photographs that must not be accepted.
      specificity: share of the others that must not be taken again.
      seed: of the intervals.
    """
    notes = []
    fitted = calibration.fit_heads(predictions.truth, predictions.outputs, predictions.details)
    heads = metrics.heads(
        predictions.truth, predictions.outputs, predictions.details, predictions.diagnosis
    )
    few = [name for name in fitted if name not in heads or not _enough(heads[name].truth)]
    if few:
        notes.append(f"not calibrated, fewer than {FEWEST} examples of a kind: {', '.join(few)}")
    bad = bad_of(predictions)
    chosen: Band | None = None
    if "score" in predictions.outputs and _enough(bad):
        chosen = operating_points.band(
            bad,
            predictions.outputs["score"],
            predictions.patient,
            sensitivity=sensitivity,
            specificity=specificity,
            seed=seed,
        )
    else:
        notes.append(f"no band of the score: it needs {FEWEST} photographs known bad, and others")
    temperature = {name: values for name, values in fitted.items() if name not in few}
    cuts = {"accept": chosen.accept, "recapture": chosen.recapture} if chosen else {}
    return Calibration(temperature, cuts, chosen, tuple(notes))


def bad_of(predictions: Predictions) -> NDArray[np.int64]:
    """Whether each photograph is labelled ungradable, or graded reject: [N] 1, 0, -1 = absent."""
    bad = predictions.truth.get("ungradable", np.full(len(predictions.id), -1))
    if not (bad >= 0).any() and "quality" in predictions.truth:
        grade = predictions.truth["quality"]
        bad = np.where(grade < 0, -1, grade == 2)
    return bad


def _enough(truth: NDArray[np.int64]) -> bool:
    """Whether two classes have FEWEST labelled examples each."""
    return bool((np.bincount(truth[truth >= 0], minlength=2) >= FEWEST).sum() > 1)
