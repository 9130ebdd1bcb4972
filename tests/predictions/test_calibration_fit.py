"""Temperatures and thresholds fitted to a whole prediction file."""

import numpy as np
import pytest
from fifty_outputs import TRUTH, make_outputs

from fiqa_jax.predictions import calibration_fit
from fiqa_jax.predictions.schema import Predictions
from fiqa_jax.predictions.triage import Thresholds


def predicted(outputs, truth):
    n = len(outputs["score"])
    names = np.array([f"p{i}" for i in range(n)])
    return Predictions((), names, names, outputs, truth, ("clarity", "contrast"), (), {})


def test_fit_of_a_prediction_file_gives_temperature_and_band():
    outputs = make_outputs()
    outputs["score"] = np.linspace(0, 1, 50)
    bad = np.r_[np.zeros(30, int), np.ones(20, int)]
    bad[28], bad[32] = 1, 0  # one bad photograph among the good scores and the reverse
    got = calibration_fit.fit(predicted(outputs, TRUTH | {"ungradable": bad}), sensitivity=1.0)
    assert set(got.temperature) == {"quality", "ungradable", "clarity"}
    assert "contrast" not in got.temperature  # no label of it
    assert got.thresholds["accept"] == pytest.approx(28 / 49)
    # 95 % of 30 others kept: 28.5, so 29 of them lie below 32 / 49.
    assert got.thresholds["recapture"] == pytest.approx(30 / 49)
    assert got.band.sensitivity.value == 1
    assert Thresholds.from_dict(got.thresholds).details == {}


def test_fit_takes_reject_as_bad_and_says_when_there_is_none():
    outputs = make_outputs()
    by_grade = calibration_fit.fit(predicted(outputs, {"quality": TRUTH["quality"]}))
    by_flag = calibration_fit.fit(predicted(outputs, {"ungradable": TRUTH["ungradable"]}))
    assert by_grade.thresholds == by_flag.thresholds
    none = calibration_fit.fit(predicted(outputs, {"quality": TRUTH["quality"] % 2}))
    assert none.thresholds == {}
    assert none.band is None
    assert "no band of the score" in none.notes[0]


def test_too_few_examples_fit_nothing():
    outputs = make_outputs()
    few = (np.arange(50) < 9) * 1
    got = calibration_fit.fit(predicted(outputs, {"ungradable": few}))
    assert (got.temperature, got.thresholds) == ({}, {})
    assert "fewer than 10 examples of a kind: ungradable" in got.notes[0]
    enough = (np.arange(50) < 10) * 1
    got = calibration_fit.fit(predicted(outputs, {"ungradable": enough}))
    assert set(got.temperature) == {"ungradable"}
    assert set(got.thresholds) == {"accept", "recapture"}
