"""Thresholds and pooling: exact cuts, held-out folds unseen, weights where they help."""

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score

from fiqa_jax.maps import pooling


def test_threshold_is_the_best_of_all():
    rng = np.random.default_rng(0)
    for _ in range(5):
        score = np.round(rng.random(30), 1)
        bad = (rng.random(30) < 0.2 + 0.6 * score).astype(int)
        bad[:2] = 0, 1
        cut = pooling.threshold(score, bad)
        reached = balanced_accuracy_score(bad, score >= cut)
        every = [balanced_accuracy_score(bad, score >= c) for c in np.linspace(-0.05, 1.05, 23)]
        assert reached == pytest.approx(max(every))


def test_a_perfect_score_has_its_cut_between():
    assert pooling.threshold([0.1, 0.2, 0.6, 0.9], [0, 0, 1, 1]) == pytest.approx(0.4)


def test_one_kind_is_not_enough():
    with pytest.raises(ValueError, match="good \\(0\\) and bad \\(1\\)"):
        pooling.threshold([0.1, 0.2], [1, 1])
    with pytest.raises(ValueError, match="5 folds need as many"):
        pooling.by_threshold(np.arange(6), [0, 0, 0, 0, 0, 1], seed=0)


def test_the_held_out_fold_is_not_seen():
    """Labels without any relation to the score reach one half, not more."""
    rng = np.random.default_rng(0)
    score, bad = rng.random(2000), rng.integers(0, 2, 2000)
    margin = pooling.by_threshold(score, bad, seed=0)
    assert balanced_accuracy_score(bad, margin >= 0) == pytest.approx(0.5, abs=0.05)
    seen: list[set] = []

    def decide(train):
        seen.append(set(train.tolist()))
        return lambda rows: rows.astype(float)

    got = pooling.out_of_fold(bad, decide, seed=0)
    np.testing.assert_array_equal(got, np.arange(2000))
    assert all(len(s) == 1600 for s in seen)


def maps(n, seed):
    """Bad photographs are bad in the middle; noise elsewhere is louder than that."""
    rng = np.random.default_rng(seed)
    bad = np.arange(n) % 2
    q = rng.random((n, 4, 4)).astype(np.float32)
    q[:, 1:3, 1:3] = 0.2 * q[:, 1:3, 1:3] + 0.5 * bad[:, None, None]
    return q, bad


def test_pooling_learns_where_to_look():
    q, bad = maps(200, 0)
    found = pooling.fit(q, bad, seed=0, steps=4000, rate=3e-3)
    middle = found.weight[1:3, 1:3].mean()
    assert middle > 5 * abs(np.delete(found.weight.ravel(), [5, 6, 9, 10])).mean()
    other, truth = maps(200, 1)
    assert balanced_accuracy_score(truth, found.score(other) >= 0) > 0.97
    by_mean = pooling.by_threshold(other.mean((1, 2)), truth, seed=0)
    assert balanced_accuracy_score(truth, by_mean >= 0) < 0.9


def test_pooling_out_of_fold_and_the_papers_metrics():
    q, bad = maps(60, 2)
    margin = pooling.by_pooling(q, bad, seed=0, steps=500)
    got = pooling.summary(bad, margin, margin)
    assert set(got) == {"balanced_accuracy", "f1", "mcc", "auroc", "ap"}
    called = margin >= 0
    assert got["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(bad, called))
    right = ((bad == 0) & ~called).sum()  # good is the positive class
    precision, recall = right / (~called).sum(), right / (bad == 0).sum()
    assert got["f1"] == pytest.approx(2 * precision * recall / (precision + recall))
