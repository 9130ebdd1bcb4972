"""ResNet-18, -34 and -50 as torchvision lays them out, so that its weights can be used.

He et al. 2016, "Deep Residual Learning for Image Recognition", table 1, with the stride of a
bottleneck in its 3x3 convolution ("v1.5", torchvision's released code). Heads are separate modules
(`fiqa_jax.models.heads`).
"""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from fiqa_jax.models.norm import BatchNorm, parameter_dtype
from fiqa_jax.models.pool import max_pool_3x3

# torchvision's initial weights: He-normal over the fan-out, not truncated.
_HE = jax.nn.initializers.variance_scaling(2.0, "fan_out", "normal")


def channels(base: int, width: float) -> int:
    """`base * width` rounded to the nearest multiple of 8, at least 8."""
    return max(8, round(base * width / 8) * 8)


def _conv(features: int, kernel: int, stride: int, dtype: DTypeLike, name: str) -> nn.Conv:
    # Padding is written out: 'SAME' pads on one side only at stride 2, PyTorch on both.
    pad = kernel // 2
    return nn.Conv(
        features,
        (kernel, kernel),
        strides=(stride, stride),
        padding=((pad, pad), (pad, pad)),
        use_bias=False,
        dtype=dtype,
        param_dtype=parameter_dtype(dtype),
        kernel_init=_HE,
        name=name,
    )


class BasicBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut (He et al., figure 5 left)."""

    features: int
    stride: int
    dtype: DTypeLike = jnp.float32
    axis_name: str | None = None

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        """Maps `[B, H, W, C]` to `[B, H/stride, W/stride, features]`, compute dtype."""
        y = _conv(self.features, 3, self.stride, self.dtype, "conv1")(x)
        y = nn.relu(BatchNorm(train, self.dtype, self.axis_name, name="norm1")(y))
        y = _conv(self.features, 3, 1, self.dtype, "conv2")(y)
        y = BatchNorm(train, self.dtype, self.axis_name, name="norm2")(y)
        if self.stride != 1 or x.shape[-1] != y.shape[-1]:
            x = _conv(self.features, 1, self.stride, self.dtype, "down_conv")(x)
            x = BatchNorm(train, self.dtype, self.axis_name, name="down_norm")(x)
        return nn.relu(x + y)


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions beside a shortcut (figure 5 right); four times as wide out."""

    features: int
    stride: int
    dtype: DTypeLike = jnp.float32
    axis_name: str | None = None

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        """Maps `[B, H, W, C]` to `[B, H/stride, W/stride, 4 * features]`, compute dtype."""
        y = _conv(self.features, 1, 1, self.dtype, "conv1")(x)
        y = nn.relu(BatchNorm(train, self.dtype, self.axis_name, name="norm1")(y))
        y = _conv(self.features, 3, self.stride, self.dtype, "conv2")(y)
        y = nn.relu(BatchNorm(train, self.dtype, self.axis_name, name="norm2")(y))
        y = _conv(4 * self.features, 1, 1, self.dtype, "conv3")(y)
        y = BatchNorm(train, self.dtype, self.axis_name, name="norm3")(y)
        if self.stride != 1 or x.shape[-1] != y.shape[-1]:
            x = _conv(4 * self.features, 1, self.stride, self.dtype, "down_conv")(x)
            x = BatchNorm(train, self.dtype, self.axis_name, name="down_norm")(x)
        return nn.relu(x + y)


class Stem(nn.Module):
    """7x7 convolution at stride 2 and 3x3 max pooling at stride 2."""

    features: int
    dtype: DTypeLike = jnp.float32
    axis_name: str | None = None

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        """Maps `[B, H, W, 3]` to `[B, H/4, W/4, features]`, compute dtype."""
        x = _conv(self.features, 7, 2, self.dtype, "conv")(x)
        x = nn.relu(BatchNorm(train, self.dtype, self.axis_name, name="norm")(x))
        return max_pool_3x3(x)


class Stage(nn.Module):
    """Blocks of one resolution; the first carries the stride."""

    block: Callable[..., nn.Module]
    features: int
    blocks: int
    stride: int
    dtype: DTypeLike = jnp.float32
    axis_name: str | None = None

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        """Maps `[B, H, W, C]` to `[B, H/stride, W/stride, C']`, compute dtype."""
        for i in range(self.blocks):
            x = self.block(
                self.features,
                self.stride if i == 0 else 1,
                dtype=self.dtype,
                axis_name=self.axis_name,
                name=f"block{i}",
            )(x, train)
        return x


class ResNet(nn.Module):
    """The trunk of a ResNet, up to the pooled features.

    Attributes:
      block: BasicBlock or Bottleneck.
      blocks: how many blocks each of the four stages has.
      width: factor on every channel count, see `channels`.
      dtype: compute dtype; parameters and statistics stay float32 (float64 under float64).
      axis_name: mapped axis that batch statistics are averaged over; None under jit.
    """

    block: Callable[..., nn.Module]
    blocks: tuple[int, int, int, int]
    width: float = 1.0
    dtype: DTypeLike = jnp.float32
    axis_name: str | None = None

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> tuple[jax.Array, dict[str, jax.Array]]:
        """Features of normalised images.

        Args:
          x: `[B, H, W, 3] float32`, channel means subtracted and divided by their deviations.
          train: normalise by the batch's statistics and update the running ones.

        Returns:
          `[B, F] float32` pooled features (F 512 for -18 and -34, 2048 for -50, at width 1) and
          the intermediates `stage1` to `stage4` (`[B, H/4, W/4, ...]` to `[B, H/32, W/32, F]`,
          compute dtype, sides rounded up) and `features`, the pooled features again.
        """
        out: dict[str, jax.Array] = {}
        x = Stem(channels(64, self.width), self.dtype, self.axis_name, name="stem")(x, train)
        for i, count in enumerate(self.blocks):
            x = out[f"stage{i + 1}"] = Stage(
                self.block,
                channels(64 * 2**i, self.width),
                count,
                stride=1 if i == 0 else 2,
                dtype=self.dtype,
                axis_name=self.axis_name,
                name=f"stage{i + 1}",
            )(x, train)
        # The mean over many pixels is taken in the parameters' precision.
        out["features"] = jnp.mean(x.astype(parameter_dtype(self.dtype)), axis=(1, 2))
        return out["features"], out


def resnet18(**kw: Any) -> ResNet:
    """ResNet-18 trunk; keywords are `ResNet`'s width, dtype, axis_name."""
    return ResNet(BasicBlock, (2, 2, 2, 2), **kw)


def resnet34(**kw: Any) -> ResNet:
    """ResNet-34 trunk; keywords are `ResNet`'s width, dtype, axis_name."""
    return ResNet(BasicBlock, (3, 4, 6, 3), **kw)


def resnet50(**kw: Any) -> ResNet:
    """ResNet-50 trunk; keywords are `ResNet`'s width, dtype, axis_name."""
    return ResNet(Bottleneck, (3, 4, 6, 3), **kw)


def tiny(width: float = 1.0, **kw: Any) -> ResNet:
    """One block a stage, an eighth as wide (8 to 64 channels), for images of 32 to 64 pixels."""
    return ResNet(BasicBlock, (1, 1, 1, 1), width=0.125 * width, **kw)
