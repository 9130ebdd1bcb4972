"""Selective prediction: by hand, against all orders of equal scores, against scikit-learn."""

import itertools
import math

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score

from fiqa_jax.evaluation import risk_coverage, selective_scores
from fiqa_jax.evaluation.decisions import predicted_class
from fiqa_jax.evaluation.metrics import Head


def ones(n):
    return np.ones((1, n))


def several(n, classes=3, seed=0):
    rng = np.random.default_rng(seed)
    truth = rng.permutation(np.arange(n) % classes)
    prob = rng.dirichlet(np.ones(classes), n) + 0.3 * np.eye(classes)[truth]
    names = tuple("abcde"[:classes])
    return Head(truth, prob / prob.sum(-1, keepdims=True), names)


def two(n, seed=0):
    rng = np.random.default_rng(seed)
    truth = (np.arange(n) % 3 == 0).astype(np.int64)
    return Head(truth, np.clip(0.4 + 0.2 * truth + rng.normal(0, 0.2, n), 0, 1), ("no", "yes"))


def kept(score, rate):
    """Rows that are kept where no two scores are equal."""
    n = len(score)
    return np.argsort(score)[: n - math.floor(rate * n + 1e-9)]


# The areas.


def test_area_by_hand():
    wrong = [0, 0, 0, 1]
    for score, want in (
        ([1, 2, 3, 4], 1 / 16),  # risks 0, 0, 0, 1/4
        ([4, 3, 2, 1], (1 + 1 / 2 + 1 / 3 + 1 / 4) / 4),
        ([5, 5, 5, 5], 1 / 4),  # no order: the error rate everywhere
        ([1, 1, 2, 2], (0 + 0 + 1 / 6 + 1 / 4) / 4),  # the third is wrong half of the time
    ):
        got = risk_coverage.aurc(risk_coverage.order(score), wrong, ones(4))
        np.testing.assert_allclose(got, [want], rtol=1e-12)
    curve = risk_coverage.curve(risk_coverage.order([1, 1, 2, 2]), wrong)
    np.testing.assert_allclose(curve, [0, 0, 1 / 6, 1 / 4], atol=1e-12)


@pytest.mark.parametrize("wrong", [(0, 1, 0, 1, 1, 0), (1, 1, 1, 1, 1, 1), (0, 0, 0, 0, 0, 0)])
def test_best_area_is_the_least_of_all_orders(wrong):
    every = [
        np.mean(np.cumsum(np.array(wrong)[list(place)]) / np.arange(1, 7))
        for place in itertools.permutations(range(6))
    ]
    np.testing.assert_allclose(risk_coverage.best_aurc(wrong, ones(6)), [min(every)], atol=1e-12)


@pytest.mark.parametrize("share", [0.05, 0.3, 0.9])
def test_best_area_nears_the_closed_form(share):
    n = 200_000
    wrong = np.arange(n) < share * n
    got = risk_coverage.best_aurc(wrong, ones(n))
    np.testing.assert_allclose(got, [share + (1 - share) * math.log(1 - share)], atol=2e-5)


# Equal scores: the mean over all their orders.

TIES = np.array([0.1, 0.7, 0.7, 0.2, 0.7, 0.7, 0.9, 0.9])


def test_area_and_curve_of_ties_against_all_orders():
    wrong = np.array([0, 1, 0, 1, 0, 1, 1, 0])
    risks = []
    for place in itertools.permutations(range(8)):
        if (np.diff(TIES[list(place)]) >= 0).all():
            risks.append(np.cumsum(wrong[list(place)]) / np.arange(1, 9))
    assert len(risks) == 24 * 2
    ranked = risk_coverage.order(TIES)
    np.testing.assert_allclose(risk_coverage.curve(ranked, wrong), np.mean(risks, 0), atol=1e-12)
    area = risk_coverage.aurc(ranked, wrong, ones(8))
    np.testing.assert_allclose(area, [np.mean(risks)], rtol=1e-12)


