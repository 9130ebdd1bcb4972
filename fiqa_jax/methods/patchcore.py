"""PatchCore: how far a cell lies from everything that good photographs show (Roth et al. 2022).

A frozen encoder's cells, each averaged with its neighbours, are compared with a coreset of such
cells of good photographs; the distance to the nearest member is the map (CVPR 2022, sections 3.1
and 3.3). Nothing is trained: a fit stage with the artefact `coreset` (`recipe.fit_coreset`) chooses
the members. Ours, where the paper compares ranks alone: features are standardised by good cells,
what lies outside the field of view is left out of the averages, and distances become numbers in
[0, 1] by a rule that is fitted on held-out good photographs and is the same for every photograph.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jax.scipy.special import logsumexp
from ml_collections import ConfigDict

from fiqa_jax.methods.efiqa_adapter import map_auroc, seen_cells
from fiqa_jax.training import method, state

CHUNK = 1024  # members that all cells are compared with at a time
INSIDE = 0.5  # share of a cell in the field from which on it is judged
_EXACT = jax.lax.Precision.HIGHEST


def build(config: ConfigDict, data: method.DataSpec, run: method.Run) -> method.Method:
    """The method of a fitted model; `step` is none of its functions that can be called.

    Args:
      config: the sections method (`members`, `reach`, `neighbours`).
      data: gives the shape of the features.

    Raises:
      ValueError: data without features, no members, or a neighbourhood without a middle.
    """
    settings = config.method
    if len(data.features) != 3:
        raise ValueError(
            "PatchCore reads features of an encoder; give its stage inputs=(('features', an apply "
            f"stage with an encoder, 'features'), ...). Seen: {data.features or 'none'}"
        )
    if settings.members < 2:
        raise ValueError(
            "PatchCore is not trained: a fit stage with artefact='coreset' makes its model; see "
            f"configs/families.py. Seen: method.members = {settings.members}"
        )
    if settings.reach % 2 == 0:
        raise ValueError(f"method.reach is an odd number of cells, not {settings.reach}")
    channels = data.features[-1]
    shapes = {
        "coreset": (settings.members, channels),
        "mean": (channels,),
        "deviation": (channels,),
        "cells": (2,),
        "photographs": (2,),
    }

    def init(key: jax.Array) -> state.TrainState:
        del key  # the fit stage fills these in
        return state.create({k: jnp.zeros(s) for k, s in shapes.items()}, {}, {}, False)

    def step(*args: Any, **kwargs: Any) -> Any:
        raise ValueError("PatchCore is not trained: a fit stage with artefact='coreset' makes it")

    def predict(variables: Any, batch: method.Batch) -> method.Outputs:
        params, features = variables["params"], batch["features"].astype(jnp.float32)
        seen = seen_cells(batch, features[..., 0])
        distance, raw = measure(params, features, seen, settings.reach, settings.neighbours)
        quality = jnp.where(seen >= INSIDE, unit(distance, params["cells"]), 0.0)
        out = {"map": quality, "score": unit(raw, params["photographs"])}
        if "map" in batch:
            out["row_map_auroc"] = map_auroc(quality, batch["map"])
        return out

    return method.Method(init, step, predict)


def measure(
    params: Any, features: jax.Array, seen: jax.Array, reach: int, neighbours: int
) -> tuple[jax.Array, jax.Array]:
    """Distances of cells and of photographs, before any scale.

    Args:
      params: `coreset [M, C]` standardised members; `mean [C]`, `deviation [C]` of good cells.
      features: `[B, h, w, C] float`.
      seen: `[B, h, w]` share of each cell in the field.
      reach: cells of a neighbourhood's edge.
      neighbours: b of equation 7.

    Returns:
      `[B, h, w]`, the distance of each cell to its nearest member; `[B]`, the largest of those in
      the field, weighted (equation 7), 0 where no cell is in the field.
    """
    shape = (1, 1, 1, -1)
    cells = aggregate(features, seen, reach) - params["mean"].reshape(shape)
    cells = cells / params["deviation"].reshape(shape)
    place = nearest(cells, params["coreset"])
    distance = jnp.linalg.norm(cells - params["coreset"][place], axis=-1)
    inside = jnp.where(seen >= INSIDE, distance, -1.0).reshape(cells.shape[0], -1)
    worst = inside.argmax(1)[:, None]
    cell = jnp.take_along_axis(
        cells.reshape(*inside.shape, -1), worst[..., None], axis=1, mode="clip"
    )[:, 0]
    member = jnp.take_along_axis(place.reshape(inside.shape), worst, axis=1, mode="clip")[:, 0]
    score = weighted(cell, member, params["coreset"], neighbours)
    return distance, jnp.where(inside.max(1) >= 0.0, score, 0.0)


def aggregate(features: jax.Array, seen: jax.Array, reach: int) -> jax.Array:
    """Means over neighbourhoods of cells (equation 2, average pooling), weighted by the field.

    Args:
      features: `[B, h, w, C] float`.
      seen: `[B, h, w]` share of each cell in the field: its weight. At the frame's edge the mean is
        over the cells that there are.
      reach: cells of a neighbourhood's edge, odd; p of the paper, there 3.

    Returns:
      `[B, h, w, C]`; 0 where the whole neighbourhood lies outside.
    """

    def total(x: jax.Array) -> jax.Array:
        window = (1, reach, reach, 1)
        return jax.lax.reduce_window(x, 0.0, jax.lax.add, window, (1, 1, 1, 1), "SAME")

    weight = seen[..., None].astype(features.dtype)
    count = total(weight)
    return jnp.where(count > 0, total(features * weight) / jnp.where(count > 0, count, 1.0), 0.0)


def nearest(cells: jax.Array, coreset: jax.Array) -> jax.Array:
    """The member nearest to each cell `[B, h, w] int32`, the first of equally near ones.

    Args:
      cells: `[B, h, w, C] float`; `coreset`: `[M, C] float`, compared `CHUNK` members at a time.
    """
    chunk = min(CHUNK, len(coreset))
    spare = -len(coreset) % chunk
    # The cell's own square is the same for all members. A spare member is nearest to nothing.
    square = jnp.pad((coreset**2).sum(-1), (0, spare), constant_values=jnp.inf)
    members = jnp.pad(coreset, ((0, spare), (0, 0)))

    def step(best: tuple, part: tuple) -> tuple[tuple, None]:
        value, place, first = best
        product = jnp.einsum("bhwc,mc->bhwm", cells, part[0], precision=_EXACT)
        gap = part[1].reshape(1, 1, 1, -1) - 2.0 * product
        low, here = gap.min(-1), gap.argmin(-1).astype(jnp.int32) + first
        closer = low < value
        nearest = jnp.where(closer, low, value), jnp.where(closer, here, place)
        return (*nearest, first + chunk), None

    start = (
        jnp.full(cells.shape[:-1], jnp.inf, cells.dtype),
        jnp.zeros(cells.shape[:-1], jnp.int32),
        jnp.int32(0),
    )
    parts = (members.reshape(-1, chunk, members.shape[-1]), square.reshape(-1, chunk))
    return jax.lax.scan(step, start, parts)[0][1]


def weighted(cell: jax.Array, member: jax.Array, coreset: jax.Array, neighbours: int) -> jax.Array:
    """The photograph's score (equations 6 and 7): its worst cell's distance, more where m* is rare.

    s = (1 - exp |x - m*| / sum over m in N_b(m*) of exp |x - m|) |x - m*|, with N_b(m*) the b
    members nearest to m*, itself among them.

    Args:
      cell: `[B, C]`, x, the cell that lies farthest from the coreset.
      member: `[B] int32`, m*, the member nearest to it.
      coreset: `[M, C]`.
      neighbours: b; no more than M are taken.

    Returns:
      `[B]`, between 0 and the distance.
    """
    nearest = coreset[member]
    apart = jnp.linalg.norm(nearest[:, None] - coreset[None], axis=-1)
    apart = jnp.where(jnp.arange(len(coreset))[None] == member[:, None], -1.0, apart)
    _, near = jax.lax.top_k(-apart, min(neighbours, len(coreset)))
    far = jnp.linalg.norm(cell[:, None] - coreset[near], axis=-1)  # of m* itself first
    return (1.0 - jnp.exp(far[:, 0] - logsumexp(far, axis=1))) * far[:, 0]


def unit(distance: jax.Array, rule: jax.Array) -> jax.Array:
    """Distances in [0, 1]: d^k / (d^k + q^k).

    Args:
      distance: any shape, at least 0.
      rule: `[2]`, q and k: a half at q.
    """
    return jax.nn.sigmoid(rule[1] * (jnp.log(distance) - jnp.log(rule[0])))
