"""A model's limits fitted to a clinic's own labels, and the small file that holds them.

Everything rests on the score and the map as the model gives them, which no calibration changes: a
calibration may be fitted again on predictions that were made with an earlier one.
"""

import dataclasses
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fiqa_jax.evaluation import calibration, conformal, intervals
from fiqa_jax.evaluation.conformal import Guarantee
from fiqa_jax.evaluation.intervals import Interval
from fiqa_jax.maps.cut_fit import MapCut
from fiqa_jax.predictions.triage import Thresholds
from input_pipeline import atomic

SCHEMA, KIND = 1, "fiqa calibration"
FEWEST = 10  # photographs of each kind
FOLDS = 5
DRAWS = 2000  # of the intervals, patients resampled

Floats = NDArray[np.float64]


class CalibrationError(ValueError):
    """Labels that nothing can be fitted to, or a file that is no calibration for this model."""


@dataclasses.dataclass(frozen=True)
class Fit:
    """Limits of the score and what they reach.

    Attributes:
      accept, recapture: accepted below the first, taken again from the second on.
      sensitivity, specificity: what was promised of bad photographs (not accepted) and of the
        others (not taken again); None for the one that a wished retake rate replaces.
      probability: slope and offset of P(bad) from the score's log-odds.
      held_out: on photographs of patients left out of the fit, `FOLDS`-fold: sensitivity,
        specificity, accept, review, recapture (shares).
      p_before, p_after: [N] the score, and P(bad) of patients left out of the fit.
    """

    accept: float
    recapture: float
    sensitivity: Guarantee | None
    specificity: Guarantee | None
    probability: dict[str, float]
    held_out: dict[str, Interval]
    p_before: Floats
    p_after: Floats


def fit(
    bad: NDArray[np.int64],
    score: Floats,
    patient: NDArray[np.str_],
    *,
    sensitivity: float,
    specificity: float,
    retakes: float | None = None,
    judged: Floats | None = None,
    seed: int = 0,
) -> Fit:
    """Limits of the score from labelled photographs.

    Args:
      bad: [N] 0/1; `score`: [N] in [0, 1], higher worse; `patient`: [N].
      sensitivity: share of bad photographs that must not be accepted.
      specificity: share of the others that must not be taken again.
      retakes: share of all photographs that are taken again, in place of `specificity`.
      judged: [M] scores of all judged photographs, for `retakes`.
      seed: of folds and intervals.

    Raises:
      CalibrationError: fewer than FEWEST of a kind, or all of them of one patient.
      ValueError: shares that these labels cannot promise.
    """
    counts = int((bad == 1).sum()), int((bad == 0).sum())
    if min(counts) < FEWEST:
        raise CalibrationError(
            f"labels of {counts[0]} bad and {counts[1]} other photographs; at least {FEWEST} of "
            "each kind are needed. Decide on more of them in the report, best those near the limit"
        )
    limit = None
    if retakes is not None:
        if not 0 < retakes < 1:
            raise CalibrationError(f"a retake rate of {retakes:g}; expected one above 0, below 1")
        everything = np.sort(score if judged is None else judged)
        limit = float(everything[min(round(len(everything) * (1 - retakes)), len(everything) - 1)])
    accept, recapture, low, high = _limits(bad, score, sensitivity, specificity, limit)
    p_after = np.empty(len(score))
    called = np.empty(len(score), "U9")
    for fold in _folds(bad, patient, seed):
        rest = ~fold
        kinds = int((bad[rest] == 1).sum()), int((bad[rest] == 0).sum())
        # A promise that fewer labels cannot make is lowered to what they can, in the check only.
        least, most = (conformal.attainable(n) for n in kinds)
        a, r, _, _ = _limits(
            *(bad[rest], score[rest]), min(sensitivity, least), min(specificity, most), limit
        )
        called[fold] = np.where(score[fold] < a, "accept", "review")
        called[fold] = np.where(score[fold] >= r, "recapture", called[fold])
        platt = calibration.fit_platt(bad[rest], score[rest])
        p_after[fold] = probability(score[fold], platt)
    return Fit(
        accept,
        recapture,
        low,
        None if limit is not None else high,
        calibration.fit_platt(bad, score),
        _shares(bad, called, patient, seed),
        score,
        p_after,
    )


def probability(score: Floats, platt: Mapping[str, float]) -> Floats:
    """P(bad) of scores [N] in [0, 1]; see `calibration.fit_platt`."""
    return calibration.apply({"p_ungradable": score}, {"ungradable": dict(platt)})["p_ungradable"]


def _limits(
    bad: NDArray[np.int64],
    score: Floats,
    sensitivity: float,
    specificity: float,
    limit: float | None,
) -> tuple[float, float, Guarantee, Guarantee | None]:
    """Accept below the first, recapture from the second on; never the first above the second."""
    low = conformal.lower_cut(score[bad == 1], sensitivity)
    if limit is not None:
        return min(low.cut, limit), limit, low, None
    high = conformal.upper_cut(score[bad == 0], specificity)
    a, r = low.cut, high.cut
    if a > r:  # any cut between keeps both promises
        a = r = (a + r) / 2
    return a, r, low, high


