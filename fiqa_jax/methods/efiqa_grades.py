"""EFIQA's three-class grade: a linear classifier on each cell of a frozen encoder's features.

The photograph's logits are the mean over cells. Beside cross-entropy on the grade, each cell's own
badness, P(reject) + P(usable) / 2, is pulled by a squared error to the map of the finished adapter,
which keeps the grade explainable by places (Wang et al. 2026, section on EyeQ; the weight of the
second term and the pooling are not stated there: 1 and the mean over the field are ours).
"""

from typing import Any

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from fiqa_jax.evaluation import decisions
from fiqa_jax.methods.efiqa_adapter import Linear, mean_of_map, seen_cells
from fiqa_jax.training import losses, method
from fiqa_jax.training.devices import Axis

CLASSES = 3


def build(config: ConfigDict, data: method.DataSpec, run: method.Run) -> method.Method:
    """The method for one stage.

    Args:
      config: the stage's sections model (precision), loss (smoothing), optim and method.
      data: gives the shape of the features; photographs have the three grades.

    Raises:
      ValueError: data without features, or without three grades.
    """
    if len(data.features) != 3 or len(data.quality_names) != CLASSES:
        raise ValueError(
            "grades of cells need features in place of photographs (inputs) and good / usable / "
            f"reject; seen features {data.features or 'none'}, grades {data.quality_names}"
        )
    settings = config.method
    net = Linear(CLASSES, jnp.dtype(config.model.precision))

    def start(key: jax.Array) -> tuple[Any, Any]:
        return net.init(key, jnp.zeros((1, *data.features), net.dtype))["params"], {}

    def logits(params: Any, batch: method.Batch) -> tuple[jax.Array, jax.Array, jax.Array]:
        cells: Any = net.apply({"params": params}, batch["features"])
        seen = seen_cells(batch, cells[..., 0])
        return pooled(cells, seen), badness(cells), seen

    def loss(
        params: Any, model_state: Any, batch: method.Batch, key: jax.Array, axis: Axis
    ) -> tuple[dict[str, losses.Term], Any]:
        del key, axis  # nothing is drawn, every photograph stands alone
        whole, local, seen = logits(params, batch)
        value, valid = losses.cross_entropy(whole, batch["quality"], config.loss.smoothing)
        terms = {"quality": losses.Term(value, valid, config.loss.quality)}
        if settings.map:
            gap = mean_of_map((local - batch["target_map"]) ** 2, seen)
            terms["map"] = losses.Term(gap, jnp.ones_like(gap), settings.map)
        return terms, model_state

    def predict(variables: Any, batch: method.Batch) -> method.Outputs:
        whole, local, seen = logits(variables["params"], batch)
        p = jax.nn.softmax(whole)
        return {
            "p_quality": p,
            "p_ungradable": p[:, 2],
            "score": decisions.badness(p),
            "map": jnp.where(seen >= 0.5, local, 0.0),
        }

    return method.make(config, run, start, loss, predict)


def pooled(cells: jax.Array, seen: jax.Array) -> jax.Array:
    """Mean over the field `[B, 3]` of the cells' logits `[B, h, w, 3]`; seen `[B, h, w]`."""
    weight = seen / jnp.maximum(seen.sum((1, 2), keepdims=True), 1e-6)
    return (cells * weight[..., None]).sum((1, 2))


def badness(cells: jax.Array) -> jax.Array:
    """P(reject) + P(usable) / 2 of each cell, `[B, h, w, 3]` logits to `[B, h, w]`."""
    return decisions.badness(jax.nn.softmax(cells))