@pytest.mark.parametrize("rate", [0.125, 0.375, 0.5, 0.625, 0.8])
def test_rates_of_ties_against_all_choices(rate):
    head = several(8, seed=3)
    guess = head.prob.argmax(-1)
    count = 8 - math.floor(rate * 8)
    score = TIES
    last = np.sort(score)[count - 1]
    sure, tied = np.flatnonzero(score < last), np.flatnonzero(score == last)
    accuracy, f1, areas = [], [], [[], [], []]
    for more in itertools.combinations(tied, count - len(sure)):
        rows = np.r_[sure, np.array(more, int)]
        truth = head.truth[rows]
        accuracy.append(accuracy_score(truth, guess[rows]))
        f1.append(f1_score(truth, guess[rows], average="macro"))
        for k in range(3):
            if 0 < (truth == k).sum() < count:
                areas[k].append(roc_auc_score(truth == k, head.prob[rows, k]))
    found = risk_coverage.cut(risk_coverage.order(TIES), ones(8), rate)
    got = risk_coverage.accuracy(found, guess == head.truth)
    np.testing.assert_allclose(got, [np.mean(accuracy)], rtol=1e-12)
    want = np.mean([np.mean(a) if a else np.nan for a in areas])
    np.testing.assert_allclose(risk_coverage.auroc(found, head), [want], rtol=1e-12)
    drawn = risk_coverage.macro_f1(found, head, 20_000, np.random.default_rng(0))
    np.testing.assert_allclose(drawn, [np.mean(f1)], atol=4 * (np.std(f1) + 1e-12) / 20_000**0.5)


def test_random_rejection_leaves_the_expected_values():
    """Two classes: given how many of each are kept, every choice is as likely."""
    head = two(3001)
    found = risk_coverage.cut(risk_coverage.order(np.zeros(3001)), ones(3001), 0.4)
    whole = roc_auc_score(head.truth, head.prob)
    np.testing.assert_allclose(risk_coverage.auroc(found, head), [whole], rtol=1e-10)
    right = (head.prob >= 0.5) == head.truth
    np.testing.assert_allclose(risk_coverage.accuracy(found, right), [right.mean()], rtol=1e-12)


def test_area_without_a_class_is_not_defined():
    head = Head(np.array([0, 0, 1, 1]), np.array([0.1, 0.2, 0.7, 0.9]), ("no", "yes"))
    found = risk_coverage.cut(risk_coverage.order([1, 2, 3, 4]), ones(4), 0.5)
    assert np.isnan(risk_coverage.auroc(found, head)).all()


# Without ties: scikit-learn on the kept rows.


@pytest.mark.parametrize("head", [two(97), several(97), several(97, 5)], ids=("2", "3", "5"))
@pytest.mark.parametrize("rate", [0, 0.05, 0.3, 0.5])
def test_rates_against_scikit_learn(head, rate):
    score = np.random.default_rng(1).normal(size=97)
    score[3] = np.inf  # out of scope
    rows = kept(score, rate)
    truth, prob = head.truth[rows], head.prob[rows]
    guess = (prob >= 0.5).astype(int) if prob.ndim == 1 else prob.argmax(-1)
    found = risk_coverage.cut(risk_coverage.order(score), ones(97), rate)
    right = predicted_class(head.prob) == head.truth
    assert risk_coverage.accuracy(found, right)[0] == pytest.approx(accuracy_score(truth, guess))
    area = roc_auc_score(truth, prob, **({} if prob.ndim == 1 else {"multi_class": "ovr"}))
    assert risk_coverage.auroc(found, head)[0] == pytest.approx(area)
    f1 = risk_coverage.macro_f1(found, head, 1, np.random.default_rng(0))
    assert f1[0] == pytest.approx(f1_score(truth, guess, average="macro"))


def test_weights_are_copies():
    head, rng = several(30), np.random.default_rng(5)
    score, weight = rng.integers(0, 6, 30), rng.integers(0, 4, 30)
    wrong = predicted_class(head.prob) != head.truth
    rows = np.repeat(np.arange(30), weight)
    copies = Head(head.truth[rows], head.prob[rows], head.names)
    pair = []
    for one, s, w, bad in (
        (head, score, weight[None].astype(float), wrong),
        (copies, score[rows], ones(len(rows)), wrong[rows]),
    ):
        ranked = risk_coverage.order(s)
        found = risk_coverage.cut(ranked, w, 0.37)
        pair.append(
            [
                risk_coverage.aurc(ranked, bad, w)[0],
                risk_coverage.best_aurc(bad, w)[0],
                risk_coverage.accuracy(found, ~bad)[0],
                risk_coverage.auroc(found, one)[0],
                risk_coverage.macro_f1(found, one, 50, np.random.default_rng(0))[0],
            ]
        )
    np.testing.assert_allclose(*pair, rtol=1e-10)


