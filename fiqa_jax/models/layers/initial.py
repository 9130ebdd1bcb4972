"""Initial weights that compile quickly.

JAX's own generator costs XLA about a second of compilation on a CPU for each kernel of another
shape: 13 s for the smallest ResNet. XLA's generator, seeded with the same key, needs 2 s in all.
Its numbers are the same in every run and on any number of devices of one platform, but not across
platforms; initial weights need no more.
"""

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import traverse_util
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


def xavier(key: jax.Array, shape: Sequence[int], dtype: DTypeLike = jnp.float32) -> jax.Array:
    """Uniform of variance 2 / (fan-in + fan-out) (Glorot and Bengio 2010, equation 16)."""
    return jax.nn.initializers.xavier_uniform()(quick_key(key), shape, dtype)


def like_torch(key: jax.Array, params: Any) -> Any:
    """New values for the convolutions of a tree, as PyTorch draws them: kernels and biases uniform
    in +-1 / sqrt(fan-in).

    Args:
      key: of all of them.
      params: nested dict of modules with `kernel` and `bias`; `[h, w, I, O]` kernels, or
        `[I, 4 O]` of a transposed 2 x 2 convolution, whose fan-in PyTorch takes from its output.
    """
    flat = traverse_util.flatten_dict(params)
    out = {}
    for place, (path, value) in enumerate(sorted(flat.items())):
        shape = flat[(*path[:-1], "kernel")].shape
        bound = (shape[1] if len(shape) == 2 else math.prod(shape[:-1])) ** -0.5
        draw = jax.random.fold_in(key, place)
        out[path] = jax.random.uniform(quick_key(draw), value.shape, value.dtype, -bound, bound)
    return traverse_util.unflatten_dict(out)