def _folds(bad: NDArray[np.int64], patient: NDArray[np.str_], seed: int) -> list[NDArray[np.bool_]]:
    """Masks [N] that divide the photographs by patient; both kinds are left outside of each.

    Raises:
      CalibrationError: all photographs of a kind are of one patient.
    """
    people, place = np.unique(patient, return_inverse=True)
    has = np.array([np.bincount(place[bad == kind], minlength=len(people)) > 0 for kind in (0, 1)])
    for kind, name in enumerate(("other", "bad")):
        if has[kind].sum() < 2:
            whose = str(people[has[kind]][0])
            raise CalibrationError(
                f"all {name} photographs are of one patient, {whose!r}: what limits do to other "
                "patients cannot be told. Label more patients, or say in a column 'patient' whose "
                "they are"
            )
    # In this order those with a kind are neighbours, and neighbours go to different folds.
    kind_of = has[0].astype(np.int64) - has[1]  # bad alone, both, other alone
    order = np.lexsort((np.random.default_rng(seed).random(len(people)), kind_of))
    fold = np.empty(len(people), np.int64)
    fold[order] = np.arange(len(people)) % FOLDS
    return [fold[place] == k for k in range(FOLDS) if (fold[place] == k).any()]


def _shares(
    bad: NDArray[np.int64], called: NDArray[np.str_], patient: NDArray[np.str_], seed: int
) -> dict[str, Interval]:
    """What the folds' limits did to photographs they had not seen."""

    def share(hit: NDArray[np.bool_], among: NDArray[np.bool_]) -> Interval:
        return intervals.mean_interval(
            np.where(among, hit.astype(np.float64), np.nan), patient, seed=seed, draws=DRAWS
        )

    every = np.ones(len(bad), bool)
    return {
        "sensitivity": share(called != "accept", bad == 1),
        "specificity": share(called != "recapture", bad == 0),
        **{name: share(called == name, every) for name in ("accept", "review", "recapture")},
    }


def write(
    file: Path, model: str, got: Fit | None, made_from: Mapping[str, Any], cut: MapCut | None = None
) -> None:
    """Writes the file that `fiqa predict --calibration` takes.

    Args:
      file: JSON to write.
      model: name@digest of the model that gave the scores.
      got: limits of the score, of `fit`; None leaves the model's own.
      made_from: what the labels were, for whoever reads the file.
      cut: of the map; None leaves the model's own.
    """
    content: dict[str, Any] = {"schema": SCHEMA, "kind": KIND, "model": model, "thresholds": {}}
    if got:
        promised = {"sensitivity": got.sensitivity, "specificity": got.specificity}
        content["thresholds"] |= {"accept": got.accept, "recapture": got.recapture}
        content["probability"] = got.probability
        content["promised"] = {k: dataclasses.asdict(v) for k, v in promised.items() if v}
        content["held_out"] = {k: _ends(v) for k, v in got.held_out.items()}
    if cut:
        content["thresholds"]["map"] = cut.cut
        content["map"] = dataclasses.asdict(cut) | {"dice": _ends(cut.dice)}
    content["made_from"] = dict(made_from)
    atomic.write(file, (json.dumps(content, indent=1) + "\n").encode())


def _ends(interval: Interval) -> dict[str, float | None]:
    """JSON has no NaN."""
    ends = {"value": interval.value, "low": interval.low, "high": interval.high}
    return {k: v if np.isfinite(v) else None for k, v in ends.items()}


@dataclasses.dataclass(frozen=True)
class OwnCalibration:
    """What a file that `write` wrote holds for a predictor; None and {} where it holds nothing."""

    model: str  # name@digest
    accept: float | None  # below this score
    recapture: float | None  # from this score on
    map: float | None  # a cell is bad from here on
    probability: dict[str, float]  # slope, offset
    digest: str  # of the file, 6 hexadecimal digits

    def applied(self, thresholds: Thresholds) -> Thresholds:
        """A model's thresholds with what was fitted in their place."""
        given = {"accept": self.accept, "recapture": self.recapture, "map": self.map}
        fitted: dict[str, Any] = {k: v for k, v in given.items() if v is not None}
        return dataclasses.replace(thresholds, **fitted)


def read(file: str | os.PathLike[str]) -> OwnCalibration:
    """Reads a calibration.

    Raises:
      CalibrationError: no such file, or none that `fiqa calibrate` wrote.
    """
    try:
        data = Path(file).read_bytes()
        content = json.loads(data)
        if (content["kind"], content["schema"]) != (KIND, SCHEMA):
            raise ValueError(f"kind {content['kind']!r}, schema {content['schema']!r}")
        limits = {str(k): float(v) for k, v in content["thresholds"].items()}
        by_score = {} if set(limits) == {"map"} else {k: limits[k] for k in ("accept", "recapture")}
        if by_score:
            slope, offset = (float(content["probability"][k]) for k in ("slope", "offset"))
            if not np.isfinite([*by_score.values(), slope, offset]).all() or (
                by_score["accept"] > by_score["recapture"]
            ):
                told = ", ".join(f"{v:g}" for v in by_score.values())
                raise ValueError(f"thresholds {told}, probability {slope}, {offset}")
        cut = limits.get("map")
        if cut is not None and not 0 < cut < 1:
            raise ValueError(f"a threshold of the map of {cut}")
        return OwnCalibration(
            str(content["model"]),
            by_score.get("accept"),
            by_score.get("recapture"),
            cut,
            {"slope": slope, "offset": offset} if by_score else {},
            hashlib.sha256(data).hexdigest()[:6],
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CalibrationError(
            f"{os.fspath(file)} is no calibration of `fiqa calibrate` ({error}); make it again"
        ) from None
