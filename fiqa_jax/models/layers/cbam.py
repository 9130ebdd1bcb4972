"""CBAM (Woo et al. 2018) as in MKCNet's release: a gate over channels, then one over places."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from fiqa_jax.models.layers.initial import xavier
from fiqa_jax.models.layers.norm import BatchNorm


def largest(x: jax.Array, axis: int) -> jax.Array:
    """Maximum along an axis; the first of equals gets the gradient, as in PyTorch.

    `jnp.max` looks the winner up again by equality, which compilers may turn into 0 / 0 (see
    `pool.max_pool_2x2`); here it is chosen once, and derivatives of any order are those of a sum.
    """
    winner = jax.nn.one_hot(jnp.argmax(x, axis), x.shape[axis], axis=axis, dtype=x.dtype)
    return jnp.sum(x * winner, axis)


def linear(features: int, dtype: DTypeLike, name: str) -> nn.Dense:
    """A layer of the gates and heads: Xavier weights, parameters and result in `dtype`."""
    return nn.Dense(features, dtype=dtype, param_dtype=dtype, kernel_init=xavier, name=name)


class ChannelGate(nn.Module):
    """Gate of each channel from its mean and its maximum, through one shared MLP (equation 2).

    Attributes:
      reduction: the hidden layer is this many times narrower, at least one wide.
      dtype: of parameters and result.
    """

    reduction: int = 16
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Gated map: `[B, H, W, C]` to `[B, H, W, C]`."""
        batch, height, width, features = x.shape
        hidden = linear(max(features // self.reduction, 1), self.dtype, "hidden")
        out = linear(features, self.dtype, "out")
        places = x.reshape(batch, height * width, features)
        pooled = jnp.stack([places.mean(1), largest(places, 1)])  # [2, B, C]
        gate = nn.sigmoid(out(nn.relu(hidden(pooled))).sum(0))
        return x * gate[:, None, None, :]


class SpatialGate(nn.Module):
    """Gate of each place from the largest and the mean channel, through a 7x7 convolution (eq. 3).

    Attributes:
      train: normalise by the batch.
      dtype: of parameters and result.
      axis_name: mapped axis of batch statistics; None under jit.
    """

    train: bool
    dtype: DTypeLike = jnp.float32
    axis_name: str | None = None

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Gated map: `[B, H, W, C]` to `[B, H, W, C]`."""
        seen = jnp.stack([largest(x, -1), x.mean(-1)], -1)
        seen = nn.Conv(
            1,
            (7, 7),
            padding=((3, 3), (3, 3)),
            use_bias=False,
            dtype=self.dtype,
            param_dtype=self.dtype,
            kernel_init=xavier,
            name="conv",
        )(seen)
        norm = BatchNorm(self.train, self.dtype, self.axis_name, momentum=0.99, name="norm")
        return x * nn.sigmoid(norm(seen))


class CBAM(nn.Module):
    """Both gates, channels first."""

    train: bool
    reduction: int = 16
    dtype: DTypeLike = jnp.float32
    axis_name: str | None = None

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Gated map: `[B, H, W, C]` to `[B, H, W, C]`."""
        x = ChannelGate(self.reduction, self.dtype, name="channel")(x)
        return SpatialGate(self.train, self.dtype, self.axis_name, name="spatial")(x)
