"""What can be seen in every cell: the terms it is learned by, the map, and what it sums up to.

Logits of a cell: usable or bad, bad, and the four causes. Known truth teaches them
(`input_pipeline.synthetic.defects`): v < 0.6 is usable or bad, v < 0.25 is bad. Nothing is trained
in the measures below them, so photographs are not turned but their cells are.
"""

from typing import Any

import jax
import jax.numpy as jnp

from fiqa_jax.models import cell_measures
from fiqa_jax.models import cell_network as nets
from fiqa_jax.training import losses, method

CAUSES = ("illumination", "sharpness", "contrast", "covered")  # codes 1 to 4 of `cause`
LOGITS = 2 + len(CAUSES)
CAUSE_WEIGHT = 0.3  # of the cause beside what is seen
ABSENT = 255  # code of a cell of which nothing is known
LEVELS = (0.1, 0.25, 0.4, 0.55, 0.7, 0.85)  # of the map, above which shares of the field are taken
SOFT = 0.05  # width of such a step
HALF = 0.5  # of the radius: the middle of the field


def measured(image: jax.Array, fov: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Measures `[B, 32, 32, F]` of cells and which of them lie in the field `[B, 32, 32] bool`."""
    measures = jax.lax.stop_gradient(cell_measures.measures(image, fov))
    return measures, cell_measures.inside(measures)


def turned(values: jax.Array, keys: jax.Array) -> jax.Array:
    """Every example's cells `[B, n, n, ...]` in one of their eight positions, drawn by its key."""

    def one(cells: jax.Array, key: jax.Array) -> jax.Array:
        flips = jax.random.bernoulli(key, 0.5, (3,))
        cells = jnp.where(flips[0], cells[::-1], cells)
        cells = jnp.where(flips[1], cells[:, ::-1], cells)
        return jnp.where(flips[2], jnp.swapaxes(cells, 0, 1), cells)

    out: jax.Array = jax.vmap(one)(values, keys)
    return out


def terms(logits: jax.Array, codes: jax.Array, cause: jax.Array | None) -> dict[str, losses.Term]:
    """Whether a cell is usable or bad, whether it is bad, and the cause where it is either.

    Args:
      logits: `[B, h, w, LOGITS]`.
      codes: `[B, h, w]` uint8, FunPiQ's: 0 outside, 1 good, 2 usable, 3 bad, 255 not known.
      cause: `[B, h, w]` uint8, 0 for none, else one more than the index into `CAUSES`; or None.
    """
    known = (codes > 0) & (codes < ABSENT)
    targets = jnp.stack([codes >= 2, codes >= 3], -1)
    value, _ = losses.binary_cross_entropy(logits[..., :2], targets)
    out = {"cells": _mean_of_cells(value.mean(-1), known, 1.0)}
    if cause is not None:
        value, valid = losses.cross_entropy(logits[..., 2:], cause.astype(jnp.int32) - 1)
        out["cause"] = _mean_of_cells(value, known & (valid > 0), CAUSE_WEIGHT)
    return out


def _mean_of_cells(value: jax.Array, known: jax.Array, factor: float) -> losses.Term:
    count = known.sum((1, 2))
    mean = jnp.where(known, value, 0.0).sum((1, 2)) / jnp.maximum(count, 1)
    return losses.Term(mean, (count > 0).astype(value.dtype), factor)


def map_and_causes(logits: jax.Array, inside: jax.Array) -> method.Outputs:
    """`map [B, h, w]`, 1 where nothing is seen, 0 outside the field; `causes [B, h, w, 4]`."""
    p = jax.nn.sigmoid(logits[..., :2])
    causes = jax.nn.softmax(logits[..., 2:])
    quality = jnp.where(inside, p.mean(-1), 0.0)
    return {"map": quality, "causes": jnp.where(inside[..., None], causes, 0.0)}


def shares(outputs: dict[str, Any], inside: jax.Array, field_px: jax.Array) -> jax.Array:
    """What a photograph's map sums up to, `[B, 18] float`, without a way back for gradients.

    The mean of the map, of its middle and of each cause's part; the shares of the field above some
    levels; those by cause; the size of the field.

    Args:
      outputs: see `map_and_causes`; `inside`: `[B, h, w] bool`; `field_px`: `[B]`.
    """
    quality, causes = (jax.lax.stop_gradient(outputs[k]) for k in ("map", "causes"))
    weight = inside.astype(quality.dtype)
    total = jnp.maximum(weight.sum((1, 2)), 1)
    n = quality.shape[1]
    place = (jnp.arange(n) + 0.5) / n * 2 - 1
    middle = weight * (jnp.hypot(place[None, :, None], place[None, None, :]) < HALF)
    levels = jnp.array(LEVELS, quality.dtype).reshape(1, 1, 1, -1)
    above = jax.nn.sigmoid((quality[..., None] - levels) / SOFT)
    bad = jax.nn.sigmoid((quality - 0.5) / SOFT)[..., None] * causes
    columns = [
        (quality * weight).sum((1, 2))[:, None] / total[:, None],
        ((quality * middle).sum((1, 2)) / jnp.maximum(middle.sum((1, 2)), 1))[:, None],
        ((quality * weight)[..., None] * causes).sum((1, 2)) / total[:, None],
        (above * weight[..., None]).sum((1, 2)) / total[:, None],
        (bad * weight[..., None]).sum((1, 2)) / total[:, None],
        jnp.stack(nets.field_size(field_px), -1).astype(quality.dtype),
    ]
    return jnp.concatenate(columns, -1)
