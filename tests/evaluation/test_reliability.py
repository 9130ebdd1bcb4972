"""Reliability bins and the error they sum to, by hand."""

import numpy as np
import pytest

from fiqa_jax.evaluation import metrics, reliability


def test_calibration_error_by_hand():
    # Two bins of four: .2 twice (one came true), .9 twice (both true).
    # |.2 - .5| * 1/2 + |.9 - 1| * 1/2 = .2
    got = reliability.expected_error([0.2, 0.2, 0.9, 0.9], [1, 0, 1, 1], bins=4)
    assert got == pytest.approx(0.2)
    count, mean, frequency = reliability.diagram([0.0, 0.25, 0.2500001, 1.0], [0, 1, 1, 1], 4)
    np.testing.assert_array_equal(count, [2, 1, 0, 1])  # bins are open below, closed above
    np.testing.assert_allclose(mean, [0.125, 0.2500001, np.nan, 1.0])
    np.testing.assert_array_equal(frequency, [0.5, 1, np.nan, 1])
    # Several classes: confidence of the predicted class. .6 right, .8 wrong; |.6-1|/2 + .8/2 = .6
    prob = [[0.6, 0.3, 0.1], [0.1, 0.8, 0.1]]
    assert metrics.scores([0, 0], prob, metrics.QUALITY).values["ece"] == pytest.approx(0.6)


def test_a_calibrated_forecaster_has_little_error_and_a_bold_one_much():
    rng = np.random.default_rng(0)
    p = rng.random(50_000)
    came = rng.random(50_000) < p
    assert reliability.expected_error(p, came) < 0.01
    # Everybody told 1 when half come true: |1 - 1/2|.
    assert reliability.expected_error(np.ones(10), np.arange(10) % 2) == 0.5
    assert reliability.expected_error([], []) == 0
