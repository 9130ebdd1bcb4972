"""ResNet-18, -34 and -50 as torchvision lays them out, so that its weights can be used.

He et al. 2016, "Deep Residual Learning for Image Recognition", table 1, with the stride of a
bottleneck in its 3x3 convolution ("v1.5", torchvision's released code). Heads are separate modules
(`fiqa_jax.models.heads`).
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from fiqa_jax.models.layers.initial import he_normal
from fiqa_jax.models.layers.norm import BatchNorm, parameter_dtype
from fiqa_jax.models.layers.pool import max_pool_3x3


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
        kernel_init=he_normal,
        name=name,
    )


class Block(nn.Module):
    """Convolutions beside a shortcut (He et al., figure 5).

    Attributes:
      features: channels inside.
      stride: of the first 3x3 convolution, and of the shortcut.
      bottleneck: 1x1, 3x3 and 1x1, four times as wide out (figure 5 right); else 3x3 and 3x3.
      dtype: as in `ResNet`.
      axis_name: as in `ResNet`.
    """

    features: int
    stride: int
    bottleneck: bool
    dtype: DTypeLike = jnp.float32
    axis_name: str | None = None

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        """Maps `[B, H, W, C]` to `[B, H/stride, W/stride, C']`, compute dtype."""
        inside, outside = self.features, self.features * (4 if self.bottleneck else 1)
        plan = [(inside, 3, self.stride), (outside, 3, 1)]
        if self.bottleneck:
            plan = [(inside, 1, 1), (inside, 3, self.stride), (outside, 1, 1)]
        y = x
        for i, (features, kernel, stride) in enumerate(plan, start=1):
            y = _conv(features, kernel, stride, self.dtype, f"conv{i}")(y)
            y = BatchNorm(train, self.dtype, self.axis_name, name=f"norm{i}")(y)
            y = nn.relu(y) if i < len(plan) else y
        if self.stride != 1 or x.shape[-1] != outside:
            x = _conv(outside, 1, self.stride, self.dtype, "down_conv")(x)
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

    features: int
    blocks: int
    stride: int
    bottleneck: bool
    dtype: DTypeLike = jnp.float32
    axis_name: str | None = None

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        """Maps `[B, H, W, C]` to `[B, H/stride, W/stride, C']`, compute dtype."""
        for i in range(self.blocks):
            x = Block(
                self.features,
                self.stride if i == 0 else 1,
                self.bottleneck,
                dtype=self.dtype,
                axis_name=self.axis_name,
                name=f"block{i}",
            )(x, train)
        return x


class ResNet(nn.Module):
    """The trunk of a ResNet, up to the pooled features.

    Attributes:
      blocks: how many blocks each of the four stages has.
      bottleneck: which kind of block, see `Block`.
      width: factor on every channel count, see `channels`.
      dtype: compute dtype; parameters and statistics stay float32 (float64 under float64).
      axis_name: mapped axis that batch statistics are averaged over; None under jit.
    """

    blocks: tuple[int, int, int, int]
    bottleneck: bool = False
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
                channels(64 * 2**i, self.width),
                count,
                stride=1 if i == 0 else 2,
                bottleneck=self.bottleneck,
                dtype=self.dtype,
                axis_name=self.axis_name,
                name=f"stage{i + 1}",
            )(x, train)
        # The mean over many pixels is taken in the parameters' precision.
        out["features"] = jnp.mean(x.astype(parameter_dtype(self.dtype)), axis=(1, 2))
        return out["features"], out


def resnet18(**kw: Any) -> ResNet:
    """ResNet-18 trunk; keywords are `ResNet`'s width, dtype, axis_name."""
    return ResNet((2, 2, 2, 2), **kw)


def resnet34(**kw: Any) -> ResNet:
    """ResNet-34 trunk; keywords are `ResNet`'s width, dtype, axis_name."""
    return ResNet((3, 4, 6, 3), **kw)


def resnet50(**kw: Any) -> ResNet:
    """ResNet-50 trunk; keywords are `ResNet`'s width, dtype, axis_name."""
    return ResNet((3, 4, 6, 3), bottleneck=True, **kw)


def tiny(width: float = 1.0, **kw: Any) -> ResNet:
    """One block a stage, an eighth as wide (8 to 64 channels), for images of 32 to 64 pixels."""
    return ResNet((1, 1, 1, 1), width=0.125 * width, **kw)
