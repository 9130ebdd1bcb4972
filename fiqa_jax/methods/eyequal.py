"""EyeQual: every patch of a photograph is judged, and only photographs have labels.

Costa, Campilho, Hooi, Smailagic, Kitani, Liu, Faloutsos and Galdran, "EyeQual: Accurate,
Explainable, Retinal Image Quality Assessment" (ICMLA 2017). A fully convolutional network
(`models.eyequal`) gives each patch a score, pooling makes them one, and cross-entropy on the
photograph's label trains both: where a bad photograph is bad, nobody has to say. Network, pooling
and loss are those of the released code; the field of view and running statistics are ours.
"""

from typing import Any

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from fiqa_jax.methods.efiqa_adapter import map_auroc, seen_cells
from fiqa_jax.models.eyequal import POOLINGS, EyeQual
from fiqa_jax.training import losses, method
from fiqa_jax.training.devices import Axis


def build(config: ConfigDict, data: method.DataSpec, run: method.Run) -> method.Method:
    """The method for one stage.

    Args:
      config: the stage's sections model (precision), optim, augment and method.
      data: photographs with the label `ungradable`, which any set with grades has.

    Raises:
      ValueError: a pooling that is not known, a side that patches do not divide, no labels.
    """
    settings = config.method
    if settings.pooling not in POOLINGS:
        raise ValueError(f"method.pooling {settings.pooling!r} is none of {POOLINGS}")
    cell = 2**settings.blocks
    if data.side % cell:
        raise ValueError(
            f"data.side {data.side} is no multiple of the {cell} pixels of a patch; the nearest is "
            f"{max(round(data.side / cell), 1) * cell}"
        )
    if not data.quality_names:
        raise ValueError(
            "EyeQual learns from labels of photographs, and the data has none; set data.classes to "
            "2 or 3"
        )
    dtype = jnp.dtype(config.model.precision)
    net = EyeQual(settings.width, settings.blocks, settings.pooling, dtype)
    grid = data.side // cell
    change = method.augmented(config.augment.train)

    def start(key: jax.Array) -> tuple[Any, Any]:
        images = jnp.zeros((1, data.side, data.side, data.channels), dtype)
        variables = dict(net.init(key, images, jnp.ones((1, grid, grid), dtype), False))
        return variables.pop("params"), variables

    def reads(batch: method.Batch) -> tuple[jax.Array, jax.Array]:
        """Normalised photographs and the share of each patch in the field."""
        images = method.normalise(method.unit(batch["image"]), data).astype(dtype)
        every = jnp.ones((images.shape[0], grid, grid), images.dtype)
        return images, seen_cells(batch, every) if settings.field else every

    def loss(
        params: Any, model_state: Any, batch: method.Batch, key: jax.Array, axis: Axis
    ) -> tuple[dict[str, losses.Term], Any]:
        here = net.clone(axis_name=axis.name)
        (logits, _), new = here.apply(
            {"params": params, **model_state},
            *reads(change(batch, key)),
            True,
            mutable=list(model_state),
        )
        value, valid = losses.binary_cross_entropy(logits, batch["ungradable"])
        return {"ungradable": losses.Term(value, valid, 1.0)}, dict(new)

    def predict(variables: Any, batch: method.Batch) -> method.Outputs:
        images, seen = reads(batch)
        output: Any = net.apply(variables, images, seen, False)
        logits, patches = output[0], output[1]["patches"]
        p = jax.nn.sigmoid(logits)
        quality = jnp.where(seen > 0, patches, 0.0)
        out = {"map": quality, "p_ungradable": p, "score": p}
        if "map" in batch:
            out["row_map_auroc"] = map_auroc(quality, batch["map"])
        return out

    return method.make(config, run, start, loss, predict)
