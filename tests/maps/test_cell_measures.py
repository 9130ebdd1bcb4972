"""Cells measured by hand: what a grating, noise and a gain must do to them."""

import numpy as np
import pytest

from fiqa_jax.maps.cell_measures import COMPARED, NAMES, OWN, measures

SIDE = 128


def grey(values):
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def scene(noise=0.0, depth=40.0, seed=0):
    """Dark vertical lines on a plain ground in the left half, nothing in the right."""
    x = np.arange(SIDE)
    lines = depth * np.exp(-0.5 * (((x % 16) - 8) / 2.0) ** 2) * (x < SIDE // 2)
    rng = np.random.default_rng(seed)
    grain = rng.normal(0, noise, (SIDE, SIDE, 3)) if noise else np.zeros((SIDE, SIDE, 3))
    return grey(np.array([170.0, 110, 60]) - lines[None, :, None] + grain)


def column(found, name):
    return found[..., NAMES.index(name)]


@pytest.fixture(scope="module")
def fov():
    return np.ones((SIDE, SIDE), np.uint8)


def test_shape_names_and_nothing_outside(fov):
    half = fov.copy()
    half[:, : SIDE // 2] = 0
    found = measures(scene(), half)
    assert found.shape == (8, 8, len(NAMES))
    assert found.dtype == np.float32
    assert len(NAMES) == len(OWN) + 3 * len(COMPARED)
    assert len(set(NAMES)) == len(NAMES)
    assert np.isfinite(found).all()
    assert not found[:, :4].any()


def test_lines_are_detail_and_ridges_and_flat_ground_is_neither(fov):
    found = measures(scene(noise=1.0), fov)
    for name in ("weber_1", "ridge_weber_1", "coherence_1", "agreement_1", "ridge_share_1"):
        assert column(found, name)[1:-1, 1:3].min() > column(found, name)[1:-1, 5:7].max()
    assert column(found, "coherence_1")[1:-1, 1:3].min() > 0.9


def test_noise_is_detail_that_colours_do_not_share(fov):
    quiet, loud = measures(scene(noise=1.0), fov), measures(scene(noise=12.0), fov)
    ground = np.s_[2:6, 5:7]
    assert column(loud, "weber_0")[ground].mean() > column(quiet, "weber_0")[ground].mean() + 1
    assert abs(column(loud, "agreement_0")[ground].mean()) < 0.25
    # 12 grey levels, and 0.3 that keep the logarithm from zero
    assert np.exp(column(loud, "noise")[ground]).mean() == pytest.approx(12.3, rel=0.1)
    over = [column(x, "over_noise_1")[2:6, 1:3].mean() for x in (quiet, loud)]
    assert over[0] > over[1] + 1


def test_comparison_with_the_photograph_drops_a_gain(fov):
    image = scene(noise=2.0)
    one, two = measures(image, fov), measures(grey(image * 0.7), fov)
    for name in ("weber_1", "weber_2", "spread_weber"):
        for kind in (name, f"{name}, to median"):
            np.testing.assert_allclose(column(one, kind), column(two, kind), atol=0.3)


def test_a_size_that_does_not_divide_is_named(fov):
    with pytest.raises(ValueError, match="side 100"):
        measures(np.zeros((100, 100, 3), np.uint8), np.ones((100, 100), np.uint8))
