"""Measures of cells: what a grating, noise, spots and a gain must do to them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from fiqa_jax.models import cell_measures
from fiqa_jax.models.cell_measures import NAMES

SIDE = 256  # cells of 8 pixels
MIDDLE = np.s_[4:-4]


def grey(values):
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def scene(noise=0.0, depth=40.0, seed=0):
    """Dark vertical lines on a plain ground in the left half, nothing in the right."""
    x = np.arange(SIDE)
    lines = depth * np.exp(-0.5 * (((x % 16) - 8) / 2.0) ** 2) * (x < SIDE // 2)
    rng = np.random.default_rng(seed)
    grain = rng.normal(0, noise, (SIDE, SIDE, 3)) if noise else np.zeros((SIDE, SIDE, 3))
    return grey(np.array([170.0, 110, 60]) - lines[None, :, None] + grain)


def measured(image, fov=None):
    fov = np.ones((SIDE, SIDE), np.uint8) if fov is None else fov
    image = jnp.asarray(image[None], jnp.float32) / 255
    return np.asarray(jax.jit(cell_measures.measures)(image, fov[None]))[0]


def column(found, name):
    return found[..., NAMES.index(name)]


def test_shape_names_and_nothing_outside():
    fov = np.ones((SIDE, SIDE), np.uint8)
    fov[:, : SIDE // 2] = 0
    found = measured(scene(), fov)
    assert found.shape == (32, 32, len(NAMES))
    assert len(set(NAMES)) == len(NAMES)
    assert np.isfinite(found).all()
    assert not found[:, :16].any()
    assert np.isfinite(measured(np.zeros((SIDE, SIDE, 3), np.uint8))).all()


def test_lines_are_detail_and_ridges_and_flat_ground_is_neither():
    found = measured(scene(noise=1.0))
    for name in ("weber_1", "ridge_weber_1", "coherence_1", "agreement_1", "ridge_share_1"):
        lines, ground = column(found, name)[MIDDLE, 2:14], column(found, name)[MIDDLE, 18:30]
        assert lines.mean() > ground.mean() + 2 * ground.std()
    # Far from a line's borders the Hessian has one curvature only: no spots, no bright ridges
    # but those between two lines.
    assert column(found, "coherence_1")[MIDDLE, 2:14].min() > 0.9


def test_dark_lines_are_ridges_and_bright_ones_bright_ridges():
    dark = measured(scene())
    bright = measured(255 - scene())
    for one, other in (("ridge_share_1", "bright_ridge_1"), ("bright_ridge_1", "ridge_share_1")):
        a, b = column(dark, one)[MIDDLE, 2:14], column(bright, other)[MIDDLE, 2:14]
        np.testing.assert_allclose(a, b, atol=0.02)


def test_a_dark_spot_is_a_spot_and_lines_are_none():
    image = np.full((SIDE, SIDE, 3), 120.0)
    y, x = np.mgrid[:SIDE, :SIDE]
    spot = np.exp(-0.5 * (((x - 131.5) ** 2 + (y - 131.5) ** 2) / 1.5**2))
    found = measured(grey(image - 60 * spot[..., None]))
    # Both curvatures are upwards in its middle; on its flanks only one is, as on a line.
    assert column(found, "spot_0")[16, 16] > 0.5 * column(found, "ridge_share_0")[16, 16]
    assert column(found, "peak_dark_0")[16, 16] > column(found, "peak_bright_0")[16, 16]
    lines = measured(scene())
    share = column(lines, "spot_1")[MIDDLE, 2:14] / column(lines, "ridge_share_1")[MIDDLE, 2:14]
    assert share.max() < 0.05


def test_noise_is_detail_that_colours_do_not_share():
    quiet, loud = measured(scene(noise=1.0)), measured(scene(noise=12.0))
    ground = np.s_[4:-4, 18:30]
    assert column(loud, "weber_0")[ground].mean() > column(quiet, "weber_0")[ground].mean() + 1
    assert abs(column(loud, "agreement_0")[ground].mean()) < 0.25
    # 12 grey levels, and 0.3 that keep the logarithm from zero
    assert np.exp(column(loud, "noise")[ground]).mean() == pytest.approx(12.3, rel=0.1)
    over = [column(x, "over_noise_1")[4:-4, 2:14].mean() for x in (quiet, loud)]
    assert over[0] > over[1] + 1


def test_weber_is_the_laplacian_of_a_gaussian_over_the_mean():
    """Against scipy: the first level's energy on a smooth texture."""
    rng = np.random.default_rng(3)
    texture = ndimage.gaussian_filter(rng.normal(0, 1, (SIDE, SIDE)), 3)
    image = grey(120 + 25 * (texture / texture.std())[..., None] * np.ones(3))
    detail = ndimage.laplace(ndimage.gaussian_filter(image[..., 1].astype(float), 1))
    cells = np.sqrt((detail**2).reshape(32, 8, 32, 8).mean((1, 3)))
    mean = image[..., 1].reshape(32, 8, 32, 8).mean((1, 3))
    want = np.log(cells / (mean + 4) + cell_measures.TINY)
    got = column(measured(image), "weber_0")
    np.testing.assert_allclose(got[MIDDLE, MIDDLE], want[MIDDLE, MIDDLE], atol=0.08)


def test_a_gain_changes_no_share():
    image = scene(noise=2.0)
    one, two = measured(image), measured(grey(image * 0.7))
    for name in ("weber_1", "weber_2", "spread_weber"):
        np.testing.assert_allclose(column(one, name), column(two, name), atol=0.4)


def test_a_size_that_does_not_divide_is_named():
    with pytest.raises(ValueError, match="side 100"):
        cell_measures.measures(jnp.zeros((1, 100, 100, 3)), jnp.ones((1, 100, 100)))
