"""Batch normalisation with statistics in the parameters' precision.

Flax's own keeps running statistics in float32 whatever the network computes in, so that a float64
state changes its dtypes in the first step. Names and numbers are otherwise the same.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike


def parameter_dtype(dtype: DTypeLike) -> jnp.dtype:
    """What parameters and statistics are kept in: float32, or float64 where one computes in it."""
    return jnp.promote_types(dtype, jnp.float32)


class BatchNorm(nn.Module):
    """Ioffe and Szegedy 2015, algorithms 1 and 2, over all axes but the last.

    The running variance follows the batch's own (biased) variance; PyTorch's follows that times
    n / (n - 1), n the pixels of the batch.

    Attributes:
      train: normalise by the batch and update the running statistics.
      dtype: of the output; statistics and the affine are computed in `parameter_dtype(dtype)`.
      axis_name: mapped axis that batch statistics are averaged over; None under jit.
      momentum: share of the running statistics that stays (PyTorch's is one minus this).
      epsilon: added to the variance.
    """

    train: bool
    dtype: DTypeLike = jnp.float32
    axis_name: str | None = None
    momentum: float = 0.9
    epsilon: float = 1e-5

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Normalises `[..., C]`; same shape, `dtype`."""
        exact = parameter_dtype(self.dtype)
        size = (x.shape[-1],)
        running_mean = self.variable("batch_stats", "mean", jnp.zeros, size, exact)
        running_var = self.variable("batch_stats", "var", jnp.ones, size, exact)
        scale = self.param("scale", nn.initializers.ones, size, exact)
        bias = self.param("bias", nn.initializers.zeros, size, exact)

        x = x.astype(exact)
        mean, var = running_mean.value, running_var.value
        if self.train:
            axes = tuple(range(x.ndim - 1))
            mean, square = x.mean(axes), jax.lax.square(x).mean(axes)
            if self.axis_name is not None and not self.is_initializing():
                # The variance is not the mean of the devices' variances: average the moments.
                mean, square = jax.lax.pmean((mean, square), self.axis_name)
            var = jnp.maximum(square - jax.lax.square(mean), 0.0)
            if not self.is_initializing():
                m = self.momentum
                running_mean.value = m * running_mean.value + (1 - m) * mean
                running_var.value = m * running_var.value + (1 - m) * var
        factor = scale * jax.lax.rsqrt(var + self.epsilon)
        shape = (1,) * (x.ndim - 1) + size
        out = (x - mean.reshape(shape)) * factor.reshape(shape) + bias.reshape(shape)
        return out.astype(self.dtype)