@pytest.mark.parametrize("score", [[], [1.0, float("nan")], [[1.0]]])
def test_refused_scores(score):
    with pytest.raises(ValueError, match="expected"):
        risk_coverage.order(score)


@pytest.mark.parametrize("rate", [-0.1, 1.0, float("nan")])
def test_refused_rates(rate):
    with pytest.raises(ValueError, match="rejection rate"):
        risk_coverage.cut(risk_coverage.order([1, 2]), ones(2), rate)


# Intervals and differences.


def measured(head, scores, patient, rates=(0, 0.3), draws=300):
    return selective_scores.measure(head, scores, patient, rates, seed=1, draws=draws)


def test_equal_scores_differ_by_nothing():
    head = several(60)
    score = np.random.default_rng(2).integers(0, 3, 60)  # drawn orders are the same, too
    found = measured(head, {"one": score, "other": 10 * score + 1}, np.arange(60))
    for key, number in found["other"].items():
        gap = number.gap
        assert (gap.value, gap.low, gap.high, gap.p) == (0, 0, 0, 1), key
        assert number.value == found["one"][key].value
    assert all(number.gap is None for number in found["one"].values())


def test_a_better_score_is_found_better():
    head = several(200)
    wrong = (predicted_class(head.prob) != head.truth).astype(float)
    random = np.random.default_rng(7).normal(size=200)
    found = measured(head, {"knows": wrong + 0.1 * random, "noise": random}, np.arange(200))
    area = found["noise"]["aurc", -1.0]
    assert area.gap.high < 0
    assert area.gap.p < 0.05
    assert area.gap.value == pytest.approx(
        found["knows"]["aurc", -1.0].value.value - area.value.value
    )
    assert found["noise"]["accuracy", 0.3].gap.low > 0
    for metric in ("accuracy", "auroc", "macro_f1"):
        assert found["noise"][metric, 0].gap.high == 0  # nothing is rejected
    assert found["knows"]["e_aurc", -1.0].value.value == pytest.approx(0)


def test_patients_are_resampled_as_a_whole():
    """Each photograph three times under one patient says no more than once."""
    head = two(50)
    score = np.arange(50)
    once = measured(head, {"s": score}, np.arange(50))["s"]["accuracy", 0].value
    thrice = Head(np.repeat(head.truth, 3), np.repeat(head.prob, 3), head.names)
    many = {"s": np.repeat(score, 3)}
    same = measured(thrice, many, np.repeat(np.arange(50), 3))["s"]["accuracy", 0].value
    apart = measured(thrice, many, np.arange(150))["s"]["accuracy", 0].value
    assert (same.low, same.high, same.units) == pytest.approx((once.low, once.high, 50))
    assert apart.high - apart.low < 0.75 * (same.high - same.low)


def test_an_undefined_area_is_counted():
    truth = np.r_[np.ones(3, np.int64), np.zeros(20, np.int64)]
    head = Head(truth, np.linspace(0, 1, 23), ("no", "yes"))
    found = measured(head, {"s": np.arange(23)}, np.arange(23))["s"]["auroc", 0].value
    # a resample of 23 misses all three with a chance of (20 / 23) ** 23 = 0.04
    assert 2 <= found.undefined <= 30
    assert found.draws + found.undefined == 300


def test_curves_end_at_the_whole():
    head = several(40)
    score = np.random.default_rng(3).normal(size=40)
    found = selective_scores.curves(head, score)
    coverage, risk = found["error_rate"]
    assert coverage[-1] == 1
    wrong = predicted_class(head.prob) != head.truth
    for c, r in zip(coverage, risk, strict=True):
        rows = np.argsort(score)[: round(c * 40)]
        assert r == pytest.approx(wrong[rows].mean())
    area = roc_auc_score(head.truth, head.prob, multi_class="ovr")
    assert found["1 - auroc"][1][-1] == pytest.approx(1 - area)
