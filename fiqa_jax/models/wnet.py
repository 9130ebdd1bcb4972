"""W-Net (Galdran et al. 2022, "State-of-the-art retinal vessel segmentation with minimalistic
models"): two small U-Nets, the second one seeing the image beside the first one's logits.

Layers as in the released weights: blocks of convolution, ReLU, batch normalisation, twice, beside
a 1x1 shortcut; a bridge of the same kind on every skip.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from fiqa_jax.models.layers.norm import BatchNorm
from fiqa_jax.models.layers.pool import max_pool_2x2
from fiqa_jax.models.unet import Conv, Up, check_sides


class Block(nn.Module):
    """Two convolutions, each ReLU then normalised, plus a normalised 1x1 shortcut."""

    features: int
    dtype: DTypeLike = jnp.float32
    axis_name: str | None = None

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        """Maps `[B, H, W, C]` to `[B, H, W, features]`."""
        norm = (train, self.dtype, self.axis_name)
        y = x
        for i in (1, 2):
            y = nn.relu(Conv(self.features, dtype=self.dtype, name=f"conv{i}")(y))
            y = BatchNorm(*norm, name=f"norm{i}")(y)
        short = nn.Conv(self.features, (1, 1), use_bias=False, dtype=self.dtype, name="short")(x)
        return y + BatchNorm(*norm, name="short_norm")(short)


class Half(nn.Module):
    """One of the two U-Nets."""

    out: int
    layers: tuple[int, ...]
    dtype: DTypeLike = jnp.float32
    axis_name: str | None = None

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        """Maps `[B, H, W, C]` to logits `[B, H, W, out]`."""
        kept = []
        for i, features in enumerate(self.layers):
            x = max_pool_2x2(x) if i else x
            x = Block(features, self.dtype, self.axis_name, name=f"down{i}")(x, train)
            kept.append(x)
        for i in reversed(range(len(self.layers) - 1)):
            features = self.layers[i]
            y = Up(features, self.dtype, name=f"up{i}")(x)
            bridge = nn.relu(Conv(features, dtype=self.dtype, name=f"bridge{i}")(kept[i]))
            bridge = BatchNorm(train, self.dtype, self.axis_name, name=f"bridge_norm{i}")(bridge)
            x = jnp.concatenate([y, bridge], -1)
            x = Block(features, self.dtype, self.axis_name, name=f"merge{i}")(x, train)
        return Conv(self.out, 1, self.dtype, name="head")(x)


class WNet(nn.Module):
    """Both halves.

    Attributes:
      out: 1 (vessels) or 4 (background, artery, crossing, vein).
      layers: channels of each level: (8, 16, 32), or (8, 16, 32, 64) for the larger one.
    """

    out: int = 1
    layers: tuple[int, ...] = (8, 16, 32)
    dtype: DTypeLike = jnp.float32
    axis_name: str | None = None

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> tuple[jax.Array, dict[str, jax.Array]]:
        """Logits of an image.

        Args:
          x: `[B, H, W, 3] float in [0, 1]`, no mean and deviation; sides multiples of 8.
          train: batch statistics instead of running ones.

        Returns:
          `[B, H, W, out]` logits of the second half, and {'first': logits of the first}.

        Raises:
          ValueError: a side that cannot be halved that often.
        """
        check_sides(x, len(self.layers))
        half = (self.out, self.layers, self.dtype, self.axis_name)
        first = Half(*half, name="unet1")(x, train)
        second = Half(*half, name="unet2")(jnp.concatenate([x, first], -1), train)
        return second, {"first": first}
