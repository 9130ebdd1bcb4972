"""Vision Transformer (Dosovitskiy et al. 2021), one network for the published encoders.

Switches cover ViT-Ti/S/B/L, RETFound (He et al. 2022), DINOv2 (Oquab et al. 2023; registers: Darcet
et al. 2024) and DINOv3 (Simeoni et al. 2025).
"""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike

from fiqa_jax.models.layers import position
from fiqa_jax.models.layers.initial import vit_normal
from fiqa_jax.models.layers.norm import parameter_dtype

# name -> width, depth, heads (Dosovitskiy et al. 2021, table 1; Touvron et al. 2021 for Ti and S)
SIZES: dict[str, dict[str, int]] = {
    "vit_ti": {"dim": 192, "depth": 12, "heads": 3},
    "vit_s": {"dim": 384, "depth": 12, "heads": 6},
    "vit_b": {"dim": 768, "depth": 12, "heads": 12},
    "vit_l": {"dim": 1024, "depth": 24, "heads": 16},
}
POSITIONS = ("learnt", "sines", "rope")


def patchify(x: jax.Array, patch: int) -> jax.Array:
    """`[B, H, W, C]` to `[B, H/p, W/p, p * p * C]`: rows, columns, channels of a patch in order."""
    batch, height, width, channels = x.shape
    x = x.reshape(batch, height // patch, patch, width // patch, patch, channels)
    x = x.transpose(0, 1, 3, 2, 4, 5)
    return x.reshape(batch, height // patch, width // patch, patch * patch * channels)


class Attention(nn.Module):
    """Softmax attention over all tokens (Vaswani et al. 2017, equation 1), several heads."""

    heads: int
    qkv_bias: bool = True
    key_bias: bool = True
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, angles: jax.Array | None = None) -> jax.Array:
        """Maps `[B, N, C]` to `[B, N, C]`, compute dtype.

        Args:
          x: tokens.
          angles: `[1 or B, P, C / heads]` rotary angles of the LAST P tokens; None for none.
        """
        batch, count, dim = x.shape
        bias = {"query": self.qkv_bias, "key": self.qkv_bias and self.key_bias}

        def split(name: str) -> jax.Array:
            y = dense(dim, self.dtype, name, bias.get(name, self.qkv_bias))(x)
            return y.reshape(batch, count, self.heads, dim // self.heads)

        query, key, value = split("query"), split("key"), split("value")
        if angles is not None:
            query, key = rotated(query, angles), rotated(key, angles)
        exact = parameter_dtype(self.dtype)
        scores = jnp.einsum("bqhd,bkhd->bhqk", query, key, preferred_element_type=exact)
        weights = jax.nn.softmax(scores * (dim // self.heads) ** -0.5).astype(self.dtype)
        out = jnp.einsum("bhqk,bkhd->bqhd", weights, value).reshape(batch, count, dim)
        return dense(dim, self.dtype, "out")(out)


def rotated(x: jax.Array, angles: jax.Array) -> jax.Array:
    """Rotary position (Su et al. 2021) by halves, on the last tokens; the others stay.

    Args:
      x: `[B, N, heads, D]`.
      angles: `[1 or B, P, D]` with P <= N.

    Returns:
      The same shape and dtype; computed in the angles' dtype, float32 or wider.
    """
    kept, turned = jnp.split(x, [x.shape[1] - angles.shape[1]], 1)
    turned = turned.astype(angles.dtype)
    first, second = jnp.split(turned, 2, -1)
    angles = angles[:, :, None]
    turned = turned * jnp.cos(angles) + jnp.concatenate([-second, first], -1) * jnp.sin(angles)
    return jnp.concatenate([kept, turned.astype(x.dtype)], 1)


def dense(features: int, dtype: DTypeLike, name: str, bias: bool = True) -> nn.Dense:
    """A linear layer whose parameters are float32 or wider."""
    exact = parameter_dtype(dtype)
    return nn.Dense(
        features, bias, dtype=dtype, param_dtype=exact, kernel_init=vit_normal, name=name
    )


def layer_norm(epsilon: float, dtype: DTypeLike, name: str) -> nn.LayerNorm:
    """Layer normalisation over channels, its variance computed about the mean."""
    exact = parameter_dtype(dtype)
    return nn.LayerNorm(epsilon, dtype=dtype, param_dtype=exact, use_fast_variance=False, name=name)


class Block(nn.Module):
    """Attention, then two linear layers with exact GELU; each normalised before, added after."""

    heads: int
    hidden: int
    layer_scale: bool = False
    qkv_bias: bool = True
    key_bias: bool = True
    epsilon: float = 1e-6
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, angles: jax.Array | None = None) -> jax.Array:
        """Maps `[B, N, C]` to `[B, N, C]`; see `Attention` for the angles."""
        dim = x.shape[-1]
        y = layer_norm(self.epsilon, self.dtype, "norm1")(x)
        attention = Attention(
            self.heads, self.qkv_bias, self.key_bias, self.dtype, name="attention"
        )
        x = x + self._scaled(attention(y, angles), "scale1")
        y = layer_norm(self.epsilon, self.dtype, "norm2")(x)
        y = dense(self.hidden, self.dtype, "fc1")(y)
        y = dense(dim, self.dtype, "fc2")(jax.nn.gelu(y, approximate=False))
        return x + self._scaled(y, "scale2")

    def _scaled(self, x: jax.Array, name: str) -> jax.Array:
        if not self.layer_scale:
            return x
        exact = parameter_dtype(self.dtype)
        scale = self.param(name, nn.initializers.constant(1e-5), (x.shape[-1],), exact)
        return x * scale.astype(self.dtype).reshape(1, 1, -1)


class ViT(nn.Module):
    """An encoder of patches.

    Attributes:
      dim: channels of a token.
      depth: blocks.
      heads: of attention; `dim / heads` channels each.
      patch: pixels of a patch's edge.
      hidden: channels inside a block's two layers; 4 * dim when 0.
      registers: extra tokens that carry no patch.
      layer_scale: a learnt factor per channel on what each half of a block adds.
      position: learnt (a table for `grid` x `grid` patches and the class token, resized where the
        image has another number) | sines (fixed) | rope (rotary, patches only).
      grid: rows and columns of the learnt table.
      antialias: how that table is resized; see `position.resized`.
      qkv_bias, key_bias: biases of query, key and value; of the key.
      epsilon: of the layer normalisations.
      dtype: compute dtype.
    """

    dim: int
    depth: int
    heads: int
    patch: int = 16
    hidden: int = 0
    registers: int = 0
    layer_scale: bool = False
    position: str = "learnt"
    grid: int = 14
    antialias: bool = False
    qkv_bias: bool = True
    key_bias: bool = True
    epsilon: float = 1e-6
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(
        self, x: jax.Array, train: bool = False, keep: jax.Array | None = None
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        """Tokens after the final normalisation.

        Args:
          x: `[B, H, W, C] float`, normalised as the weights expect; sides multiples of `patch`.
          train: changes nothing; there is no dropout and no batch statistic.
          keep: `[B, K] int32` patches (in reading order) that enter the blocks; None for all.

        Returns:
          `[B, H / patch, W / patch, dim]` in the parameters' dtype, or `[B, K, dim]` with `keep`;
          and `cls` `[B, dim]`, `registers` `[B, registers, dim]`.

        Raises:
          ValueError: a side that is no multiple of `patch`, or an unknown `position`.
        """
        del train
        if x.shape[1] % self.patch or x.shape[2] % self.patch:
            raise ValueError(f"sides {x.shape[1:3]} are no multiples of the patch, {self.patch}")
        if self.position not in POSITIONS:
            raise ValueError(f"position {self.position!r} is none of {POSITIONS}")
        exact = parameter_dtype(self.dtype)
        batch, dim = x.shape[0], self.dim
        x = dense(dim, self.dtype, "patch")(patchify(x.astype(self.dtype), self.patch))
        shape = (x.shape[1], x.shape[2])
        patches = x.reshape(batch, -1, dim)
        start: Callable[[str, tuple[int, ...]], Any] = lambda name, size: self.param(  # noqa: E731
            name, vit_normal, size, exact
        )
        cls = start("cls", (dim,)).reshape(1, 1, dim).astype(self.dtype)
        angles = None
        if self.position == "learnt":
            table = start("position", (1 + self.grid**2, dim))
            cls = cls + table[:1, None].astype(self.dtype)
            positions = position.resized(table[1:], self.grid, shape, self.antialias)
            patches = patches + positions[None].astype(self.dtype)
        elif self.position == "sines":
            patches = patches + position.sines(shape, dim)[None].astype(self.dtype)
        else:
            angles = jnp.asarray(position.rope_angles(shape, dim // self.heads)[None], exact)
        if keep is not None:
            patches = jnp.take_along_axis(patches, keep[:, :, None], 1)
            angles = None if angles is None else angles[0][keep]
        tokens = [jnp.broadcast_to(cls, (batch, 1, dim))]
        if self.registers:
            extra = start("registers", (self.registers, dim)).astype(self.dtype)[None]
            tokens.append(jnp.broadcast_to(extra, (batch, self.registers, dim)))
        x = jnp.concatenate([*tokens, patches], 1)
        for i in range(self.depth):
            x = Block(
                self.heads,
                self.hidden or 4 * dim,
                self.layer_scale,
                self.qkv_bias,
                self.key_bias,
                self.epsilon,
                self.dtype,
                name=f"block{i}",
            )(x, angles)
        x = layer_norm(self.epsilon, self.dtype, "norm")(x).astype(exact)
        extras = {"cls": x[:, 0], "registers": x[:, 1 : 1 + self.registers]}
        x = x[:, 1 + self.registers :]
        return (x if keep is not None else x.reshape(batch, *shape, dim)), extras


def count(settings: dict[str, Any]) -> int:
    """Parameters of `ViT(**settings)` for RGB images, without making them."""
    net = ViT(**settings)
    image = jax.ShapeDtypeStruct((1, 4 * net.patch, 4 * net.patch, 3), np.float32)
    tree = jax.eval_shape(lambda x: net.init(jax.random.key(0), x), image)
    return sum(x.size for x in jax.tree.leaves(tree))
