"""One photograph in, everything out: grade, defects and a map of what can be seen, in one pass.

Two small networks side by side (`models.grader`). `view` learns from photographs whose every cell
is known, because they were degraded here: how much of a vessel's contrast is left, and what took
it. `grade` learns the grade of a whole photograph and its defects, from that same truth or from
readers. Readers' grades never reach `view`: a map that learned from them would show what goes with
a poor grade, not where the photograph is poor.

Each part learns from the labels that a batch brings: `quality` and `details` for `grade`;
the codes of `map` and `cause` for `view`.
"""

from typing import Any

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from fiqa_jax.models import grader
from fiqa_jax.training import losses, method, state
from fiqa_jax.training.devices import Axis

CAUSES = ("illumination", "sharpness", "contrast", "covered")  # codes 1 to 4 of `cause`
CAUSE_WEIGHT = 0.3  # of the cause beside what is seen
ABSENT = 255  # code of a cell of which nothing is known
MAP_PX = 4  # pixels of an edge of a cell


def build(config: ConfigDict, data: method.DataSpec, run: method.Run) -> method.Method:
    """The method for one stage.

    Args:
      config: the stage's sections model (width, precision), loss, optim, augment and method.
      data: photographs, RGB, of a side that divides by 16.
      run: how long it is trained.

    Raises:
      ValueError: settings that do not exist, or data without a label that a part asks for.
    """
    own = config.method
    if data.side % 16 or data.channels != 3:
        raise ValueError(
            f"data.side {data.side} with {data.channels} channels: expected RGB and a multiple of "
            f"16 pixels; the nearest is {max(round(data.side / 16), 1) * 16}"
        )
    if not 0 <= own.neighbour < 0.5 or not 0 <= own.hide_size < 1:
        raise ValueError("method.neighbour lies in [0, 0.5), method.hide_size in [0, 1)")
    names, trained = grader.parts(own.parts), grader.parts(own.trained or own.parts)
    if {*trained} - {*names}:
        raise ValueError(f"method.trained {trained} is not among method.parts {names}")
    grades, details = len(data.quality_names), len(data.detail_names)
    if "grade" in names and grades != 3:
        raise ValueError(f"grades good, usable, reject are needed; the data has {grades}")
    dtype = jnp.dtype(config.model.precision)
    nets: dict[str, Any] = {
        "grade": grader.Grader(3, details, config.model.width, dtype, dropout=own.dropout),
        "view": grader.Viewer(2 + len(CAUSES), config.model.width, dtype),
    }
    change = method.augmented(config.augment.train)

    def start(key: jax.Array) -> tuple[Any, Any]:
        image = jnp.zeros((1, data.side, data.side, 3), dtype)
        fov, px = jnp.ones((1, data.side, data.side), dtype), jnp.ones(1, dtype)
        params, statistics = {}, {}
        for i, name in enumerate(names):
            given = (image, fov, px) if name == "grade" else (image, fov)
            found = dict(nets[name].init(jax.random.fold_in(key, i), *given, False))
            params[name], statistics[name] = found["params"], found["batch_stats"]
        return params, {"batch_stats": statistics}

    def loss(
        params: Any, model_state: Any, batch: method.Batch, key: jax.Array, axis: Axis
    ) -> tuple[dict[str, losses.Term], Any]:
        keys = state.example_keys(jax.random.fold_in(key, 1), batch["index"])
        batch = change(batch, key)
        image, fov, px = (v.astype(dtype) for v in _read(batch))
        hidden = jax.vmap(jax.random.uniform)(keys) < own.hide_size
        px = jnp.where(hidden, jnp.nan, px)
        terms: dict[str, losses.Term] = {}
        statistics = dict(model_state["batch_stats"])
        drop = jax.vmap(lambda k: jax.random.fold_in(k, 1))(keys)
        for name in trained:
            given = (image, fov, px) if name == "grade" else (image, fov)
            more = {"keys": drop} if name == "grade" else {}
            found, new = (
                nets[name]
                .clone(axis_name=axis.name)
                .apply(
                    {"params": params[name], "batch_stats": statistics[name]},
                    *given,
                    True,
                    mutable=["batch_stats"],
                    **more,
                )
            )
            statistics[name] = new["batch_stats"]
            if name == "grade":
                terms |= _grade_terms(found, batch, config, data)
            else:
                terms |= _view_terms(found, batch)
        return terms, {"batch_stats": statistics}

    def predict(variables: Any, batch: method.Batch) -> method.Outputs:
        image, fov, px = (v.astype(dtype) for v in _read(batch))
        out: method.Outputs = {}
        for name in names:
            held = {k: v[name] for k, v in variables.items()}
            given = (image, fov, px) if name == "grade" else (image, fov)
            found: Any = nets[name].apply(held, *given, False)
            out |= _grades(found) if name == "grade" else _view(found, fov)
        return out

    frozen = tuple((rf"{name}/.*", None) for name in names if name not in trained)
    return method.make(config, run, start, loss, predict, frozen=frozen)


