"""EyeQual's network: a score for every patch of a photograph, pooled to one (Costa et al. 2017).

Blocks of a 3x3 convolution, 2x2 max pooling, LeakyReLU and batch normalisation, then two 1x1
convolutions: what a patch gets depends on its own window of the photograph alone. Everything
here, pooling included, is as in the code that the authors released; the paper itself was not at
hand. Batch normalisation differs: the release normalises by the batch in use as well, this one by
running statistics, so that a photograph's scores do not depend on its neighbours in a batch.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from fiqa_jax.models.layers.initial import xavier
from fiqa_jax.models.layers.norm import BatchNorm, parameter_dtype
from fiqa_jax.models.layers.pool import max_pool_2x2

SLOPE = 0.02  # of LeakyReLU
MOST = 8  # channels grow to this times the first block's
POOLINGS = ("swap", "weighted", "mean", "max")


class Block(nn.Module):
    """Convolution, 2x2 max pooling where asked for, LeakyReLU, batch normalisation."""

    features: int
    kernel: int
    halved: bool
    dtype: DTypeLike
    axis_name: str | None

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        """Maps `[B, H, W, C]` to `[B, H, W, features]`, or to half the sides."""
        x = _conv(self.features, self.kernel, self.dtype)(x)
        x = nn.leaky_relu(max_pool_2x2(x) if self.halved else x, SLOPE)
        return BatchNorm(train, self.dtype, self.axis_name, name="norm")(x)


class EyeQual(nn.Module):
    """Logits of patches and of the photograph.

    Attributes:
      width: channels of the first block; they double with each block, up to `MOST` times.
      blocks: 3x3 blocks; each halves the sides.
      pooling: one of `POOLINGS`, see `pooled`.
      dtype: compute dtype.
      axis_name: mapped axis of batch statistics; None under jit.
    """

    width: int = 64
    blocks: int = 4
    pooling: str = "swap"
    dtype: DTypeLike = jnp.float32
    axis_name: str | None = None

    @nn.compact
    def __call__(
        self, x: jax.Array, seen: jax.Array, train: bool
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        """Logits of photographs and the badness of their patches.

        Args:
          x: `[B, H, W, 3] float`, normalised; H and W multiples of 2^blocks.
          seen: `[B, h, w]` share of each patch in the field, h = H / 2^blocks: its part in the
            pooling.
          train: batch statistics instead of running ones.

        Returns:
          `[B]` in the parameters' dtype, and `patches [B, h, w]` in [0, 1], both higher = worse.
        """
        features = self.width
        x = x.astype(self.dtype)
        for i in range(self.blocks):
            features = self.width * min(2**i, MOST)
            x = self._block(features, 3, True, f"block{i + 1}")(x, train)
        x = self._block(features, 1, False, "mix")(x, train)
        exact = parameter_dtype(self.dtype)
        patches = jax.nn.sigmoid(_conv(1, 1, self.dtype)(x)[..., 0].astype(exact))
        weight, bias = jnp.ones(seen.shape[1:], exact), jnp.zeros((), exact)
        if self.pooling in ("swap", "weighted"):
            even = nn.initializers.constant(1.0 / weight.size)
            weight = self.param("weight", even, seen.shape[1:], exact)
        if self.pooling == "swap":
            bias = self.param("bias", nn.initializers.zeros, (), exact)
        whole = pooled(patches, seen.astype(exact), jnp.abs(weight), bias, self.pooling)
        return whole, {"patches": patches}

    def _block(self, features: int, kernel: int, halved: bool, name: str) -> Block:
        return Block(features, kernel, halved, self.dtype, self.axis_name, name=name)


def window(blocks: int) -> int:
    """Pixels of the edge of the window that a patch is scored by: 46 for four blocks.

    The convolution of a block whose pixels lie s = 2^i apart adds 2 s, its pooling s.
    """
    return 1 + sum(3 * 2**i for i in range(blocks))


def pooled(
    patches: jax.Array, seen: jax.Array, weight: jax.Array, bias: jax.Array, pooling: str
) -> jax.Array:
    """The photograph's logit from its patches.

    With q the patches' badness, m their mean weighted by w * seen and W the sum of w:

        swap      W m - 1/2 + b, a logit (released, with all patches seen: sum of w q - 1/2 + b)
        weighted  m, a probability
        mean      the same with equal weights
        max       the largest q that is seen at all, a probability: one bad patch is enough

    The part of `seen` is ours: a photograph that shows less of the eye is not better for it.

    Args:
      patches: `[B, h, w]` in [0, 1].
      seen: `[B, h, w]` in [0, 1]; a photograph of which nothing is seen has m = 0.
      weight: `[h, w]`, not negative.
      bias: scalar b.
      pooling: one of `POOLINGS`.

    Returns:
      `[B]`: logits; those of probabilities are cut at 1e-6 from 0 and 1.
    """
    part = weight[None] * seen
    total = part.sum((1, 2))
    mean = (patches * part).sum((1, 2)) / jnp.where(total > 0, total, 1.0)
    if pooling == "swap":
        return weight.sum() * mean - 0.5 + bias
    if pooling == "max":
        mean = jnp.where(seen > 0, patches, 0.0).max((1, 2))
    p = jnp.clip(mean, 1e-6, 1.0 - 1e-6)
    return jnp.log(p) - jnp.log1p(-p)


def _conv(features: int, kernel: int, dtype: DTypeLike) -> nn.Conv:
    return nn.Conv(
        features,
        (kernel, kernel),
        padding="SAME",
        dtype=dtype,
        param_dtype=parameter_dtype(dtype),
        kernel_init=xavier,
        name="conv",
    )
