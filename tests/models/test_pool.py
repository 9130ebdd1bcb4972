"""Max pooling: XLA's numbers, whichever way the gradient is computed."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fiqa_jax.models.layers import pool


def test_hand_worked():
    x = jnp.array([[5.0, 1.0, 2.0], [0.0, 3.0, 4.0], [7.0, 6.0, 9.0]]).reshape(1, 3, 3, 1)
    # Windows are centred on rows and columns 0 and 2, cut by the border.
    np.testing.assert_array_equal(pool.max_pool_3x3(x)[0, :, :, 0], [[5, 4], [7, 9]])
    weights = jnp.array([[1.0, 10.0], [100.0, 1000.0]]).reshape(1, 2, 2, 1)
    gradient = jax.grad(lambda x: (pool.max_pool_3x3(x) * weights).sum())(x)
    np.testing.assert_array_equal(gradient[0, :, :, 0], [[1, 0, 0], [0, 0, 10], [100, 0, 1000]])


def test_windows_of_2x2():
    x = jnp.arange(16.0).reshape(1, 4, 4, 1)
    np.testing.assert_array_equal(pool.max_pool_2x2(x)[0, ..., 0], [[5, 7], [13, 15]])


def test_the_border_is_minus_infinity():
    x = jnp.full((1, 4, 4, 1), -5.0)
    np.testing.assert_array_equal(pool.max_pool_3x3(x), jnp.full((1, 2, 2, 1), -5.0))
    # One gradient of 1 for each of four windows: at the first place inside the image.
    gradient = jax.grad(lambda x: pool.max_pool_3x3(x).sum())(x)
    np.testing.assert_array_equal(
        gradient[0, :, :, 0], [[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
    )


@pytest.mark.parametrize("shape", [(2, 8, 6, 3), (2, 7, 5, 3), (1, 1, 1, 1), (1, 2, 9, 2)])
@pytest.mark.parametrize("ties", [False, True])
def test_cpu_equals_select_and_scatter(shape, ties):
    rng = np.random.default_rng(0)
    x = rng.normal(size=shape).astype(np.float32)
    x = jnp.asarray(np.round(x) if ties else x)  # black borders make whole windows equal
    out, back = jax.vjp(pool._on_cpu, x)
    expected, expected_back = jax.vjp(pool._plain, x)
    np.testing.assert_array_equal(out, expected)
    gradient = jnp.asarray(rng.normal(size=out.shape), jnp.float32)
    np.testing.assert_allclose(back(gradient)[0], expected_back(gradient)[0], atol=1e-6)


def test_bfloat16_and_not_a_number():
    x = jnp.arange(16.0).reshape(1, 4, 4, 1).astype(jnp.bfloat16)
    value, gradient = jax.value_and_grad(lambda x: pool.max_pool_3x3(x).sum())(x)
    assert (value.dtype, gradient.dtype) == (jnp.bfloat16, jnp.bfloat16)
    broken = x.at[0, 0, 0, 0].set(jnp.nan)
    out, _ = jax.vjp(pool._on_cpu, broken)
    assert np.isnan(np.asarray(out, np.float32)[0, 0, 0, 0])  # a broken run must be seen


def test_second_derivatives():
    # MKCNet differentiates a gradient step: sum of squares of a max has Hessian 2 at the winner.
    x = jnp.array([[3.0, 1.0], [2.0, 0.0]]).reshape(1, 2, 2, 1)
    inner = jax.grad(lambda x: (pool.max_pool_3x3(x) ** 2).sum())
    outer = jax.grad(lambda x: inner(x).sum())(x)
    np.testing.assert_array_equal(outer[0, :, :, 0], [[2, 0], [0, 0]])
