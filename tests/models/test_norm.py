"""BatchNorm against hand-worked numbers, Flax's own and itself over devices."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fiqa_jax.models.layers.norm import BatchNorm


def apply(module, variables, x):
    return module.apply(variables, x, mutable=["batch_stats"])


def test_hand_worked():
    # Values 1, 3, 5, 7 of one channel: mean 4, biased variance 5.
    x = jnp.array([1.0, 3.0, 5.0, 7.0]).reshape(2, 2, 1)
    module = BatchNorm(train=True, epsilon=0.0)
    variables = module.init(jax.random.key(0), x)
    variables["params"] = {"scale": jnp.array([2.0]), "bias": jnp.array([10.0])}
    y, new = apply(module, variables, x)
    np.testing.assert_allclose(
        y.ravel(), 10 + 2 * np.array([-3.0, -1.0, 1.0, 3.0]) / np.sqrt(5), rtol=1e-6
    )
    np.testing.assert_allclose(new["batch_stats"]["mean"], [0.4], rtol=1e-6)  # 0.9 * 0 + 0.1 * 4
    np.testing.assert_allclose(new["batch_stats"]["var"], [1.4], rtol=1e-6)  # 0.9 * 1 + 0.1 * 5

    running = BatchNorm(train=False, epsilon=0.6)
    y = running.apply({"params": variables["params"], **new}, x)
    np.testing.assert_allclose(y.ravel()[0], 10 + 2 * (1 - 0.4) / np.sqrt(1.4 + 0.6), rtol=1e-6)


@pytest.mark.parametrize("train", [True, False])
def test_names_and_numbers_are_flax_s(train):
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.normal(1.0, 3.0, (4, 5, 6, 7)), jnp.float32)
    ours = BatchNorm(train)
    flax = nn.BatchNorm(use_running_average=not train, momentum=0.9, epsilon=1e-5)
    variables = jax.tree.map(
        lambda a: jnp.asarray(rng.uniform(0.5, 1.5, a.shape), jnp.float32),
        flax.init(jax.random.key(0), x),
    )
    assert jax.tree.structure(ours.init(jax.random.key(0), x)) == jax.tree.structure(variables)

    def loss(module):
        def run(variables, x):
            y, new = apply(module, variables, x)
            return (y**3).mean(), (y, new)

        return run

    results = [
        jax.value_and_grad(loss(m), argnums=(0, 1), has_aux=True)(variables, x)
        for m in (ours, flax)
    ]
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), *results)


def test_devices_share_their_statistics():
    # Devices see batches of very different mean: only moments over all give the whole's variance.
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.normal(size=(8, 3, 2, 2, 4)) + np.arange(8.0).reshape(8, 1, 1, 1, 1))
    whole = x.reshape(24, 2, 2, 4)
    module = BatchNorm(train=True)
    variables = module.init(jax.random.key(0), whole)
    expected, new = apply(module, variables, whole)
    mapped = jax.pmap(
        lambda x: apply(BatchNorm(train=True, axis_name="data"), variables, x), axis_name="data"
    )
    got, stats = mapped(x)
    np.testing.assert_allclose(got.reshape(expected.shape), expected, atol=1e-5)
    for name in ("mean", "var"):
        for device in range(8):
            np.testing.assert_allclose(
                stats["batch_stats"][name][device], new["batch_stats"][name], rtol=1e-5
            )


def test_bfloat16_activations_keep_exact_statistics():
    # bfloat16 has 8 significant bits: sums of 4,096 values of 100 need more.
    x = jnp.asarray(np.random.default_rng(0).normal(100.0, 2.0, (64, 8, 8, 1)), jnp.bfloat16)
    module = BatchNorm(train=True, dtype=jnp.bfloat16)
    y, new = apply(module, module.init(jax.random.key(0), x), x)
    exact = np.asarray(x, np.float64)
    assert y.dtype == jnp.bfloat16
    assert new["batch_stats"]["mean"].dtype == jnp.float32
    np.testing.assert_allclose(new["batch_stats"]["mean"], 0.1 * exact.mean(), rtol=1e-5)
    np.testing.assert_allclose(new["batch_stats"]["var"], 0.9 + 0.1 * exact.var(), rtol=1e-3)


def test_a_constant_channel_stays_finite():
    x = jnp.full((4, 3, 3, 2), 1e3)
    module = BatchNorm(train=True)
    variables = module.init(jax.random.key(0), x)
    y, _ = apply(module, variables, x)
    gradient = jax.grad(lambda x: apply(module, variables, x)[0].sum())(x)
    assert np.isfinite(y).all()
    assert np.isfinite(gradient).all()
