"""The patient bootstrap against exact enumeration, scikit-learn's weights and known variances."""

import dataclasses
import itertools
import math

import mcfnet
import numpy as np
import pytest

from fiqa_jax.evaluation import intervals, metrics


def make(seed, patients=40, each=3, classes=3):
    rng = np.random.default_rng(seed)
    n = patients * each
    truth = rng.integers(0, classes, n)
    prob = rng.dirichlet(np.ones(classes), n) + 0.8 * np.eye(classes)[truth]
    return truth, prob / prob.sum(-1, keepdims=True), np.repeat(np.arange(patients), each)


def test_three_patients_enumerated():
    """27 equally likely resamples of three patients: mean and spread of accuracy are exact."""
    truth = np.array([0, 0, 1, 1, 1, 0])
    prob = np.array([0.1, 0.9, 0.9, 0.9, 0.2, 0.1])  # right: 1 0 | 1 | 1 0 1
    patient = np.array(["a", "a", "b", "c", "c", "c"])
    right, size = {"a": 1, "b": 1, "c": 2}, {"a": 2, "b": 1, "c": 3}
    exact = [
        sum(right[p] for p in drawn) / sum(size[p] for p in drawn)
        for drawn in itertools.product("abc", repeat=3)
    ]
    got = intervals.intervals(
        truth, prob, patient, metrics.DETAIL, seed=0, count_draws=200_000, rank_draws=0
    )["accuracy"]
    assert got.value == pytest.approx(4 / 6)
    assert got.se == pytest.approx(np.std(exact), rel=0.01)
    assert got.low == pytest.approx(np.quantile(exact, 0.025, method="inverted_cdf"))
    assert got.high == pytest.approx(np.quantile(exact, 0.975, method="inverted_cdf"))
    assert (got.units, got.unit, got.draws) == (3, "patient", 200_000)


def test_one_photograph_per_patient_has_the_binomial_spread():
    truth, prob, _ = make(0, 400, 1)
    got = intervals.intervals(truth, prob, np.arange(400), metrics.QUALITY, seed=1, rank_draws=0)
    a = got["accuracy"].value
    assert got["accuracy"].se == pytest.approx(math.sqrt(a * (1 - a) / 400), rel=0.03)


def test_copies_of_a_patients_photograph_add_nothing():
    """Each photograph four times: the clustered spread stays, the naive one would halve."""
    truth, prob, _ = make(0, 300, 1)
    once = intervals.intervals(truth, prob, np.arange(300), metrics.QUALITY, seed=1, rank_draws=300)
    four = intervals.intervals(
        np.repeat(truth, 4),
        np.repeat(prob, 4, 0),
        np.repeat(np.arange(300), 4),
        metrics.QUALITY,
        seed=1,
        rank_draws=300,
    )
    for name in ("accuracy", "macro_f1", "auroc", "nll"):
        assert four[name].se == pytest.approx(once[name].se, rel=0.05), name
        assert four[name].value == pytest.approx(once[name].value), name


def test_every_metric_gets_an_interval_that_repeats_with_its_seed():
    truth, prob, patient = make(5)
    args = (truth, prob, patient, metrics.QUALITY)
    got = intervals.intervals(*args, seed=7, count_draws=300, rank_draws=200)
    assert set(got) == set(metrics.scores(truth, prob, metrics.QUALITY).values)
    for name, one in got.items():
        assert one.low <= one.value <= one.high or name == "ece", name
    assert got == intervals.intervals(*args, seed=7, count_draws=300, rank_draws=200)
    assert got != intervals.intervals(*args, seed=8, count_draws=300, rank_draws=200)


def test_paired_difference_has_less_spread_than_two_runs():
    truth, prob, patient = make(6, 200, 2)
    other = prob.copy()
    other[::20] = np.eye(3)[(truth[::20] + 1) % 3]
    args = {"names": metrics.QUALITY, "seed": 0, "count_draws": 2000, "rank_draws": 0}
    gap = intervals.differences(truth, prob, other, patient, **args)["accuracy"]
    one = intervals.intervals(truth, prob, patient, **args)["accuracy"]
    two = intervals.intervals(truth, other, patient, **args)["accuracy"]
    assert gap.value == pytest.approx(one.value - two.value)
    assert gap.se < 0.7 * math.hypot(one.se, two.se)
    assert gap.low > 0
    assert gap.p < 0.01
    # Variance of a mean of per-photograph differences, one patient = two photographs.
    right = (prob.argmax(-1) == truth) * 1.0 - (other.argmax(-1) == truth)
    per_patient = np.bincount(patient, right) / 2
    assert gap.se == pytest.approx(per_patient.std() / math.sqrt(200), rel=0.05)


def test_no_difference_is_no_difference():
    truth, prob, patient = make(7)
    got = intervals.differences(
        truth, prob, prob, patient, metrics.QUALITY, seed=0, count_draws=100, rank_draws=50
    )
    for name, one in got.items():
        assert (one.value, one.low, one.high, one.p) == (0, 0, 0, 1), name


def test_p_is_uniform_enough_without_an_effect():
    """Two equally good raters of 60 patients, 100 times: p < .05 about one time in twenty."""
    rng = np.random.default_rng(0)
    found = 0
    for seed in range(100):
        truth = rng.integers(0, 2, 60)
        a, b = (np.where(rng.random(60) < 0.8, truth, 1 - truth) * 1.0 for _ in range(2))
        gap = intervals.differences(
            truth, a, b, np.arange(60), metrics.DETAIL, seed=seed, count_draws=400, rank_draws=0
        )
        found += gap["accuracy"].p < 0.05
    assert 1 <= found <= 11


