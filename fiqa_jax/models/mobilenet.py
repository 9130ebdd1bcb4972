"""MobileNetV1 (Howard et al. 2017): small features from ImageNet, as Keras builds and pads it."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from fiqa_jax.models.layers.initial import he_fan_in
from fiqa_jax.models.layers.norm import BatchNorm, parameter_dtype

# stride and channels of each block (table 1); the first convolution has stride 2 and 32 channels
BLOCKS = (
    *((1, 64), (2, 128), (1, 128), (2, 256), (1, 256), (2, 512)),
    *((1, 512),) * 5,
    *((2, 1024), (1, 1024)),
)
EPSILON = 1e-3  # of batch normalisation, Keras's


class Depthwise(nn.Module):
    """3x3 convolution of each channel by itself, as nine shifted products.

    The same numbers as a convolution with as many groups as channels, which XLA runs about twenty
    times slower on CPUs. Kernel `[3, 3, 1, C]`.
    """

    stride: int
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Maps `[B, H, W, C]` to `[B, H / stride, W / stride, C]`, compute dtype."""
        size = (3, 3, 1, x.shape[-1])
        kernel = self.param("kernel", he_fan_in, size, parameter_dtype(self.dtype))
        kernel = kernel.astype(self.dtype)
        # At stride 2 Keras pads below and to the right only.
        pad = (1, 1) if self.stride == 1 else (0, 1)
        rows, columns = x.shape[1] // self.stride, x.shape[2] // self.stride
        x = jnp.pad(x.astype(self.dtype), ((0, 0), pad, pad, (0, 0)))

        def shifted(i: int, j: int) -> jax.Array:
            down, right = (
                slice(k, k + (n - 1) * self.stride + 1, self.stride)
                for k, n in ((i, rows), (j, columns))
            )
            return x[:, down, right] * kernel[i, j, 0].reshape(1, 1, 1, -1)

        first, *others = (shifted(i, j) for i in range(3) for j in range(3))
        return functools.reduce(jnp.add, others, first)


class MobileNet(nn.Module):
    """Depthwise 3x3 and pointwise convolutions, each with batch normalisation and ReLU6.

    Attributes:
      width: factor on every channel count (the paper's alpha).
      blocks: how many of the 13; the public copy of the weights ends after 12.
      dtype: compute dtype.
      axis_name: mapped axis of batch statistics; None under jit.
    """

    width: float = 1.0
    blocks: int = 13
    dtype: DTypeLike = jnp.float32
    axis_name: str | None = None

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> tuple[jax.Array, dict[str, jax.Array]]:
        """Features of an image.

        Args:
          x: `[B, H, W, 3] float`, RGB in [-1, 1]; sides multiples of 32.
          train: batch statistics instead of running ones.

        Returns:
          The last block's `[B, h, w, C]` in the parameters' dtype, and the last map at each stride
          as `stride2` ... `stride32`.
        """
        maps: dict[str, jax.Array] = {}
        stride = 2
        conv = self._conv(round(32 * self.width), 3, 2, "conv1")
        x = self._normed(conv(x), "conv1", train)
        for i, (step, channels) in enumerate(BLOCKS[: self.blocks], 1):
            stride *= step
            x = Depthwise(step, self.dtype, name=f"depthwise{i}")(x)
            x = self._normed(x, f"depthwise{i}", train)
            x = self._conv(round(channels * self.width), 1, 1, f"pointwise{i}")(x)
            x = self._normed(x, f"pointwise{i}", train)
            maps[f"stride{stride}"] = x.astype(parameter_dtype(self.dtype))
        return maps[f"stride{stride}"], maps

    def _conv(self, features: int, size: int, stride: int, name: str) -> nn.Conv:
        pad = (0, 1) if stride == 2 else (0, 0)
        return nn.Conv(
            features,
            (size, size),
            stride,
            (pad, pad),
            use_bias=False,
            dtype=self.dtype,
            param_dtype=parameter_dtype(self.dtype),
            kernel_init=he_fan_in,
            name=name,
        )

    def _normed(self, x: jax.Array, name: str, train: bool) -> jax.Array:
        norm = BatchNorm(train, self.dtype, self.axis_name, epsilon=EPSILON, name=f"{name}_norm")
        return jnp.clip(norm(x), 0.0, 6.0)
