"""Weighted metrics against scikit-learn's, and patients drawn as patients."""

import numpy as np
import pytest
from sklearn import metrics as sk

from fiqa_jax.evaluation import bootstrap, metrics


def make(seed, n=120, classes=3):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes, n)
    prob = rng.dirichlet(np.ones(classes), n) + 0.8 * np.eye(classes)[truth]
    return truth, prob / prob.sum(-1, keepdims=True)


def test_weights_are_those_of_scikit_learn():
    truth, prob = make(3)
    prob = prob.round(1) + 1e-9  # with ties
    prob /= prob.sum(-1, keepdims=True)
    weight = np.random.default_rng(0).integers(0, 3, (2, len(truth))).astype(float)
    got = bootstrap.weighted_scores(truth, prob, weight, metrics.QUALITY)
    binary = bootstrap.weighted_scores((truth == 2) * 1, prob[:, 2], weight, metrics.DETAIL)
    for d, w in enumerate(weight):
        for k, name in enumerate(metrics.QUALITY):
            args = (truth == k, prob[:, k])
            assert got[f"auroc_{name}"][d] == pytest.approx(
                sk.roc_auc_score(*args, sample_weight=w)
            )
            want = sk.average_precision_score(*args, sample_weight=w)
            assert got[f"ap_{name}"][d] == pytest.approx(want)
        assert got["nll"][d] == pytest.approx(sk.log_loss(truth, prob, sample_weight=w))
        want = sk.brier_score_loss(truth == 2, prob[:, 2], sample_weight=w)
        assert binary["brier"][d] == pytest.approx(want)
        assert binary["auroc"][d] == got["auroc_reject"][d]


@pytest.mark.parametrize("classes", [2, 3])
def test_unit_weights_are_the_metrics_themselves(classes):
    truth, prob = make(4, classes=classes)
    prob = prob[:, 1] if classes == 2 else prob
    names = metrics.DETAIL if classes == 2 else metrics.QUALITY
    got = bootstrap.weighted_scores(truth, prob, np.ones((1, len(truth))), names)
    want = metrics.scores(truth, prob, names).values
    assert set(got) < set(want)
    for name, value in got.items():
        assert value[0] == pytest.approx(want[name], abs=1e-12), name


def test_patients_are_drawn_whole():
    patient = ["a", "b", "b", "c", "c", "c"]
    weights = np.concatenate(list(bootstrap.patient_weights(patient, 3000, seed=0)))
    assert weights.shape == (3000, 6)
    np.testing.assert_array_equal(weights[:, 1], weights[:, 2])
    np.testing.assert_array_equal(weights[:, 3], weights[:, 5])
    # Three patients drawn with replacement: each once on average, variance 3 * 1/3 * 2/3.
    np.testing.assert_array_equal(weights[:, [0, 1, 3]].sum(-1), 3)
    assert weights[:, 0].mean() == pytest.approx(1, abs=0.05)
    assert weights[:, 0].var() == pytest.approx(2 / 3, abs=0.05)


def test_chunks_change_nothing(monkeypatch):
    """The draws do not depend on how many are held at a time."""
    truth, prob = make(1)
    rows = bootstrap.rows_of(truth, [prob], np.arange(120) // 2)
    whole = bootstrap.draws(rows, metrics.QUALITY, 0, 50, 30)[0]
    monkeypatch.setattr(bootstrap, "_CELLS", 240)
    parts = bootstrap.draws(rows, metrics.QUALITY, 0, 50, 30)[0]
    for name, value in whole.items():
        np.testing.assert_allclose(parts[name], value, rtol=1e-12)
