"""Grad-CAM and integrated gradients against what their definitions give by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fiqa_jax.maps import attribution


def test_grad_cam_by_hand():
    rng = np.random.default_rng(0)
    maps, slopes = rng.normal(size=(2, 2, 3, 5, 4)).astype(np.float32)
    want = np.zeros((2, 3, 5))
    for b in range(2):
        for f in range(4):
            want[b] += slopes[b, ..., f].mean() * maps[b, ..., f]
    got = attribution.grad_cam(jnp.asarray(maps), jnp.asarray(slopes))
    np.testing.assert_allclose(got, np.maximum(want, 0), atol=1e-6)
    assert (want < 0).any()


def test_grad_cam_of_a_linear_head_adds_up_to_the_score():
    """Zhou et al.'s class activation map: w . A at each place; here all of it is positive."""
    rng = np.random.default_rng(1)
    maps, w = jnp.asarray(rng.uniform(size=(2, 3, 3, 4))), jnp.asarray(rng.uniform(size=4))
    slope = jax.grad(lambda a: (a.mean((1, 2)) @ w).sum())(maps)
    cam = attribution.grad_cam(maps, slope)
    np.testing.assert_allclose(9 * cam, maps @ w, rtol=1e-5)
    np.testing.assert_allclose(cam.sum((1, 2)), maps.mean((1, 2)) @ w, rtol=1e-5)


def test_normalised_only_when_asked_and_never_by_zero():
    maps = jnp.stack([jnp.full((2, 2, 1), 3.0), jnp.full((2, 2, 1), -3.0)])
    ones = jnp.ones_like(maps)
    np.testing.assert_array_equal(attribution.grad_cam(maps, ones)[:, 0, 0], [3, 0])
    got = attribution.grad_cam(maps, ones, normalise=True)
    np.testing.assert_array_equal(got[:, 0, 0], [1, 0])


def test_integrated_gradients_of_a_product_share_it():
    """x y along the straight path from (0, 0): both get x y / 2."""
    x = jnp.array([[2.0, 3.0], [-1.0, 5.0]])
    got = attribution.integrated_gradients(
        lambda x: x[:, 0] * x[:, 1], x, jnp.zeros_like(x), steps=1
    )
    np.testing.assert_allclose(got, [[3, 3], [-2.5, -2.5]], rtol=1e-6)


def test_linear_score_is_exact_from_any_baseline():
    rng = np.random.default_rng(2)
    w, x, start = (jnp.asarray(rng.normal(size=s), jnp.float32) for s in ((6,), (3, 6), (3, 6)))
    got = attribution.integrated_gradients(lambda x: x @ w, x, start, steps=1)
    np.testing.assert_allclose(got, w[None, :] * (x - start), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("steps", "exact"), [(1, False), (2, False), (3, True)])
def test_steps_that_are_exact_for_a_polynomial(steps, exact):
    """A score of degree 6 has slopes of degree 5, which three steps integrate exactly."""
    x = jnp.array([[1.5, -0.5]])
    got = attribution.integrated_gradients(lambda x: (x**6).sum(-1), x, jnp.ones_like(x), steps)
    error = np.abs(np.asarray(got) - (np.asarray(x) ** 6 - 1)).max()
    assert (error < 1e-4) == exact


def test_completeness_of_a_network_improves_with_steps():
    rng = np.random.default_rng(3)
    one = jnp.asarray(rng.normal(size=(12, 32)), jnp.float32)
    two = jnp.asarray(rng.normal(size=(32,)), jnp.float32)
    x = jnp.asarray(rng.normal(size=(5, 2, 2, 3)), jnp.float32)
    start = jnp.zeros_like(x) + 0.5

    def score(x):
        return jax.nn.relu(x.reshape(5, 12) @ one) @ two

    def gap(steps):
        got = attribution.integrated_gradients(score, x, start, steps)
        return np.abs(got.sum((1, 2, 3)) - (score(x) - score(start))).max()

    assert gap(256) < 0.05
    assert gap(256) < gap(4) / 4


def test_an_input_equal_to_its_baseline_gets_nothing():
    x = jnp.ones((2, 3))
    got = attribution.integrated_gradients(lambda x: jnp.exp(x).sum(-1), x, x, 4)
    np.testing.assert_array_equal(got, np.zeros((2, 3)))


def test_no_step_is_an_error():
    with pytest.raises(ValueError, match="1 step or more, not 0"):
        attribution.integrated_gradients(lambda x: x.sum(-1), jnp.ones((1, 2)), jnp.ones((1, 2)), 0)


def test_cells_add_up_pixels_and_colours():
    values = np.arange(2 * 4 * 4 * 3, dtype=np.float32).reshape(2, 4, 4, 3)
    got = attribution.by_cell(jnp.asarray(values), 2)
    assert got.shape == (2, 2, 2)
    assert got[1, 0, 1] == values[1, :2, 2:].sum()
    np.testing.assert_allclose(got.sum((1, 2)), values.sum((1, 2, 3)))


def test_baselines():
    rng = np.random.default_rng(4)
    image = rng.integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    fov = np.zeros((2, 32, 32), np.uint8)
    fov[0, 4:20, 6:30] = 1  # the second has no field at all
    black = attribution.baselines(image, fov, "black")
    assert not black.any()
    mean = attribution.baselines(image, fov, "mean")
    colour = image[0][fov[0] > 0].mean(0) / 255
    np.testing.assert_allclose(mean[0, 10, 10], colour, rtol=1e-5)
    assert np.ptp(mean[0][fov[0] > 0], axis=0).max() == 0
    for kind in ("mean", "blurred"):
        got = attribution.baselines(image, fov, kind)
        assert got.dtype == np.float32
        np.testing.assert_allclose(got[fov == 0], image[fov == 0] / 255, rtol=1e-6)
    flat = np.where(fov[..., None] > 0, 100, 0).astype(np.uint8).repeat(3, -1)
    blurred = attribution.baselines(flat, fov, "blurred")  # nothing leaks in from outside
    np.testing.assert_allclose(blurred, flat / 255, atol=1e-6)
    noisy = attribution.baselines(image, fov, "blurred")[0][fov[0] > 0]
    assert noisy.std() < 0.5 * (image[0][fov[0] > 0] / 255).std()
    with pytest.raises(ValueError, match="'white' is none of"):
        attribution.baselines(image, fov, "white")


def test_scaled_keeps_order_and_halves_at_one():
    got = attribution.scaled(jnp.array([-3.0, 0.0, 0.5, 1.0, 3.0, 1e4]))
    np.testing.assert_allclose(got, [0, 0, 1 / 3, 0.5, 0.75, 1e4 / (1e4 + 1)], rtol=1e-6)
    assert got[-1] < 1