def _read(batch: method.Batch) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Image in [0, 1], mask and size of the field, NaN where the batch does not say it."""
    image = method.unit(batch["image"])
    fov = batch["fov"] if "fov" in batch else jnp.any(image > 0, -1)
    return image, fov, batch.get("field_px", jnp.full(image.shape[0], jnp.nan))


def neighbouring(labels: jax.Array, share: float) -> jax.Array:
    """Targets `[B, 3]` of ordinal grades `[B]`: `share` of the mass on the grades next to it.

    Readers differ by one grade more often than by two. The middle grade gives half the share to
    either side. Absent labels (-1) are taken as 0: leave them out by their weight.
    """
    near = jnp.array(
        [[1 - share, share, 0], [share / 2, 1 - share, share / 2], [0, share, 1 - share]]
    )
    return near[jnp.maximum(labels, 0)]


def _grade_terms(
    logits: dict[str, jax.Array], batch: method.Batch, config: ConfigDict, data: method.DataSpec
) -> dict[str, losses.Term]:
    labels = batch["quality"]
    target = neighbouring(labels, config.method.neighbour)
    value = -(target * jax.nn.log_softmax(logits["quality"])).sum(-1)
    if method.weighs_classes(config):
        weight = losses.inverse_frequency(labels, data.class_counts["quality"])
    else:
        weight = (labels >= 0).astype(value.dtype)
    terms = {"quality": losses.Term(value, weight, config.loss.quality)}
    if "details" in logits and "details" in batch:
        value, valid = losses.binary_cross_entropy(logits["details"], batch["details"])
        share = config.loss.details / len(data.detail_names)
        for k, name in enumerate(data.detail_names):
            terms[f"detail_{name}"] = losses.Term(value[:, k], valid[:, k], share)
    return terms


def _view_terms(logits: jax.Array, batch: method.Batch) -> dict[str, losses.Term]:
    """Whether a cell is usable or bad, whether it is bad, and the cause where it is either."""
    codes = batch["map"]
    known = (codes > 0) & (codes < ABSENT)
    targets = jnp.stack([codes >= 2, codes >= 3], -1)
    value, _ = losses.binary_cross_entropy(logits[..., :2], targets)
    terms = {"cells": _mean_of_cells(value.mean(-1), known, 1.0)}
    if "cause" in batch:
        value, valid = losses.cross_entropy(logits[..., 2:], batch["cause"].astype(jnp.int32) - 1)
        terms["cause"] = _mean_of_cells(value, known & (valid > 0), CAUSE_WEIGHT)
    return terms


def _mean_of_cells(value: jax.Array, known: jax.Array, factor: float) -> losses.Term:
    count = known.sum((1, 2))
    mean = jnp.where(known, value, 0.0).sum((1, 2)) / jnp.maximum(count, 1)
    return losses.Term(mean, (count > 0).astype(value.dtype), factor)


def _grades(logits: dict[str, jax.Array]) -> method.Outputs:
    p = jax.nn.softmax(logits["quality"].astype(jnp.float32))
    out = {"p_quality": p, "p_ungradable": p[:, 2], "score": p[:, 2] + 0.5 * p[:, 1]}
    if "details" in logits:
        out["p_details"] = jax.nn.sigmoid(logits["details"].astype(jnp.float32))
    return out


def _view(logits: jax.Array, fov: jax.Array) -> method.Outputs:
    """`map [B, h, w]`, 1 where nothing is seen, 0 outside the field; `causes [B, h, w, 4]`."""
    inside = grader.pooled(fov[..., None], MAP_PX)[..., 0] >= 0.5
    p = jax.nn.sigmoid(logits[..., :2].astype(jnp.float32))
    causes = jax.nn.softmax(logits[..., 2:].astype(jnp.float32))
    quality = jnp.where(inside, p.mean(-1), 0.0)
    return {"map": quality, "causes": jnp.where(inside[..., None], causes, 0.0)}
