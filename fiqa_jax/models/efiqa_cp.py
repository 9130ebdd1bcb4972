"""EFIQA-CP's network (2026, released code): ConvNeXt blocks, an encoder's cells to quality cells.

64 x 64 cells of features become 16 x 16 logits through blocks with 7x7 depthwise convolutions,
so that a cell sees far around itself with few parameters: at the fovea vessels are missing by
nature. Between the stages 2x2 convolutions halve the grid. Without an encoder a small stem of two
convolutions makes cells of a photograph (ours). With fewer stages the grid is halved less often:
one stage keeps the grid of its features (ours).
"""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from fiqa_jax.models.layers.depthwise import Depthwise
from fiqa_jax.models.layers.initial import quick_key
from fiqa_jax.models.layers.norm import parameter_dtype
from fiqa_jax.models.vit import layer_norm, patchify

BLOCKS = (2, 2, 1)  # of each stage
DROP = (0.033, 0.066, 0.1)  # share of examples that leave a block's branch out, by stage
EPSILON = 1e-6  # of layer normalisation
KERNEL = 7
STRIDE = 4  # pixels of a cell of the stem


def uniform(fan_in: int) -> Callable[..., jax.Array]:
    """Uniform in +-1 / sqrt(fan-in): kernels and biases of PyTorch's convolutions."""

    def draw(key: jax.Array, shape: tuple[int, ...], dtype: DTypeLike = jnp.float32) -> jax.Array:
        bound = fan_in**-0.5
        return jax.random.uniform(quick_key(key), shape, dtype, -bound, bound)

    return draw


def pointwise(features: int, fan_in: int, dtype: DTypeLike, name: str) -> nn.Dense:
    """A 1x1 convolution."""
    draw = uniform(fan_in)
    exact = parameter_dtype(dtype)
    return nn.Dense(
        features, dtype=dtype, param_dtype=exact, kernel_init=draw, bias_init=draw, name=name
    )


def drop_paths(keys: jax.Array, blocks: tuple[int, ...] = BLOCKS) -> jax.Array:
    """Factors on the branch of every block in training (stochastic depth, Huang et al. 2016).

    Args:
      keys: `[B]`, one per example, so that any number of devices draws the same.
      blocks: of each stage, at most as many as DROP has.

    Returns:
      `[B, sum(blocks)]` floats: 0 where the branch is left out, else 1 / (1 - its share).
    """
    share = jnp.asarray([p for p, count in zip(DROP, blocks, strict=False) for _ in range(count)])

    def one(key: jax.Array) -> jax.Array:
        stays = jax.random.uniform(key, share.shape) >= share
        return stays / (1.0 - share)

    return jax.vmap(one)(keys)


class Block(nn.Module):
    """x + gamma * MLP(LN(depthwise 7x7)), per channel gamma from 1 on.

    Attributes:
      hidden: channels between the two layers.
      dtype: compute dtype.
    """

    hidden: int
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, factor: jax.Array | None = None) -> jax.Array:
        """Maps `[B, h, w, C]` to the same, compute dtype; factor `[B]` of the branch."""
        width, exact = x.shape[-1], parameter_dtype(self.dtype)
        draw = uniform(KERNEL * KERNEL)
        y = Depthwise(KERNEL, draw, self.dtype, name="dw")(x)
        y = layer_norm(EPSILON, self.dtype, "norm")(y)
        y = pointwise(self.hidden, width, self.dtype, "pw1")(y)
        y = pointwise(width, self.hidden, self.dtype, "pw2")(jax.nn.gelu(y, approximate=False))
        gamma = self.param("gamma", nn.initializers.ones, (width,), exact)
        y = y * gamma.astype(self.dtype).reshape(1, 1, 1, -1)
        return x + (y if factor is None else y * factor.astype(self.dtype).reshape(-1, 1, 1, 1))


class Stem(nn.Module):
    """Cells of 4 x 4 pixels: two 3x3 convolutions at stride 2 with GELU between.

    Attributes:
      features: channels of a cell.
      dtype: compute dtype.
    """

    features: int = 64
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Maps `[B, H, W, 3]` to `[B, H / 4, W / 4, features]`, compute dtype."""
        x = x.astype(self.dtype)
        for i, size in enumerate((self.features // 2, self.features), 1):
            draw = uniform(9 * x.shape[-1])
            x = nn.Conv(
                size,
                (3, 3),
                2,
                ((1, 1), (1, 1)),
                dtype=self.dtype,
                param_dtype=parameter_dtype(self.dtype),
                kernel_init=draw,
                bias_init=draw,
                name=f"conv{i}",
            )(x)
            x = jax.nn.gelu(x, approximate=False) if i == 1 else x
        return x


class EfiqaCP(nn.Module):
    """The network.

    Attributes:
      width: channels of every block (published: 512).
      ratio: hidden channels of a block are this times `width` (published: 1; an older one had 4).
      blocks: of the stages (published: three); between two of them the grid is halved.
      stem: channels of the stem's cells where the input is a photograph; 0: the input is features.
      dtype: compute dtype.
    """

    width: int = 512
    ratio: int = 1
    blocks: tuple[int, ...] = BLOCKS
    stem: int = 0
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(
        self, x: jax.Array, paths: jax.Array | None = None
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        """Logits of cells, higher = worse.

        Args:
          x: features `[B, h, w, C] float`, or with a stem images `[B, 4 h, 4 w, 3] float`; with
            three stages h and w are multiples of 4.
          paths: from `drop_paths` in training; None keeps every branch.

        Returns:
          `[B, h / 4, w / 4]` in the parameters' dtype, and the last map of each stage, `stage1` to
          `stage3`.

        Raises:
          ValueError: a grid that cannot be halved as often.
        """
        if x.shape[1] % self.cell or x.shape[2] % self.cell:
            what = "pixels" if self.stem else "cells of features"
            raise ValueError(
                f"EFIQA-CP makes one cell of {self.cell} x {self.cell} {what}: {x.shape[1]} x "
                f"{x.shape[2]} is no multiple of that"
            )
        x = Stem(self.stem, self.dtype, name="pixels")(x) if self.stem else x
        width = self.width
        x = layer_norm(EPSILON, self.dtype, "stem_norm")(x)
        x = pointwise(width, x.shape[-1], self.dtype, "stem")(x)
        maps: dict[str, jax.Array] = {}
        place = 0
        for stage, count in enumerate(self.blocks, 1):
            if stage > 1:
                x = layer_norm(EPSILON, self.dtype, f"down{stage - 1}_norm")(x)
                x = pointwise(width, 4 * width, self.dtype, f"down{stage - 1}")(patchify(x, 2))
            for i in range(count):
                factor = None if paths is None else paths[:, place]
                block = Block(self.ratio * width, self.dtype, name=f"stage{stage}_block{i}")
                x = block(x, factor)
                place += 1
            maps[f"stage{stage}"] = x
        x = layer_norm(EPSILON, self.dtype, "head_norm")(x)
        logits = pointwise(1, width, self.dtype, "head")(x)
        return logits[..., 0].astype(parameter_dtype(self.dtype)), maps

    @property
    def cell(self) -> int:
        """Pixels, or cells of features, along an edge of a cell of the result."""
        return 2 ** (len(self.blocks) - 1) * (STRIDE if self.stem else 1)
