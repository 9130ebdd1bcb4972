"""Initial weights: the right distribution, one draw a key, the same on any number of devices."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from fiqa_jax.models.layers.initial import he_normal, quick_key, small_normal, xavier


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_he_normal_is_normal_of_the_stated_variance(seed):
    kernel = np.asarray(he_normal(jax.random.key(seed), (3, 3, 16, 128)), np.float64)
    z = kernel.ravel() / np.sqrt(2 / (3 * 3 * 128))
    # The seeds are fixed: a p-value below 1e-3 would mean a wrong distribution, not bad luck.
    assert scipy.stats.kstest(z, "norm").pvalue > 1e-3
    assert np.abs(z).max() > 3  # 18,432 draws, not truncated at 2


def test_xavier_is_uniform_of_the_stated_variance():
    kernel = np.asarray(xavier(jax.random.key(0), (3, 3, 16, 128)), np.float64)
    edge = np.sqrt(6 / (9 * (16 + 128)))
    assert scipy.stats.kstest(kernel.ravel(), "uniform", (-edge, 2 * edge)).pvalue > 1e-3


def test_small_normal():
    kernel = np.asarray(small_normal(jax.random.key(0), (512, 8)), np.float64)
    assert scipy.stats.kstest(kernel.ravel() / 0.01, "norm").pvalue > 1e-3


def test_keys_are_told_apart_and_repeat():
    first, second = jax.random.split(jax.random.key(0))
    a, again, b = (he_normal(k, (3, 3, 8, 8)) for k in (first, first, second))
    np.testing.assert_array_equal(a, again)
    correlation = np.corrcoef(np.ravel(a), np.ravel(b))[0, 1]
    assert abs(correlation) < 4 / np.sqrt(a.size)


def test_it_is_the_key_that_jax_makes():
    ours = quick_key(jax.random.key(5))
    theirs = jax.random.key(5, impl="rbg")
    np.testing.assert_array_equal(jax.random.key_data(ours), jax.random.key_data(theirs))
    np.testing.assert_array_equal(jax.random.key_data(quick_key(theirs)), jax.random.key_data(ours))


def test_any_number_of_devices_draws_the_same():
    mesh = jax.make_mesh((8,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    everywhere = jax.NamedSharding(mesh, jax.P())
    spread = jax.NamedSharding(mesh, jax.P(None, None, None, "data"))
    draw = lambda key: he_normal(key, (3, 3, 8, 16))  # noqa: E731
    alone = jax.jit(draw)(jax.random.key(0))
    for sharding in (everywhere, spread):
        np.testing.assert_array_equal(
            jax.jit(draw, out_shardings=sharding)(jax.random.key(0)), alone
        )


def test_float64():
    with jax.enable_x64(True):
        assert he_normal(jax.random.key(0), (1, 1, 8, 8), jnp.float64).dtype == jnp.float64
