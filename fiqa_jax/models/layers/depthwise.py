"""Depthwise convolution, written out for CPUs.

XLA's CPU backend runs a convolution with a group for each channel one number at a time. Here a
kernel's places are so many shifted copies of the input, multiplied and added in one pass over
memory, and the kernel's gradient is gathered row by row. Examples come one after the other: of a
whole batch XLA would write all shifted copies to memory in a gradient, twelve times as much for
twice the time. `benchmarks/layers.py` times them.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from fiqa_jax.models.layers.norm import parameter_dtype


class Depthwise(nn.Module):
    """A convolution of each channel with its own kernel, stride 1, zeros around.

    Parameters `kernel [size, size, 1, C]` and `bias [C]`, as flax.linen.Conv has them.

    Attributes:
      size: pixels of the kernel's edge, odd.
      start: of kernel and bias.
      dtype: compute dtype.
    """

    size: int
    start: nn.initializers.Initializer
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Maps `[B, h, w, C]` to the same, compute dtype."""
        exact, channels = parameter_dtype(self.dtype), x.shape[-1]
        kernel = self.param("kernel", self.start, (self.size, self.size, 1, channels), exact)
        bias = self.param("bias", self.start, (channels,), exact)
        out = convolve(x.astype(self.dtype), kernel.astype(self.dtype))
        return out + bias.astype(self.dtype).reshape(1, 1, 1, -1)


def convolve(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Each channel with its own kernel, at stride 1, zeros around.

    Args:
      x: `[B, h, w, C] float`.
      kernel: `[k, k, 1, C] float`, k odd, not turned (a correlation, as in all networks).

    Returns:
      `[B, h, w, C]` of x's dtype.
    """
    return _on_cpu(x, kernel) if jax.default_backend() == "cpu" else _plain(x, kernel)


def _plain(x: jax.Array, kernel: jax.Array) -> jax.Array:
    layout = ("NHWC", "HWIO", "NHWC")
    groups = x.shape[-1]
    return jax.lax.conv_general_dilated(
        x, kernel, (1, 1), "SAME", dimension_numbers=layout, feature_group_count=groups
    )


@jax.custom_vjp
def _on_cpu(x: jax.Array, kernel: jax.Array) -> jax.Array:
    (h, w), size = x.shape[1:3], kernel.shape[0]
    exact = parameter_dtype(x.dtype)
    places = kernel[:, :, 0].astype(exact)

    def example(around: jax.Array) -> jax.Array:
        out = jnp.zeros((h, w, x.shape[-1]), exact)
        for i in range(size):
            for j in range(size):
                out = out + around[i : i + h, j : j + w] * places[i, j].reshape(1, 1, -1)
        return out.astype(x.dtype)

    return jax.lax.map(example, _padded(x, size).astype(exact))


def _padded(x: jax.Array, size: int) -> jax.Array:
    edge = (size // 2, size // 2)
    return jnp.pad(x, ((0, 0), edge, edge, (0, 0)))


def _forward(x: jax.Array, kernel: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return _on_cpu(x, kernel), (x, kernel)


def _backward(
    kept: tuple[jax.Array, jax.Array], gradient: jax.Array
) -> tuple[jax.Array, jax.Array]:
    x, kernel = kept
    h, w, channels = x.shape[1:]
    size, exact = kernel.shape[0], parameter_dtype(x.dtype)
    around, wide = _padded(x, size).astype(exact), gradient.astype(exact)

    def row(total: jax.Array, at: jax.Array) -> tuple[jax.Array, None]:
        rows = jax.lax.dynamic_slice_in_dim(around, at, size, 1)  # [B, k, w + k - 1, C]
        here = jax.lax.dynamic_slice_in_dim(wide, at, 1, 1)[:, 0]
        parts = [
            (rows[:, i, j : j + w] * here).sum((0, 1)) for i in range(size) for j in range(size)
        ]
        return total + jnp.stack(parts), None

    start = jnp.zeros((size * size, channels), exact)
    total, _ = jax.lax.scan(row, start, jnp.arange(h))
    back = total.reshape(kernel.shape).astype(kernel.dtype)
    return _on_cpu(gradient, kernel[::-1, ::-1]), back


_on_cpu.defvjp(_forward, _backward)
