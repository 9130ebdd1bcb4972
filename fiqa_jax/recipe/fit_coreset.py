"""The coreset of PatchCore: few cells of good photographs that stand for all of them.

A fit stage with `artefact="coreset"` and `inputs` of `features` and `seen` leaves a model of the
method `patchcore`. Its photographs have to be good ones: drawn with lq_ratio 0, or labelled, of
which those that are not good are left out. Training photographs give the members; those of
`split` (val), which it has not seen, say which distances good cells have.
"""

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict
from numpy.typing import NDArray

from fiqa_jax.defaults import resolved
from fiqa_jax.inference import model_dir
from fiqa_jax.methods import patchcore
from fiqa_jax.recipe import fit_maps, stored
from fiqa_jax.recipe.data import Data
from fiqa_jax.recipe.jobs import Job, RecipeError

HIGH, LOW = 99.0, 0.1  # a half at this percentile of good cells; what the median good cell gets
BATCH = 16
Floats = NDArray[np.float32]


def greedy(points: Floats, count: int) -> NDArray[np.int64]:
    """Greedy k-centre selection (algorithm 1): always the point farthest from those chosen.

    It starts from the point farthest from the mean, which is where the released code starts (from
    the largest root of summed squared distances) without the matrix of all distances.

    Args:
      points: `[N, C] float`.
      count: how many, at most N.

    Returns:
      `[count]` rows, in the order they were chosen.
    """
    square = (points * points).sum(1)
    gap = ((points - points.mean(0)) ** 2).sum(1)
    chosen = np.empty(count, np.int64)
    distance = np.full(len(points), np.inf, points.dtype)
    for k in range(count):
        row = int(gap.argmax())
        chosen[k] = row
        here = np.maximum(square - 2.0 * (points @ points[row]) + square[row], 0.0)
        distance = np.minimum(distance, here)
        distance[row] = -1.0  # never again
        gap = distance
    return chosen


def projected(points: Floats, channels: int, seed: int) -> Floats:
    """Points by a random linear map of Johnson and Lindenstrauss, which keeps distances roughly.

    Args:
      points: `[N, C]`; as they are where C is no more than `channels`.
      channels: of the result; 0 for as they are.
      seed: of the map.
    """
    if not 0 < channels < points.shape[1]:
        return points
    from sklearn.random_projection import GaussianRandomProjection

    projection = GaussianRandomProjection(channels, random_state=seed).fit_transform(points)
    return np.asarray(projection, np.float32)


def rule(distance: Floats) -> Floats:
    """q and k of `patchcore.unit`, from distances of held-out good cells or photographs `[n]`.

    q is their 99th percentile, so that one in a hundred is called bad; k gives the median one
    `LOW`.

    Raises:
      ValueError: distances that are all 0.
    """
    middle, high = np.percentile(distance, (50.0, HIGH))
    if not high > 0:
        raise ValueError(
            f"{len(distance)} held-out distances, {HIGH:g} % of them 0: the held-out photographs "
            "are those that the coreset was made from"
        )
    ratio = max(high / max(middle, 1e-6 * high), 1.05)
    return np.array([high, np.log((1.0 - LOW) / LOW) / np.log(ratio)], np.float32)


