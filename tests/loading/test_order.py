"""The stream of examples: permutations joined end to end, a function of (seed, step)."""

import numpy as np
import pytest
from scipy import stats

from input_pipeline.loading import order


def test_every_epoch_is_a_permutation():
    for epoch in range(3):
        got = order.epoch_permutation(5, epoch, 101)
        np.testing.assert_array_equal(np.sort(got), np.arange(101))
        assert got.dtype == np.int64


def test_epochs_and_seeds_differ():
    orders = {tuple(order.epoch_permutation(s, e, 50)) for s in range(4) for e in range(4)}
    assert len(orders) == 16


def test_every_example_is_as_likely_in_every_place():
    # 6000 permutations of 5: counts per (place, example) are multinomial with mean 1200.
    found = np.stack([order.epoch_permutation(s, e, 5) for s in range(60) for e in range(100)])
    for place in range(5):
        counts = np.bincount(found[:, place], minlength=5)
        assert stats.chisquare(counts).pvalue > 1e-4
    # Neighbours do not depend on each other: all 20 ordered pairs are as frequent.
    pairs = np.bincount(found[:, 0] * 5 + found[:, 1], minlength=25).reshape(5, 5)
    assert stats.chisquare(pairs[~np.eye(5, dtype=bool)]).pvalue > 1e-4


def test_the_permutation_sorts_numpys_promised_bits():
    # NumPy keeps the bits of PCG64 and SeedSequence for all versions (NEP 19).
    seed = np.random.SeedSequence([3, 7], spawn_key=(1,))
    bits = [int(np.random.PCG64(seed).advance(i).random_raw()) for i in range(20)]
    expected = sorted(range(20), key=lambda i: bits[i])
    np.testing.assert_array_equal(order.epoch_permutation(3, 7, 20), expected)


def test_steps_join_to_the_concatenation_of_permutations():
    n, batch = 10, 4
    stream = np.concatenate([order.epoch_permutation(1, e, n) for e in range(4)])
    for step in range(10):
        got = order.batch_indices(1, step, batch, n)
        np.testing.assert_array_equal(got, stream[step * batch : (step + 1) * batch])
        assert got.dtype == np.int64


def test_a_batch_larger_than_the_set_repeats_examples_evenly():
    got = order.batch_indices(0, 3, 7, 3)
    stream = np.concatenate([order.epoch_permutation(0, e, 3) for e in range(10)])
    np.testing.assert_array_equal(got, stream[21:28])
    assert np.bincount(got, minlength=3).max() <= 3


def test_one_example():
    np.testing.assert_array_equal(order.batch_indices(0, 9, 4, 1), np.zeros(4))


def test_far_steps_need_no_history():
    step = 10**9
    got = order.batch_indices(2, step, 6, 9)
    epochs, places = np.divmod(np.arange(6 * step, 6 * step + 6), 9)
    expected = [
        order.epoch_permutation(2, int(e), 9)[p] for e, p in zip(epochs, places, strict=True)
    ]
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("count", [1, 2, 3, 6])
def test_the_shares_of_all_processes_join_to_the_batch(count):
    rows = order.batch_indices(4, 2, 12, 40)
    joined = np.concatenate([order.local(rows, i, count) for i in range(count)])
    np.testing.assert_array_equal(joined, rows)


def test_a_kept_permutation_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        order.epoch_permutation(0, 0, 5)[0] = 3


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: order.epoch_permutation(0, 0, 0), "at least 1"),
        (lambda: order.epoch_permutation(-1, 0, 5), "negative"),
        (lambda: order.batch_indices(0, -1, 4, 5), "negative"),
        (lambda: order.batch_indices(0, 0, 0, 5), "at least 1"),
        (lambda: order.local(np.arange(10), 0, 4), "multiple of 4"),
        (lambda: order.local(np.arange(8), 4, 4), "does not exist"),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()
