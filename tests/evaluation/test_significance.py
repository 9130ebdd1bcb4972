"""McNemar, DeLong and Holm against published results, definitions and hand-computed cases."""

import math

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from fiqa_jax.evaluation import significance

# Ovarian cancer with intestinal obstruction, the data of DeLong, DeLong and Clarke-Pearson (1988),
# 43 patients with all three tests: albumin, total protein, K-G score, outcome.
TABLE = """
3.0 5.8 10 0  3.2 6.3 5 1  3.9 6.8 3 1  2.8 4.8 6 0  3.2 5.8 3 1  0.9 4.0 5 0  2.5 5.7 8 0
1.6 5.6 5 1   3.8 5.7 5 1  3.7 6.7 6 1  3.2 5.4 4 1  3.8 6.6 6 1  4.1 6.6 5 1  3.6 5.7 5 1
4.3 7.0 4 1   3.6 6.7 4 0  2.3 4.4 6 1  4.2 7.6 4 0  4.0 6.6 6 0  3.5 5.8 6 1  3.8 6.8 7 1
3.0 4.7 8 0   4.5 7.4 5 1  3.7 7.4 5 1  3.1 6.6 6 1  4.1 8.2 6 1  4.3 7.0 5 1  4.3 6.5 4 1
3.2 5.1 5 1   2.6 4.7 6 1  3.3 6.8 6 0  1.7 4.0 7 0  3.7 6.1 5 1  3.3 6.3 7 1  4.2 7.7 6 1
3.5 6.2 5 1   2.9 5.7 9 0  2.1 4.8 7 1  2.8 6.2 8 0  4.0 7.0 7 1  3.3 5.7 6 1  3.7 6.9 5 1
3.6 6.6 5 1
"""
OVARIAN = np.array([float(cell) for cell in TABLE.split()]).reshape(-1, 4)


def test_delong_gives_the_published_example():
    """Printed in the SAS/STAT User's Guide, LOGISTIC: Comparing Receiver Operating Curves."""
    truth = OVARIAN[:, 3]
    scores = np.stack([OVARIAN[:, 0], OVARIAN[:, 1], 10 - OVARIAN[:, 2]])
    got = significance.delong(truth, scores)
    np.testing.assert_array_equal(got.auroc.round(4), [0.7366, 0.6478, 0.7258])
    np.testing.assert_array_equal(got.se().round(4), [0.0927, 0.1000, 0.1028])
    albumin, protein = got.difference(0, 2), got.difference(1, 2)
    assert [round(v, 4) for v in albumin] == [0.0108, 0.0953, 0.9102]
    assert [round(v, 4) for v in protein] == [-0.0780, 0.1046, 0.4561]
    # Its joint test of both differences: chi-square 2.5340 with two degrees of freedom.
    contrast = np.array([[1, 0, -1], [0, 1, -1]])
    gap = contrast @ got.auroc
    spread = contrast @ got.covariance @ contrast.T
    assert round(float(gap @ np.linalg.solve(spread, gap)), 4) == 2.5340


@pytest.mark.parametrize("ties", [False, True])
def test_delong_equals_its_definition(ties):
    """Equations 2 to 6 of DeLong et al.: means over all pairs, O(n^2)."""
    rng = np.random.default_rng(1)
    truth = np.arange(60) % 3 == 0
    scores = rng.normal(size=(2, 60)) + truth * np.array([[1.0], [0.5]])
    scores = scores.round(0) if ties else scores
    got = significance.delong(truth, scores)
    a, b = scores[:, truth, None], scores[:, None, ~truth]
    kernel = (a > b) + 0.5 * (a == b)
    auroc = kernel.mean((1, 2))
    v10, v01 = kernel.mean(2) - auroc[:, None], kernel.mean(1) - auroc[:, None]
    m, n = v10.shape[1], v01.shape[1]
    covariance = v10 @ v10.T / (m - 1) / m + v01 @ v01.T / (n - 1) / n
    np.testing.assert_allclose(got.auroc, auroc, rtol=1e-12)
    np.testing.assert_allclose(got.covariance, covariance, rtol=1e-12)
    assert got.auroc[0] == pytest.approx(roc_auc_score(truth, scores[0]))
    low, high = got.interval()[0]
    assert high - low == pytest.approx(2 * 1.959964 * got.se()[0], rel=1e-6)


def test_delong_of_the_same_score_twice_has_no_difference():
    truth = OVARIAN[:, 3]
    gap, se, p = significance.delong(truth, np.stack([OVARIAN[:, 0]] * 2)).difference()
    assert gap == 0
    assert se == pytest.approx(0, abs=1e-8)
    assert math.isnan(p) or p == 1


def test_delong_refuses_one_class():
    with pytest.raises(ValueError, match="1 of class 1 and 3 of class 0"):
        significance.delong([1, 0, 0, 0], [0.1, 0.2, 0.3, 0.4])


def test_mcnemar_gives_the_published_comparison():
    """QuickQual against MCF-Net on EyeQ: 675 against 777, chi-square 7.03 (spec, section 4.2)."""
    first = np.repeat([True, False, True], [675, 777, 100])
    second = np.repeat([False, True, True], [675, 777, 100])
    got = significance.mcnemar(first, second)
    assert (got.only_first, got.only_second, got.exact) == (675, 777, False)
    assert got.statistic == pytest.approx((102 - 1) ** 2 / 1452)
    assert round(got.statistic, 2) == 7.03


def test_mcnemar_exact_by_hand():
    # 1 against 5 of 6: 2 * (C(6,0) + C(6,1)) / 2^6 = 14 / 64
    first = np.array([True] + [False] * 5 + [True] * 4)
    second = np.array([False] + [True] * 5 + [True] * 4)
    got = significance.mcnemar(first, second)
    assert got.exact
    assert got.p == pytest.approx(14 / 64)
    assert significance.mcnemar(first, first).p == 1
    with pytest.raises(ValueError, match="same photographs"):
        significance.mcnemar(first, second[:-1])


def test_holm_by_hand():
    # Sorted .01 .03 .04: times 3, 2, 1 -> .03 .06 .04, made monotone -> .03 .06 .06
    assert significance.holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    got = significance.holm([0.04, math.nan, 0.01])
    assert got[0] == pytest.approx(0.04)
    assert math.isnan(got[1])
    assert got[2] == pytest.approx(0.02)
    assert significance.holm([]) == []
