"""Initial weights that compile quickly.

JAX's own generator costs XLA about a second of compilation on a CPU for each kernel of another
shape: 13 s for the smallest ResNet. XLA's generator, seeded with the same key, needs 2 s in all.
Its numbers are the same in every run and on any number of devices of one platform, but not across
platforms; initial weights need no more.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike


def quick_key(key: jax.Array) -> jax.Array:
    """The key with XLA's generator behind it (as jax.random.key(seed, impl="rbg") makes one)."""
    return jax.random.wrap_key_data(jnp.resize(jax.random.key_data(key), (4,)), impl="rbg")


def he_normal(key: jax.Array, shape: Sequence[int], dtype: DTypeLike = jnp.float32) -> jax.Array:
    """Normal of variance 2 / fan-out, not truncated: torchvision's kernels before a ReLU."""
    draw = jax.nn.initializers.variance_scaling(2.0, "fan_out", "normal")
    return draw(quick_key(key), shape, dtype)


def he_fan_in(key: jax.Array, shape: Sequence[int], dtype: DTypeLike = jnp.float32) -> jax.Array:
    """Normal of variance 2 / fan-in (He et al. 2015, equation 10), for U-Nets."""
    draw = jax.nn.initializers.variance_scaling(2.0, "fan_in", "normal")
    return draw(quick_key(key), shape, dtype)


def small_normal(key: jax.Array, shape: Sequence[int], dtype: DTypeLike = jnp.float32) -> jax.Array:
    """Normal of deviation 0.01, for linear heads: first probabilities are near uniform."""
    return 0.01 * jax.random.normal(quick_key(key), shape, dtype)


def vit_normal(key: jax.Array, shape: Sequence[int], dtype: DTypeLike = jnp.float32) -> jax.Array:
    """Normal of deviation 0.02, a transformer's usual start."""
    return 0.02 * jax.random.normal(quick_key(key), shape, dtype)
