"""Masked autoencoder (He et al. 2022): a ViT sees some patches, a small decoder draws the rest."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from fiqa_jax.models.layers import position
from fiqa_jax.models.layers.initial import vit_normal
from fiqa_jax.models.layers.norm import parameter_dtype
from fiqa_jax.models.vit import Block, ViT, dense, layer_norm


def random_order(keys: jax.Array, patches: int) -> jax.Array:
    """A random order of the patches for each example, `[B, patches] int32`.

    Args:
      keys: `[B]`, one per example, so that any number of devices draws the same.
      patches: of an image.
    """
    return jax.vmap(lambda k: jnp.argsort(jax.random.uniform(k, (patches,))).astype(jnp.int32))(
        keys
    )


class MaskedAutoencoder(nn.Module):
    """Encoder on the visible patches, decoder on all.

    Attributes:
      encoder: any ViT; `sines` as position is what the paper has.
      dim, depth, heads: of the decoder.
      dtype: compute dtype.
    """

    encoder: ViT
    dim: int
    depth: int
    heads: int
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, order: jax.Array, visible: int) -> jax.Array:
        """Predicted pixels of every patch.

        Args:
          x: `[B, H, W, C] float`.
          order: `[B, N] int32` patches in random order.
          visible: how many of them, from the front, the encoder sees.

        Returns:
          `[B, N, p * p * C]` in the parameters' dtype, patches in reading order.
        """
        batch, height, width, colours = x.shape
        patch, exact = self.encoder.patch, parameter_dtype(self.dtype)
        tokens, extra = self.encoder(x, keep=order[:, :visible])
        y = jnp.concatenate([extra["cls"][:, None], tokens], 1)
        y = dense(self.dim, self.dtype, "embed")(y)
        hidden = self.param("mask_token", vit_normal, (self.dim,), exact).astype(self.dtype)
        shape = (batch, order.shape[1] - visible, self.dim)
        both = jnp.concatenate([y[:, 1:], jnp.broadcast_to(hidden.reshape(1, 1, -1), shape)], 1)
        both = jnp.take_along_axis(both, jnp.argsort(order, 1)[:, :, None], 1)
        table = position.sines((height // patch, width // patch), self.dim)
        both = both + table[None].astype(self.dtype)
        y = jnp.concatenate([y[:, :1], both], 1)
        for i in range(self.depth):
            block = Block(self.heads, 4 * self.dim, dtype=self.dtype, name=f"block{i}")
            y = block(y)
        y = layer_norm(1e-6, self.dtype, "norm")(y)
        return dense(patch * patch * colours, self.dtype, "head")(y[:, 1:]).astype(exact)
