"""Calibration recovers known distortions; the prior's correction gives published figures."""

import mcfnet
import numpy as np
import pytest
from fifty_outputs import TRUTH, make_outputs
from sklearn.linear_model import LogisticRegression

from fiqa_jax.evaluation import calibration, metrics


def softmax(z):
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def sharp(n=40_000, factor=2.5, seed=0):
    """Labels drawn from known probabilities, and the same with logits multiplied by `factor`."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(n, 3))
    true = softmax(logits)
    label = (rng.random((n, 1)) > np.cumsum(true, -1)).sum(-1)
    return label, true, softmax(factor * logits)


def test_temperature_is_recovered():
    label, true, prob = sharp()
    fitted = calibration.fit_temperature(label, prob)
    assert fitted["temperature"] == pytest.approx(2.5, rel=0.03)
    fixed = calibration.apply({"p_quality": prob}, {"quality": fitted})["p_quality"]
    np.testing.assert_allclose(fixed, true, atol=0.01)
    before, after = (metrics.scores(label, p, metrics.QUALITY).values for p in (prob, fixed))
    assert after["nll"] < before["nll"]
    assert after["ece"] < 0.02 < before["ece"]
    assert after["accuracy"] == before["accuracy"]


def test_temperature_is_the_stationary_point():
    """By hand: the mean of E[log p] under the scaled model minus log p of the truth is zero."""
    label, _, prob = sharp(500)
    t = calibration.fit_temperature(label, prob)["temperature"]
    log_p = np.log(prob)
    slope = (softmax(log_p / t) * log_p).sum(-1) - log_p[np.arange(500), label]
    assert slope.mean() == pytest.approx(0, abs=1e-4)


def test_platt_is_logistic_regression_on_the_logit():
    rng = np.random.default_rng(1)
    z = rng.normal(size=20_000)
    label = (rng.random(20_000) < sigmoid(0.5 * z - 1)).astype(int)
    fitted = calibration.fit_platt(label, sigmoid(z))
    reference = LogisticRegression(C=np.inf, tol=1e-8).fit(z[:, None], label)
    # Platt's targets differ from 0 and 1 by about 1e-4 here.
    assert fitted["slope"] == pytest.approx(reference.coef_[0, 0], abs=2e-3)
    assert fitted["offset"] == pytest.approx(reference.intercept_[0], abs=2e-3)


def test_platt_stays_finite_where_classes_part_and_never_turns_the_order():
    fitted = calibration.fit_platt([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9])
    assert 0.01 < fitted["slope"] < 50
    upside_down = calibration.fit_platt([1, 1, 0, 0], [0.1, 0.2, 0.8, 0.9])
    assert upside_down["slope"] == pytest.approx(0.01)


def test_nothing_to_fit_is_the_identity():
    assert calibration.fit_temperature([-1, -1], np.full((2, 3), 1 / 3)) == {"temperature": 1.0}
    assert calibration.fit_platt([1, 1, -1], [0.2, 0.3, 0.4]) == {"slope": 1.0, "offset": 0.0}


def test_fit_covers_the_heads_that_have_labels():
    fitted = calibration.fit_heads(TRUTH, make_outputs(), ("clarity", "contrast"))
    assert set(fitted) == {"quality", "ungradable", "clarity", "contrast"}
    assert fitted["contrast"] == {"slope": 1.0, "offset": 0.0}
    out = calibration.apply(make_outputs(), fitted, ("clarity", "contrast"))
    np.testing.assert_allclose(out["p_details"][:, 1], make_outputs()["p_details"][:, 1], rtol=1e-6)
    np.testing.assert_array_equal(out["score"], make_outputs()["score"])
    np.testing.assert_allclose(out["p_quality"].sum(-1), 1)


def test_ungradable_that_is_p_reject_follows_the_grade():
    outputs = make_outputs()
    outputs["p_ungradable"] = outputs["p_quality"][:, 2]
    fitted = calibration.fit_heads(TRUTH, outputs)
    assert set(fitted) == {"quality"}
    out = calibration.apply(outputs, fitted)
    np.testing.assert_array_equal(out["p_ungradable"], out["p_quality"][:, 2])


def test_a_photograph_is_calibrated_alike_in_any_company():
    """A head of its own that once agrees with the grade stays a head of its own."""
    fitted = {"quality": {"temperature": 2.0}, "ungradable": {"slope": 0.2, "offset": -1.0}}
    outputs = {
        "p_quality": np.array([[1e-7, 1e-7, 1 - 2e-7], [0.2, 0.3, 0.5]]),
        "p_ungradable": np.array([1 - 1e-7, 0.1]),
    }
    both = calibration.apply(outputs, fitted)["p_ungradable"]
    alone = calibration.apply({k: v[:1] for k, v in outputs.items()}, fitted)["p_ungradable"]
    assert both[0] == alone[0] == pytest.approx(1 / (1 + np.exp(1 - 0.2 * np.log(1e7 - 1))))
    unfitted = calibration.apply(outputs, {"quality": {"temperature": 2.0}})
    assert unfitted["p_ungradable"].tolist() == [unfitted["p_quality"][0, 2], 0.1]


def test_composition_equals_one_after_the_other():
    names = ("clarity", "contrast")
    old = {"quality": {"temperature": 2.0}, "clarity": {"slope": 0.5, "offset": 1.0}}
    new = {
        "quality": {"temperature": 0.7},
        "clarity": {"slope": 2.0, "offset": -0.3},
        "ungradable": {"slope": 1.5, "offset": 0.1},
    }
    twice = calibration.apply(calibration.apply(make_outputs(), old, names), new, names)
    once = calibration.apply(make_outputs(), calibration.compose(old, new), names)
    for key, value in once.items():
        np.testing.assert_allclose(value, twice[key], rtol=1e-9)


def test_extreme_probabilities_stay_finite():
    prob = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    out = calibration.apply(
        {"p_quality": prob, "p_ungradable": np.array([0.0, 1.0])},
        {"quality": {"temperature": 0.05}, "ungradable": {"slope": 3.0, "offset": 0.0}},
    )
    assert all(np.isfinite(value).all() for value in out.values())


def test_prior_correction_by_hand():
    # (.6, .3, .1) / (.5, .25, .25) = (1.2, 1.2, .4) -> (3/7, 3/7, 1/7)
    got = calibration.prior_correction([[0.6, 0.3, 0.1]], [50, 25, 25], 1.0)
    np.testing.assert_allclose(got, [[3 / 7, 3 / 7, 1 / 7]])
    same = calibration.prior_correction([[0.6, 0.3, 0.1]], [50, 25, 25], 0.0)
    np.testing.assert_allclose(same, [[0.6, 0.3, 0.1]])
    with pytest.raises(ValueError, match="class shares above 0"):
        calibration.prior_correction([[0.6, 0.3, 0.1]], [50, 0, 50], 1.0)


def test_normalise_names_the_row():
    with pytest.raises(ValueError, match=r"1 of 2 rows.*row 1"):
        calibration.normalise([[0.2, 0.2, 0.4], [0, 0, 0]])


@pytest.mark.parametrize(
    ("tau", "macro_f1", "accuracy"),
    [(0.0, 0.8606, 0.8800), (0.5, 0.8642, 0.8825), (1.0, 0.8651, 0.8827)],
)
def test_prior_correction_of_mcfnet(shared_data, tau, macro_f1, accuracy):
    """The table of the spec's section 4.3."""
    found = mcfnet.load(shared_data)
    prob = calibration.prior_correction(found.raw, found.train, tau)
    got = metrics.scores(found.truth, prob, metrics.QUALITY).values
    assert (round(got["macro_f1"], 4), round(got["accuracy"], 4)) == (macro_f1, accuracy)


def test_aligned_probabilities_have_the_share_and_keep_their_order():
    rng = np.random.default_rng(0)
    p = rng.random((500, 2))
    out = calibration.aligned(p, [0.1, 0.6])
    np.testing.assert_allclose(out.mean(0), [0.1, 0.6], atol=1e-9)
    np.testing.assert_array_equal(np.argsort(out, 0), np.argsort(p, 0))
    # One shift of the logit for all, known exactly where the share is that of shifted ones.
    z = rng.normal(size=(400, 1))
    moved = 1 / (1 + np.exp(-(z - 1.3)))
    back = calibration.aligned(1 / (1 + np.exp(-z)), [float(moved.mean())])
    np.testing.assert_allclose(back, moved, atol=1e-9)


def test_aligned_takes_certainty_and_refuses_no_share():
    out = calibration.aligned([[0.0], [1.0], [0.5]], [0.5])
    np.testing.assert_allclose(out[:, 0], [0.0, 1.0, 0.5], atol=1e-9)
    with pytest.raises(ValueError, match=r"shares of 2 labels must lie between 0 and 1, given"):
        calibration.aligned(np.full((3, 2), 0.5), [0.0, 0.4])
