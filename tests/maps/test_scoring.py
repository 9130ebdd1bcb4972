"""Agreement of maps with graded pixels: scikit-learn's numbers, thresholds, folds, resamples."""

import numpy as np
import pytest
from sklearn import metrics as sk

from fiqa_jax.maps import scoring


def photographs(number, size=400, levels=256, seed=0):
    """Random maps with some relation to random grades: values `[N, n]` and codes `[N, n]`."""
    rng = np.random.default_rng(seed)
    codes = np.stack(
        [rng.choice([1, 2, 3], size, p=rng.dirichlet([3, 1, 2])) for _ in range(number)]
    )
    value = rng.normal(codes, 2.0)
    return np.clip(np.rint((value + 5) * levels / 14), 0, levels - 1) / levels, codes.astype(
        np.uint8
    )


def counts_of(value, codes):
    cuts = scoring.cuts_of(value)
    return np.stack([scoring.count(v, c, cuts) for v, c in zip(value, codes, strict=True)]), cuts


def sensitivity(bad, value):
    false, true, _ = sk.roc_curve(bad, value, drop_intermediate=False)
    return true[false <= 0.05 + 1e-12].max()


def test_numbers_are_scikit_learns_where_levels_are_few():
    value, codes = photographs(5)
    counts, cuts = counts_of(value, codes)
    assert counts.shape[-1] == len(cuts) + 1 == len(np.unique(value))
    assert counts.sum() == codes.size
    found = scoring.ranks(np.concatenate([counts, counts.sum(0, keepdims=True)]))
    for k in range(6):
        v, bad = (value[k], codes[k] == 3) if k < 5 else (value.ravel(), codes.ravel() == 3)
        assert found["auroc"][k] == pytest.approx(sk.roc_auc_score(bad, v), abs=1e-12)
        assert found["ap"][k] == pytest.approx(sk.average_precision_score(bad, v), abs=1e-12)
        assert found["sensitivity"][k] == pytest.approx(sensitivity(bad, v), abs=1e-12)


def test_continuous_maps_within_a_thousandth():
    rng = np.random.default_rng(1)
    _, codes = photographs(4, 5000)
    value = rng.normal(codes, 1.5) ** 3  # crowded near zero, any range
    counts, cuts = counts_of(value, codes)
    assert len(cuts) < scoring.LEVELS
    found = scoring.ranks(counts.sum(0))
    bad = codes.ravel() == 3
    assert found["auroc"] == pytest.approx(sk.roc_auc_score(bad, value.ravel()), abs=1e-3)
    assert found["ap"] == pytest.approx(sk.average_precision_score(bad, value.ravel()), abs=2e-3)


def test_dice_and_kappa_are_scikit_learns_at_the_best_thresholds():
    value, codes = photographs(3, levels=24)
    counts, cuts = counts_of(value, codes)
    total = counts.sum(0)
    v, c = value.ravel(), codes.ravel()
    edges = np.concatenate([[-np.inf], cuts, [np.inf]])
    dices = [sk.f1_score(c == 3, v >= edge, zero_division=0.0) for edge in edges]
    level = scoring.best_level(total)
    assert dices[level] == max(dices)
    both = scoring.overlap(total, level)
    assert both[0] / both[1] == pytest.approx(max(dices), abs=1e-12)

    i, j = scoring.best_pair(total)
    best = -1.0
    for a in range(len(edges)):
        for b in range(a, len(edges)):
            called = 1 + (v >= edges[a]) + (v >= edges[b])
            best = max(best, sk.cohen_kappa_score(c, called, weights="quadratic"))
    called = 1 + (v >= edges[i]) + (v >= edges[j])
    matrix = scoring.confusion(total, i, j)
    np.testing.assert_array_equal(matrix, sk.confusion_matrix(c, called, labels=[1, 2, 3]))
    assert float(scoring.kappa(matrix)) == pytest.approx(best, abs=1e-12)
    np.testing.assert_array_equal(scoring.confusion(counts, i, j).sum(0), matrix)


def test_each_photograph_and_all_of_them_from_the_same_counts():
    value, codes = photographs(6)
    counts, _ = counts_of(value, codes)
    found = scoring.measure(counts, [str(k) for k in range(6)], 0)
    alone = found.scores(np.eye(6))
    whole = found.scores(np.ones((1, 6)))
    assert alone["auroc"][2] == pytest.approx(sk.roc_auc_score(codes[2] == 3, value[2]), abs=1e-12)
    assert whole["auroc"][0] == pytest.approx(
        sk.roc_auc_score(codes.ravel() == 3, value.ravel()), abs=1e-12
    )
    twice = found.scores(np.array([[2.0, 0, 0, 1, 0, 0]]))
    taken = [0, 0, 3]
    assert twice["ap"][0] == pytest.approx(
        sk.average_precision_score(codes[taken].ravel() == 3, value[taken].ravel()), abs=1e-12
    )
    part = scoring.subset(found, np.arange(6) == 4)
    assert part.scores(np.ones((1, 1)))["dice"][0] == pytest.approx(alone["dice"][4])


def test_cross_validated_thresholds_come_from_other_people():
    """Two people whose maps differ in scale: each one's threshold is useless for the other."""
    codes = np.array([[1] * 50 + [3] * 50] * 2, np.uint8)
    value = np.where(codes == 3, [[0.2], [0.9]], [[0.1], [0.8]])
    counts, _ = counts_of(value, codes)
    found = scoring.measure(counts, ["a", "b"], 0).scores(np.ones((1, 2)))
    # best for both: everything but a's good pixels is bad, or b's bad ones and ...: 2 * 100 / 250
    assert found["dice"][0] == pytest.approx(0.8)
    # a with b's threshold: nothing is bad. b with a's: everything. 2 * 50 / (50 + 100 + 50)
    assert found["dice_cv"][0] == pytest.approx(0.5)
    one = scoring.measure(counts, ["a", "a"], 0).scores(np.ones((1, 2)))
    assert np.isnan(one["dice_cv"][0])
    assert np.isnan(one["kappa_cv"][0])
    assert one["dice"][0] == pytest.approx(0.8)


def test_nobody_is_in_two_folds():
    people = [f"p{k // 2}" for k in range(26)]
    fold = scoring.folds(people, 0)
    assert all(fold[2 * k] == fold[2 * k + 1] for k in range(13))
    assert sorted(np.bincount(fold)) == [4, 4, 6, 6, 6]
    assert set(scoring.folds(["a", "b", "b"], 0)) == {0, 1}


def test_one_grade_alone_says_nothing():
    codes = np.ones((1, 10), np.uint8)
    counts, _ = counts_of(np.linspace(0, 1, 10)[None], codes)
    found = scoring.ranks(counts[0])
    assert all(np.isnan(v) for v in found.values())
    assert not scoring.in_part(counts)[0]
    codes[0, 5:] = 3
    assert scoring.in_part(counts_of(np.linspace(0, 1, 10)[None], codes)[0])[0]


def test_intervals_resample_people():
    value, codes = photographs(12, 100, 32)
    counts, _ = counts_of(value, codes)
    people = [f"p{k // 2}" for k in range(12)]
    found = scoring.pooled(scoring.measure(counts, people, 0), people, 0)
    for name in ("kappa", "dice", "dice_cv", "auroc", "ap", "sensitivity"):
        one = found[name]
        assert one.low < one.value < one.high, name
        assert one.units == 6
        assert one.draws == scoring.DRAWS