def test_absent_labels_and_undefined_draws():
    truth, prob, patient = make(8)
    some = np.where(patient % 2 == 0, truth, -1)
    args = {"names": metrics.QUALITY, "seed": 0, "count_draws": 100, "rank_draws": 100}
    keep = some >= 0
    masked = intervals.intervals(some, prob, patient, **args)
    assert masked == intervals.intervals(truth[keep], prob[keep], patient[keep], **args)
    assert masked["accuracy"].units == 20
    rare = intervals.intervals(
        [1, 0, 0, 0], [0.9, 0.1, 0.2, 0.3], range(4), metrics.DETAIL, seed=0, rank_draws=1000
    )["auroc"]
    assert rare.undefined == pytest.approx(1000 * (0.75**4 + 0.25**4), rel=0.2)
    assert rare.undefined + rare.draws == 1000
    one_class = intervals.intervals([0, 0], [0.1, 0.2], [0, 1], metrics.DETAIL, seed=0)["auroc"]
    assert math.isnan(one_class.value)
    assert math.isnan(one_class.low)


def test_lengths_that_differ_are_refused():
    with pytest.raises(ValueError, match="as many patients"):
        intervals.intervals([0, 1], [0.1, 0.2], [0], metrics.DETAIL, seed=0)


def test_seed_interval_by_hand():
    # mean 2, sd 1, n 3: t(.975, 2) = 4.302653 -> half width 4.302653 / sqrt(3)
    got = intervals.seed_interval([1.0, 2.0, 3.0])
    assert got.value == 2
    assert got.high - got.value == pytest.approx(4.302653 / math.sqrt(3), rel=1e-6)
    assert (got.unit, got.units, got.draws) == ("seed", 3, 0)
    # t = 2 sqrt(3), two degrees of freedom: p = 1 - t / sqrt(2 + t^2)
    assert got.p == pytest.approx(1 - math.sqrt(12 / 14))
    assert math.isnan(intervals.seed_interval([0.5]).low)


def test_non_inferiority():
    base = intervals.Interval(0.0, -0.02, 0.02, 0.01, 0.95, "patient", 9, 9)
    assert intervals.non_inferior("macro_f1", base, 0.03)
    assert not intervals.non_inferior("macro_f1", base, 0.02)
    worse = dataclasses.replace(base, low=-0.01, high=0.05)
    assert intervals.non_inferior("macro_f1", worse, 0.03)
    assert not intervals.non_inferior("nll", worse, 0.03)
    lost = dataclasses.replace(base, low=math.nan, high=math.nan)
    assert not intervals.non_inferior("macro_f1", lost, 0.03)
    with pytest.raises(ValueError, match="above 0"):
        intervals.non_inferior("macro_f1", base, 0.0)


def test_mcfnets_spread_on_eyeq(shared_data):
    """Standard error of macro-F1 on EyeQ's 12,048 test patients: about .003 (spec, 4.2)."""
    found = mcfnet.load(shared_data)
    prob = found.raw / found.raw.sum(-1, keepdims=True)
    args = (found.truth, prob, found.patient, metrics.QUALITY)
    got = intervals.intervals(*args, seed=0, rank_draws=0)["macro_f1"]
    assert got.units == 12_048
    assert round(got.se, 3) == 0.003
    assert got.low < 0.8606 < got.high


def test_an_interval_is_written_with_its_ends():
    interval = intervals.Interval(0.5, 0.25, 0.75, 0.1, 0.95, "patient", 10, 100)
    assert f"{interval:.2f}" == "0.50 [0.25, 0.75]"
    assert f"{interval:+.1f}" == "+0.5 [+0.2, +0.8]"
    assert f"{dataclasses.replace(interval, value=float('nan')):.2f}" == "-"
    alone = dataclasses.replace(interval, low=math.nan, high=math.nan)
    assert f"{alone:.2f}" == "0.50 [-]"
    assert (interval.ends(".2f", " to "), alone.ends(".2f", " to ")) == ("0.25 to 0.75", "-")


def test_one_patient_gives_a_value_without_an_interval_or_a_p():
    """Ten photographs of one person, drawn again and again, are the same ten."""
    truth, prob = [0, 1] * 5, [0.1, 0.9, 0.8, 0.7, 0.2] * 2
    args = {"names": metrics.DETAIL, "seed": 0, "count_draws": 50, "rank_draws": 50}
    one = intervals.intervals(truth, prob, ["A"] * 10, **args)
    gaps = intervals.differences(truth, prob, prob[::-1], ["A"] * 10, **args)
    mean = intervals.mean_interval([0.1, 0.9, 0.5], ["A"] * 3, seed=0, draws=50)
    assert mean.value == pytest.approx(0.5)
    assert np.isfinite(one["accuracy"].value)
    for got in (*one.values(), *gaps.values(), mean):
        assert got.units == 1
        assert np.isnan([got.low, got.high, got.se, got.p]).all()


def test_what_is_undefined_has_no_p():
    """Of one class alone no AUROC differs from another: Holm's family must not count it."""
    prob = np.linspace(0.1, 0.4, 4)
    gaps = intervals.differences(
        [0] * 4, prob, prob[::-1], range(4), metrics.DETAIL, seed=0, count_draws=50, rank_draws=50
    )
    assert math.isnan(gaps["auroc"].value)
    assert math.isnan(gaps["auroc"].p)
