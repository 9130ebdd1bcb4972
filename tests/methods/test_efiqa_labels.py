"""Labels from anomaly: the released rule, area-exact cells, thresholds with known false alarms."""

import jax.numpy as jnp
import numpy as np
import pytest

from fiqa_jax.methods import efiqa_labels


def released(pixels, threshold, grid):
    """Section 1.8: a cell is 1 where the mean of its binary pixels is at least 0.9."""
    size = pixels.shape[-1] // grid
    binary = (pixels > threshold).reshape(len(pixels), grid, size, grid, size)
    return binary.mean((2, 4)) >= 0.9


def test_cells_above_the_threshold_are_the_released_rule():
    rng = np.random.default_rng(0)
    pixels = rng.random((3, 64, 64)).astype(np.float32) ** rng.uniform(0.1, 3, (3, 64, 1))
    got = np.asarray(efiqa_labels.cells(jnp.asarray(pixels), 16))
    for t in (0.02, 0.1, 0.3, 0.7):
        np.testing.assert_array_equal(got > t, released(pixels, t, 16))


def test_cells_that_cut_pixels_count_them_in_parts():
    """Three pixels, two cells: the middle one belongs to both by half."""
    pixels = jnp.broadcast_to(jnp.array([[5.0, 1.0, 3.0]]), (3, 3))[None]
    whole = np.asarray(efiqa_labels.cells(pixels, 2, share=1.0))
    np.testing.assert_array_equal(whole[0], [[1, 1], [1, 1]])
    # two thirds of the left cell reach 5, two thirds of the right one 3
    most = np.asarray(efiqa_labels.cells(pixels, 2, share=2 / 3))
    np.testing.assert_array_equal(most[0], [[5, 3], [5, 3]])
    mean = np.asarray(efiqa_labels.mean_cells(pixels, 2))
    np.testing.assert_allclose(mean[0, 0], [(5 + 0.5) / 1.5, (3 + 0.5) / 1.5], rtol=1e-6)


@pytest.mark.parametrize(("side", "grid"), [(256, 14), (256, 16), (100, 7), (16, 16)])
def test_windows_cover_every_pixel_once(side, grid):
    at = efiqa_labels.windows(side, grid)
    total = np.zeros(side)
    np.add.at(total, at.index, at.weight)
    np.testing.assert_allclose(total, 1.0, atol=1e-9)
    np.testing.assert_allclose(at.weight.sum(1), side / grid, atol=1e-9)


def test_compat_takes_the_published_rows():
    grid = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    got = efiqa_labels.compat(grid)
    keep = [0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 12, 13, 14, 15]
    np.testing.assert_array_equal(got[0], grid[0][keep][:, keep])


def test_compat_is_scipys_zoom():
    from scipy import ndimage

    rng = np.random.default_rng(0)
    grid = rng.integers(0, 2, (16, 16)).astype(np.uint8)
    want = ndimage.zoom(grid, 14 / 16, order=0)
    np.testing.assert_array_equal(efiqa_labels.compat(grid), want)


def test_soft():
    got = efiqa_labels.soft(jnp.array([0.0, 0.02, 0.03, 0.04, 1.0]), 0.02)
    np.testing.assert_allclose(got, [0, 0, 0.5, 1, 1], atol=1e-6)


def test_labels_outside_the_field_are_absent():
    values = jnp.array([[[0.1, 0.3], [0.3, 0.3]]])
    seen = jnp.array([[[1.0, 0.5], [0.4, 1.0]]])
    got = np.asarray(efiqa_labels.labels(values, seen, 0.2))
    np.testing.assert_array_equal(got[0], [[0, 1], [255, 1]])
    assert got.dtype == np.uint8


def test_threshold_gives_one_percent_of_false_alarms():
    rng = np.random.default_rng(0)
    values = rng.gamma(2.0, 0.01, (40, 16, 16)).astype(np.float32)
    seen = (rng.random((40, 16, 16)) < 0.8).astype(np.float32)
    found = efiqa_labels.threshold(values, seen)
    inside = values[seen > 0]
    assert 0.009 < (inside > found).mean() <= 0.01


def test_threshold_needs_enough_cells_and_a_trained_network():
    with pytest.raises(ValueError, match="validate on more photographs"):
        efiqa_labels.threshold(np.ones((1, 8, 8)), np.ones((1, 8, 8)))  # 64 < 100
    with pytest.raises(ValueError, match="hardly trained"):
        efiqa_labels.threshold(np.zeros((9, 16, 16)), np.ones((9, 16, 16)))


def test_lost_is_the_share_of_what_was_expected():
    """Alike everywhere, the window changes nothing: 1 - given / (expected + faint)."""
    given, expected = np.full((1, 32, 32, 3), 0.1), np.full((1, 32, 32, 3), 0.4)
    found = np.asarray(
        efiqa_labels.lost(jnp.asarray(given), jnp.asarray(expected), jnp.ones((1, 4, 4)))
    )
    np.testing.assert_allclose(found, 1 - 0.1 / 0.41, rtol=1e-5)
    assert (
        np.asarray(
            efiqa_labels.lost(jnp.asarray(expected), jnp.asarray(given), jnp.ones((1, 4, 4)))
        )
        == 0
    ).all()  # more than expected


def test_lost_is_highest_where_vessels_are_missing():
    whole = np.zeros((1, 64, 64, 1), np.float32)
    whole[:, ::4] = 1.0
    part = whole.copy()
    part[:, 16:32, 32:48] = 0.0
    found = np.asarray(
        efiqa_labels.lost(jnp.asarray(part), jnp.asarray(whole), jnp.ones((1, 4, 4)))
    )[0]
    assert np.unravel_index(found.argmax(), found.shape) == (1, 2)
    # by hand: the window of exp(-d^2 / 2) over a grid of four
    w = np.exp(-0.5 * (np.arange(4)[:, None] - np.arange(4)) ** 2)
    hole = np.full((4, 4), 0.25)
    hole[1, 2] = 0.0
    weight = w @ np.ones((4, 4)) @ w.T
    want = 1 - (w @ hole @ w.T) / (0.25 * weight + 0.01 * weight)
    np.testing.assert_allclose(found, want, rtol=1e-4)


def test_lost_at_the_edge_of_the_field_is_what_it_is_inside():
    """Half of the picture is no field and has no vessels: nothing is missing there."""
    given, expected = np.full((1, 32, 32, 1), 0.1), np.full((1, 32, 32, 1), 0.4)
    seen = np.ones((1, 4, 4))
    for array in (given, expected):
        array[:, :, 16:] = 0.0
    seen[:, :, 2:] = 0.0
    found = np.asarray(efiqa_labels.lost(*map(jnp.asarray, (given, expected, seen))))
    np.testing.assert_allclose(found[:, :, :2], 1 - 0.1 / 0.41, rtol=1e-5)
