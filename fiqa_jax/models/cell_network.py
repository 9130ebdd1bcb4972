"""What can be seen in every cell of a photograph, and what is in the way.

Measures of every cell that nobody trained (`cell_measures`), and a small convolutional network on
the grid of cells that has learned what they mean: beside each number stands its difference to the
photograph's mean, so that a camera's gain drops out, and convolutions look at the neighbours. The
network knows how fine a detail the file can hold.
"""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from fiqa_jax.models.layers.norm import BatchNorm, parameter_dtype

REFERENCE_PX = 512.0  # a field of so many pixels counts as 0
WIDTH = 32  # channels
BLOCKS = 2


class CellNetwork(nn.Module):
    """Logits of cells from their measures.

    Attributes:
      kinds: logits of a cell.
      width: factor on the channels.
      dropout: share of the measures that is left out of a photograph where keys are given, so that
        no single one decides.
      dtype: compute dtype.
      axis_name: mapped axis of batch statistics, None under jit.
      blocks: of two convolutions each, which look at neighbours.
    """

    kinds: int
    width: float = 1.0
    dropout: float = 0.1
    dtype: DTypeLike = jnp.float32
    axis_name: str | None = None
    blocks: int = BLOCKS

    @nn.compact
    def __call__(
        self,
        measures: jax.Array,
        inside: jax.Array,
        field_px: jax.Array,
        train: bool,
        keys: jax.Array | None = None,
    ) -> jax.Array:
        """Args: measures `[B, h, w, F] float`; inside `[B, h, w]`, 1 where a cell counts; field_px
        `[B] float` pixels across the field in the file, NaN where it is not known; keys `[B]` of
        the examples, for dropout.

        Returns:
          `[B, h, w, kinds]` logits.
        """
        exact = parameter_dtype(self.dtype)
        how: dict[str, Any] = {"dtype": self.dtype, "param_dtype": exact}
        channels = max(8, round(self.width * WIDTH))
        mask = inside[..., None].astype(exact)
        x = BatchNorm(train, exact, self.axis_name, momentum=0.97, name="standard")(measures)
        x = jnp.clip(x, -6, 6) * mask
        if keys is not None:
            x = dropped(x, keys, self.dropout)
        whole = mean_inside(x, mask)
        size, known = field_size(field_px)
        facts = jnp.stack([size, known], -1)[:, None, None]
        facts = jnp.broadcast_to(facts.astype(exact), (*x.shape[:-1], 2))
        x = jnp.concatenate([x, (x - whole) * mask, facts], -1).astype(self.dtype)
        mask = mask.astype(self.dtype)
        x = nn.silu(nn.Dense(channels, name="mix", **how)(x)) * mask
        for k in range(self.blocks):
            y = nn.silu(nn.Conv(channels, (3, 3), name=f"near_{k}", **how)(x)) * mask
            y = nn.Conv(channels, (3, 3), name=f"far_{k}", **how)(y)
            around = nn.Dense(channels, name=f"whole_{k}", **how)(mean_inside(x, mask))
            x = (x + nn.silu(y + around)) * mask
        return nn.Dense(self.kinds, name="cells", dtype=exact, param_dtype=exact)(x.astype(exact))


def mean_inside(x: jax.Array, mask: jax.Array) -> jax.Array:
    """Mean `[B, 1, 1, C]` of `[B, h, w, C]` over the cells with a mask `[B, h, w, 1]` of 1."""
    total = jnp.maximum(mask.sum((1, 2), keepdims=True), 1)
    return (x * mask).sum((1, 2), keepdims=True) / total


def field_size(field_px: jax.Array) -> tuple[jax.Array, jax.Array]:
    """log2(field / 512 px) and whether it is known, both `[B] float`; 0 and 0 where it is not."""
    known = jnp.isfinite(field_px) & (field_px > 0)
    size = jnp.log2(jnp.where(known, field_px, REFERENCE_PX) / REFERENCE_PX)
    return size, known.astype(size.dtype)


def dropped(x: jax.Array, keys: jax.Array, share: float) -> jax.Array:
    """`[B, ..., F]` with a `share` of each example's last axis at 0, the others enlarged for it."""

    def one(key: jax.Array, values: jax.Array) -> jax.Array:
        keep = jax.random.bernoulli(key, 1 - share, values.shape[-1:])
        return jnp.where(keep, values / (1 - share), 0.0)

    draw: Callable[[jax.Array, jax.Array], jax.Array] = jax.vmap(one)
    return draw(keys, x)
