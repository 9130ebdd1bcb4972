"""Thresholds on scores whose best cut-off can be read off by eye."""

import math

import numpy as np
import pytest

from fiqa_jax.evaluation import operating_points

# Ten good photographs at 0.0 ... 0.9, ten bad at 0.5 ... 1.4 (steps of 0.1).
SCORE = np.concatenate([np.arange(10), np.arange(5, 15)]) / 10
BAD = np.repeat([0, 1], 10)


def point(bad=BAD, score=SCORE, patient=None, **target):
    who = np.arange(len(bad)) if patient is None else patient
    return operating_points.operating_point(bad, score, who, seed=0, draws=400, **target)


@pytest.mark.parametrize(
    ("target", "threshold", "sensitivity", "specificity"),
    [
        ({"sensitivity": 1.0}, 0.5, 1.0, 0.5),
        ({"sensitivity": 0.9}, 0.6, 0.9, 0.6),
        ({"sensitivity": 0.85}, 0.6, 0.9, 0.6),
        ({"specificity": 1.0}, 1.0, 0.5, 1.0),
        ({"specificity": 0.8}, 0.8, 0.7, 0.8),
        ({"specificity": 0.75}, 0.8, 0.7, 0.8),
    ],
)
def test_threshold_at_a_target(target, threshold, sensitivity, specificity):
    got = point(**target)
    assert got.threshold.value == pytest.approx(threshold)
    assert got.sensitivity.value == pytest.approx(sensitivity)
    assert got.specificity.value == pytest.approx(specificity)
    assert got.threshold.low <= threshold <= got.threshold.high
    assert got.sensitivity.low <= sensitivity <= got.sensitivity.high


def test_ties_go_together():
    got = point(np.array([0, 1, 0, 1]), np.array([0.2, 0.2, 0.1, 0.9]), sensitivity=1.0)
    assert got.threshold.value == 0.2
    assert got.specificity.value == 0.5
    # All alike: nobody can be called bad without everybody.
    got = point(np.array([0, 1]), np.array([0.3, 0.3]), specificity=1.0)
    assert got.threshold.value > 0.3
    assert got.sensitivity.value == 0


def test_patients_are_drawn_together():
    """Every photograph ten times over under one patient: the interval is not ten times sharper."""
    many = point(np.tile(BAD, 10), np.tile(SCORE, 10), np.tile(np.arange(20), 10), sensitivity=0.9)
    one = point(sensitivity=0.9)
    width = one.sensitivity.high - one.sensitivity.low
    assert many.sensitivity.high - many.sensitivity.low == pytest.approx(width, abs=0.05)
    assert many.threshold.units == 20


def test_absent_labels_are_left_out():
    bad = np.where(np.arange(20) % 2, BAD, -1)
    keep = bad >= 0
    assert point(bad, SCORE, sensitivity=0.9) == point(
        bad[keep], SCORE[keep], np.arange(20)[keep], sensitivity=0.9
    )


@pytest.mark.parametrize(
    ("bad", "target", "match"),
    [
        (BAD, {}, "one target"),
        (BAD, {"sensitivity": 0.9, "specificity": 0.9}, "one target"),
        (BAD, {"sensitivity": 1.2}, "one target"),
        (BAD * 0, {"sensitivity": 0.9}, "0 bad and 20 others"),
    ],
)
def test_what_cannot_be_chosen_is_refused(bad, target, match):
    with pytest.raises(ValueError, match=match):
        point(bad, **target)


def test_band():
    got = operating_points.band(BAD, SCORE, np.arange(20), sensitivity=0.9, specificity=0.9, seed=0)
    assert (got.accept, got.recapture) == pytest.approx((0.6, 0.9))
    assert got.sensitivity.value == pytest.approx(0.9)
    assert got.specificity.value == pytest.approx(0.9)
    # Below .6: six good, one bad. From .9 on: one good, six bad.
    assert got.shares == pytest.approx({"accept": 7 / 20, "review": 6 / 20, "recapture": 7 / 20})


def test_band_of_a_perfect_score_is_empty_and_in_the_middle():
    score = np.array([0.1, 0.2, 0.7, 0.8])
    got = operating_points.band(
        [0, 0, 1, 1], score, range(4), sensitivity=1.0, specificity=1.0, seed=0
    )
    assert got.accept == got.recapture
    assert 0.2 < got.accept <= 0.7
    assert got.shares["review"] == 0
    assert not math.isnan(got.sensitivity.value)
