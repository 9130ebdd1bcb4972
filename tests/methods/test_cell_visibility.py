"""The fitted map of measured cells: it learns, repeats itself, and counts weights."""

import numpy as np
import pytest

from fiqa_jax.maps.cell_measures import NAMES
from fiqa_jax.methods import cell_visibility
from fiqa_jax.methods.cell_visibility import Settings, fit

SMALL = Settings(hidden=(16,), steps=300, batch=128, dropout=0.0)


def task(seed, n=2000):
    """Visibility is high where the first number is, whatever the second."""
    rng = np.random.default_rng(seed)
    cells = rng.normal(3, 2, (n, 5)).astype(np.float32)
    return cells, (cells[:, 0] > 3).astype(np.float32), np.ones(n, np.float32)


def test_it_learns_and_repeats_itself():
    one, two = fit(*task(0), SMALL), fit(*task(0), SMALL)
    cells, truth, _ = task(1)
    seen = one.visibility(cells)
    np.testing.assert_array_equal(seen, two.visibility(cells))
    assert ((seen > 0.5) == (truth > 0.5)).mean() > 0.95
    assert seen.dtype == np.float32
    assert seen.min() >= 0
    assert seen.max() <= 1


def test_its_optimum_is_the_mean_of_visibility():
    """Cells that cannot be told apart, of visibility 0.2 and 0.8, the second with double weight."""
    n = 1000
    cells = np.random.default_rng(0).normal(0, 1, (n, 3)).astype(np.float32)
    truth = np.where(np.arange(n) % 2 == 0, 0.2, 0.8).astype(np.float32)
    weight = np.where(np.arange(n) % 2 == 0, 1.0, 2.0).astype(np.float32)
    settings = Settings(hidden=(4,), steps=400, batch=512, weight_decay=0.1)
    assert fit(cells, truth, weight, settings).visibility(cells).mean() == pytest.approx(
        0.6, abs=0.03
    )


def test_a_map_is_bad_where_nothing_is_seen_and_zero_outside():
    width = len(NAMES)
    rng = np.random.default_rng(0)
    fitted = fit(
        rng.normal(0, 1, (200, width)).astype(np.float32),
        np.zeros(200, np.float32),
        np.ones(200, np.float32),
        Settings(hidden=(4,), steps=200, batch=64),
    )
    fov = np.ones((64, 64), np.uint8)
    fov[:, :32] = 0
    found = fitted.map(np.full((64, 64, 3), 90, np.uint8), fov)
    assert found.shape == (4, 4)
    assert not found[:, :2].any()
    assert (found[:, 2:] >= 0).all()


def test_counts_that_differ_are_named():
    cells, truth, weight = task(0, 10)
    with pytest.raises(ValueError, match="10 cells, 9 visibilities"):
        fit(cells, truth[:9], weight)
    with pytest.raises(ValueError, match="0 cells"):
        cell_visibility.fit(cells[:0], truth[:0], weight[:0])
