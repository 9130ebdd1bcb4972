"""VGG-16 with batch normalisation (Simonyan and Zisserman 2015, configuration D), MKCNet's trunk.

Laid out as MKCNet's released code has it: five blocks of 3x3 convolutions with a bias, each
followed by batch normalisation and ReLU, and 2x2 max pooling after every block. The classifier is
not part of it.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from fiqa_jax.models.layers.initial import xavier
from fiqa_jax.models.layers.norm import BatchNorm, parameter_dtype
from fiqa_jax.models.layers.pool import max_pool_2x2
from fiqa_jax.models.resnet import channels

BLOCKS = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))  # channels, convolutions


class Block(nn.Module):
    """Convolution, normalisation, ReLU, some times; then 2x2 max pooling.

    Attributes:
      features: channels.
      convolutions: how often.
      dtype: as in `VGG`.
      axis_name: as in `VGG`.
    """

    features: int
    convolutions: int
    dtype: DTypeLike = jnp.float32
    axis_name: str | None = None

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        """Maps `[B, H, W, C]` to `[B, H/2, W/2, features]`, compute dtype; H and W even."""
        for i in range(1, self.convolutions + 1):
            x = nn.Conv(
                self.features,
                (3, 3),
                padding=((1, 1), (1, 1)),
                dtype=self.dtype,
                param_dtype=parameter_dtype(self.dtype),
                kernel_init=xavier,
                name=f"conv{i}",
            )(x)
            x = BatchNorm(train, self.dtype, self.axis_name, name=f"norm{i}")(x)
            x = nn.relu(x)
        return max_pool_2x2(x)


class VGG(nn.Module):
    """The trunk, up to the pooled features.

    Attributes:
      blocks: channels at width 1 and convolutions of each block.
      width: factor on every channel count, see `resnet.channels`.
      dtype: compute dtype; parameters and statistics stay float32 (float64 under float64).
      axis_name: mapped axis that batch statistics are averaged over; None under jit.
      remat: blocks are computed again in the backward pass instead of being kept.
    """

    blocks: tuple[tuple[int, int], ...] = BLOCKS
    width: float = 1.0
    dtype: DTypeLike = jnp.float32
    axis_name: str | None = None
    remat: bool = False

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> tuple[jax.Array, dict[str, jax.Array]]:
        """Features of normalised images.

        Args:
          x: `[B, H, W, C] float32`; H and W can be halved once for every block.
          train: normalise by the batch's statistics and update the running ones.

        Returns:
          `[B, F] float32` pooled features (F 512 at width 1), and the intermediates `stage1` ...
          (`stage5` of VGG-16 is `[B, H/32, W/32, F]`, compute dtype) and `features`.

        Raises:
          ValueError: sides that cannot be halved that often.
        """
        step = 2 ** len(self.blocks)
        if x.shape[1] % step or x.shape[2] % step:
            raise ValueError(
                f"a VGG of {len(self.blocks)} blocks halves an image as often: sides "
                f"{x.shape[1:3]} must be multiples of {step}"
            )
        block = nn.remat(Block, static_argnums=(2,)) if self.remat else Block
        out: dict[str, jax.Array] = {}
        for i, (features, convolutions) in enumerate(self.blocks, start=1):
            x = out[f"stage{i}"] = block(
                channels(features, self.width),
                convolutions,
                self.dtype,
                self.axis_name,
                name=f"stage{i}",
            )(x, train)
        # The mean over many pixels is taken in the parameters' precision.
        out["features"] = jnp.mean(x.astype(parameter_dtype(self.dtype)), axis=(1, 2))
        return out["features"], out


def vgg16(**kw: Any) -> VGG:
    """VGG-16-BN trunk; keywords are `VGG`'s width, dtype, axis_name, remat."""
    return VGG(**kw)


def vgg_tiny(**kw: Any) -> VGG:
    """Three blocks of one convolution, 64 to 256 channels at width 1: for tests and trials."""
    return VGG(blocks=((64, 1), (128, 1), (256, 1)), **kw)
