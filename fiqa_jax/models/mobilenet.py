"""MobileNetV1 (Howard et al. 2017): small features from ImageNet, as Keras builds and pads it."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from fiqa_jax.models.norm import BatchNorm, parameter_dtype

# stride and channels of each block (table 1); the first convolution has stride 2 and 32 channels
BLOCKS = (
    *((1, 64), (2, 128), (1, 128), (2, 256), (1, 256), (2, 512)),
    *((1, 512),) * 5,
    *((2, 1024), (1, 1024)),
)
EPSILON = 1e-3  # of batch normalisation, Keras's


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
        x = self._layer(x, round(32 * self.width), 3, 2, 1, "conv1", train)
        for i, (step, channels) in enumerate(BLOCKS[: self.blocks], 1):
            stride *= step
            x = self._layer(x, x.shape[-1], 3, step, x.shape[-1], f"depthwise{i}", train)
            x = self._layer(x, round(channels * self.width), 1, 1, 1, f"pointwise{i}", train)
            maps[f"stride{stride}"] = x.astype(parameter_dtype(self.dtype))
        return maps[f"stride{stride}"], maps

    def _layer(
        self,
        x: jax.Array,
        features: int,
        size: int,
        stride: int,
        groups: int,
        name: str,
        train: bool,
    ) -> jax.Array:
        # At stride 2 Keras pads below and to the right only.
        pad = {(3, 1): (1, 1), (3, 2): (0, 1), (1, 1): (0, 0)}[size, stride]
        x = nn.Conv(
            features,
            (size, size),
            stride,
            (pad, pad),
            feature_group_count=groups,
            use_bias=False,
            dtype=self.dtype,
            param_dtype=parameter_dtype(self.dtype),
            name=name,
        )(x)
        norm = BatchNorm(train, self.dtype, self.axis_name, epsilon=EPSILON, name=f"{name}_norm")
        return jnp.clip(norm(x), 0.0, 6.0)
