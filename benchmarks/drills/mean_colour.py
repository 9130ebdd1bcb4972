"""A method that compiles at once, for drills of what trainings write: grades by the mean colour."""

from typing import Any

import jax
from ml_collections import ConfigDict

from fiqa_jax.training import losses, method
from fiqa_jax.training.devices import Axis


def build(config: ConfigDict, data: method.DataSpec, run: method.Run) -> method.Method:
    """Three grades, linear in the mean of each channel; see `fiqa_jax.methods.build`."""

    change = method.augmented(config.augment.train)  # the end depends on the key of every step

    def start(key: jax.Array) -> tuple[Any, Any]:
        return {"out": {"kernel": jax.random.normal(key, (data.channels, 3))}}, {}

    def logits(params: Any, batch: method.Batch) -> jax.Array:
        return method.normalise(batch["image"], data).mean((1, 2)) @ params["out"]["kernel"]

    def loss(
        params: Any, model_state: Any, batch: method.Batch, key: jax.Array, axis: Axis
    ) -> tuple[dict[str, losses.Term], Any]:
        value, valid = losses.cross_entropy(logits(params, change(batch, key)), batch["quality"])
        return {"quality": losses.Term(value, valid, 1.0)}, model_state

    def predict(variables: Any, batch: method.Batch) -> method.Outputs:
        batch = {**batch, "image": method.unit(batch["image"])}
        return {"p_quality": jax.nn.softmax(logits(variables["params"], batch))}

    return method.make(config, run, start, loss, predict)