def coreset_fit(job: Job, stage_folder: Path, data: Callable[[], Data]) -> dict[str, Any]:
    """A PatchCore model of good photographs, and the encoder whose features they were given by.

    Settings are those of the method `patchcore`. All cells of the photographs are held in memory.

    Raises:
      RecipeError: no features, no photographs in one of the two splits, or too few cells.
    """
    del stage_folder
    settings, stored_features = job.config.method, stored.data_of(job, data)
    shape = stored.shape_of_features(stored_features)
    if not shape:
        raise RecipeError(
            f"stage {job.title!r} needs features of good photographs: inputs=(('features', a "
            "stage, 'features'), ('seen', the same, 'seen'))"
        )
    rows = {split: good_rows(stored_features, split) for split in ("train", job.config.split)}
    for split, some in rows.items():
        if not len(some):
            raise RecipeError(
                f"stage {job.title!r}: no good photographs in the split {split!r}; set data.split"
            )
    cells = np.concatenate(
        [
            np.asarray(patchcore.aggregate(features, seen, settings.reach))[_inside(seen)]
            for features, seen in _batches(stored_features, rows["train"])
        ]
    )
    count = members(len(cells), settings)
    if count < 2:
        raise RecipeError(
            f"stage {job.title!r}: {len(cells)} cells of good photographs are too few for "
            f"method.share={settings.share}"
        )
    params = standardised(cells, settings.standardise)
    cells = (cells - params["mean"]) / params["deviation"]
    chosen = greedy(projected(cells, settings.project, job.seed), count)
    params["coreset"] = cells[chosen]
    cell, photograph = _held_out(params, stored_features, rows[job.config.split], settings)
    try:
        params |= {"cells": rule(cell), "photographs": rule(photograph)}
    except ValueError as error:
        raise RecipeError(f"stage {job.title!r}: {error}") from None
    return {
        "members": count,
        "cells": len(cells),
        "held-out cells": len(cell),
        "median of good cells": float(np.median(cell)),
        "a half at": float(params["cells"][0]),
        **_save(job, stored_features, shape, params),
        **stored_features.facts(),
    }


def members(cells: int, settings: ConfigDict) -> int:
    """How many of the cells become members: `share` of them, at most `most`."""
    return min(round(settings.share * cells), settings.most)


def standardised(cells: Floats, asked: bool) -> dict[str, Floats]:
    """Mean and deviation `[C]` of cells `[N, C]`; 0 and 1 where it is not asked for."""
    if not asked:
        channels = cells.shape[1]
        return {"mean": np.zeros(channels, np.float32), "deviation": np.ones(channels, np.float32)}
    deviation = cells.std(0)
    # A channel that never changes tells nothing: it is not blown up.
    deviation = np.where(deviation > 1e-6, deviation, 1.0).astype(np.float32)
    return {"mean": cells.mean(0), "deviation": deviation}


def good_rows(data: Data, split: str) -> NDArray[np.int64]:
    """Rows of a split, without photographs that are labelled as anything but good."""
    rows = data.rows(split)
    labels = data.labels(rows)
    for name in ("quality", "ungradable"):
        if name in labels:
            return rows[labels[name] == 0]
    return rows


def _batches(data: Data, rows: NDArray[np.int64]) -> Iterator[tuple[jax.Array, jax.Array]]:
    """Features `[b, h, w, C]` and shares in the field `[b, h, w]` of some rows, float32."""
    for first in range(0, len(rows), BATCH):
        read = [data.source.read(int(row)) for row in rows[first : first + BATCH]]
        features = np.stack([r["features"] for r in read]).astype(np.float32)
        whole = np.ones(features.shape[1:3], np.float32)
        seen = np.stack([r.get("seen", whole) for r in read]).astype(np.float32)
        yield jnp.asarray(features), jnp.asarray(seen)


def _inside(seen: jax.Array) -> NDArray[np.bool_]:
    return np.asarray(seen) >= patchcore.INSIDE


def _held_out(
    params: dict[str, Floats], data: Data, rows: NDArray[np.int64], settings: ConfigDict
) -> tuple[Floats, Floats]:
    """Distances of cells in the field and scores of photographs, both before any scale."""
    measure = jax.jit(patchcore.measure, static_argnums=(3, 4))
    cells, photographs = [], []
    for features, seen in _batches(data, rows):
        distance, score = measure(params, features, seen, settings.reach, settings.neighbours)
        cells.append(np.asarray(distance)[_inside(seen)])
        photographs.append(np.asarray(score))
    return np.concatenate(cells), np.concatenate(photographs)


def _save(
    job: Job, data: Data, shape: tuple[int, ...], params: dict[str, Floats]
) -> dict[str, Any]:
    """Writes `model/` with the encoder in it; gives the encoder's facts."""
    target = job.directory / "model"
    encoder, facts = fit_maps.put_encoder(job, target)
    stage = resolved(job.config)
    stage["method"]["members"] = len(params["coreset"])
    spec = dataclasses.replace(data.spec(), side=facts["side"], features=shape)
    model_dir.save(
        target, job.title, "patchcore", stage, spec, {"params": params}, {"encoder": encoder}
    )
    return facts
