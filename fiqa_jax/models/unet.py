"""U-Net (Ronneberger et al. 2015) with padding, for vessel maps and for their inpainting."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from fiqa_jax.models.layers.initial import he_fan_in
from fiqa_jax.models.layers.norm import BatchNorm, parameter_dtype
from fiqa_jax.models.layers.pool import max_pool_2x2


class Conv(nn.Module):
    """Odd convolution with zero padding and a bias. `[B, H, W, C]` to `[B, H, W, features]`."""

    features: int
    kernel: int = 3
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Same height and width, compute dtype."""
        pad = self.kernel // 2
        return nn.Conv(
            self.features,
            (self.kernel, self.kernel),
            padding=((pad, pad), (pad, pad)),
            dtype=self.dtype,
            param_dtype=parameter_dtype(self.dtype),
            kernel_init=he_fan_in,
            name="conv",
        )(x)


class Up(nn.Module):
    """Transposed 2x2 convolution of stride 2, as one matrix product and a rearrangement.

    No two windows overlap, so each pixel becomes four by a linear map: the same numbers as
    ConvTranspose, several times faster on a CPU. Kernel `[I, 4 * O]`, places (0, 0), (0, 1),
    (1, 0), (1, 1) of the 2x2 block in this order, bias `[O]`.
    """

    features: int
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Maps `[B, H, W, C]` to `[B, 2H, 2W, features]`, compute dtype."""
        exact = parameter_dtype(self.dtype)
        kernel = self.param("kernel", he_fan_in, (x.shape[-1], 4 * self.features), exact)
        bias = self.param("bias", nn.initializers.zeros, (self.features,), exact)
        batch, height, width, _ = x.shape
        y = jnp.dot(x.astype(self.dtype), kernel.astype(self.dtype))
        y = y.reshape(batch, height, width, 2, 2, self.features).transpose(0, 1, 3, 2, 4, 5)
        y = y.reshape(batch, 2 * height, 2 * width, self.features)
        return y + bias.astype(self.dtype).reshape(1, 1, 1, -1)


def check_sides(x: jax.Array, levels: int) -> None:
    """Raises ValueError unless the sides of `[B, H, W, C]` can be halved `levels - 1` times."""
    step = 2 ** (levels - 1)
    if x.shape[1] % step or x.shape[2] % step:
        raise ValueError(f"sides {x.shape[1:3]} are no multiples of {step}: pad the image")


class Twice(nn.Module):
    """Two 3x3 convolutions, each with ReLU, and batch normalisation before it where asked for."""

    features: int
    norm: bool
    dtype: DTypeLike = jnp.float32
    axis_name: str | None = None

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        """Maps `[B, H, W, C]` to `[B, H, W, features]`, compute dtype."""
        for i in (1, 2):
            x = Conv(self.features, dtype=self.dtype, name=f"conv{i}")(x)
            if self.norm:
                x = BatchNorm(train, self.dtype, self.axis_name, name=f"norm{i}")(x)
            x = nn.relu(x)
        return x


class UNet(nn.Module):
    """Encoder and decoder with skips; concatenation is (skip, upsampled).

    Attributes:
      out: channels of the result, no activation.
      base: channels of the first level; they double with each level down.
      levels: resolutions, so the side is halved `levels - 1` times.
      norm: batch normalisation (for training on few images); off as in the inpainting network.
      dtype: compute dtype.
      axis_name: mapped axis of batch statistics; None under jit.
    """

    out: int
    base: int = 64
    levels: int = 5
    norm: bool = False
    dtype: DTypeLike = jnp.float32
    axis_name: str | None = None

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> tuple[jax.Array, dict[str, jax.Array]]:
        """Logits of an image.

        Args:
          x: `[B, H, W, C] float`; H and W multiples of 2^(levels - 1).
          train: batch statistics instead of running ones.

        Returns:
          `[B, H, W, out]` in the parameters' dtype, and the intermediates `level1` ...

        Raises:
          ValueError: a side that cannot be halved that often.
        """
        check_sides(x, self.levels)
        kept: dict[str, jax.Array] = {}
        for i in range(self.levels):
            x = max_pool_2x2(x) if i else x
            x = self._block(i, f"down{i + 1}", x, train)
            kept[f"level{i + 1}"] = x
        for i in reversed(range(self.levels - 1)):
            y = Up(self.base * 2**i, self.dtype, name=f"up{i + 1}")(x)
            x = jnp.concatenate([kept[f"level{i + 1}"], y], -1)
            x = self._block(i, f"merge{i + 1}", x, train)
        y = Conv(self.out, 1, self.dtype, name="head")(x)
        return y.astype(parameter_dtype(self.dtype)), kept

    def _block(self, level: int, name: str, x: jax.Array, train: bool) -> jax.Array:
        features = self.base * 2**level
        return Twice(features, self.norm, self.dtype, self.axis_name, name=name)(x, train)
