"""Pretraining without labels: a masked autoencoder (He et al. 2022).

Three quarters of the patches are hidden; the loss is on those alone, against pixels normalised
within each patch. Patches wholly outside the field of view are black whatever the photograph and
carry no weight; that is ours. What is kept afterwards is the encoder (`fiqa_jax.encoders`).
"""

from typing import Any

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from fiqa_jax.models.mae import MaskedAutoencoder, random_order
from fiqa_jax.models.vit import ViT, patchify
from fiqa_jax.training import losses, method, state
from fiqa_jax.training.devices import Axis

EPSILON = 1e-6  # beside a patch's variance (released code)
_MASKS = 1  # stream of masks, apart from that of augmentation


def encoder_settings(settings: ConfigDict) -> dict[str, Any]:
    """What rebuilds the encoder: `ViT(**settings)`. own: the stage's method section."""
    sizes = {k: int(settings[k]) for k in ("dim", "depth", "heads", "patch")}
    return {**sizes, "position": "sines"}


def build(config: ConfigDict, data: method.DataSpec, run: method.Run) -> method.Method:
    """The method for one stage.

    Args:
      config: the stage's sections model (precision), optim, augment and method.
      data: shapes; `data.side` is a multiple of `method.patch`.

    Raises:
      ValueError: a side that the patch does not divide, or a mask that leaves or hides nothing.
    """
    settings = config.method
    if data.side % settings.patch:
        raise ValueError(f"data.side {data.side} is no multiple of method.patch, {settings.patch}")
    patches = (data.side // settings.patch) ** 2
    visible = round(patches * (1 - settings.mask))
    if not 0 < visible < patches:
        raise ValueError(
            f"method.mask {settings.mask} leaves {visible} of {patches} patches; 0.75 "
            "leaves a quarter"
        )
    dtype = jnp.dtype(config.model.precision)
    net = MaskedAutoencoder(
        ViT(**encoder_settings(settings), dtype=dtype),
        settings.decoder_dim,
        settings.decoder_depth,
        settings.decoder_heads,
        dtype,
    )

    def start(key: jax.Array) -> tuple[Any, Any]:
        image = jnp.zeros((1, data.side, data.side, data.channels), dtype)
        order = jnp.arange(patches, dtype=jnp.int32)[None]
        return net.init(key, image, order, visible)["params"], {}

    change = method.augmented(config.augment.train)

    def errors(params: Any, batch: method.Batch, key: jax.Array) -> jax.Array:
        images = method.normalise(method.unit(batch["image"]), data).astype(dtype)
        order = random_order(state.example_keys(key, batch["index"]), patches)
        drawn: Any = net.apply({"params": params}, images, order, visible)
        return masked_error(drawn, images, batch["fov"], order[:, visible:], settings.patch)

    def loss(
        params: Any, model_state: Any, batch: method.Batch, key: jax.Array, axis: Axis
    ) -> tuple[dict[str, losses.Term], Any]:
        del axis  # every example stands alone
        value = errors(params, change(batch, key), jax.random.fold_in(key, _MASKS))
        return {"masked_error": losses.Term(value, jnp.ones_like(value), 1.0)}, model_state

    def predict(variables: Any, batch: method.Batch) -> method.Outputs:
        images = method.normalise(method.unit(batch["image"]), data).astype(dtype)
        params = variables["params"]
        cells, _ = net.encoder.apply({"params": params["encoder"]}, images)
        return {
            "features": cells,
            # Always the same mask for a photograph: validation compares weights, not luck.
            "row_masked_error": errors(params, batch, jax.random.key(0)),
        }

    return method.make(config, run, start, loss, predict)


def masked_error(
    drawn: jax.Array, images: jax.Array, fov: jax.Array, hidden: jax.Array, patch: int
) -> jax.Array:
    """Mean squared error of each photograph on its hidden patches that touch the field of view.

    Args:
      drawn: `[B, N, p * p * C]` predicted patches.
      images: `[B, S, S, C] float`, as the encoder sees them.
      fov: `[B, S, S] uint8`, more than 0 inside the field.
      hidden: `[B, M] int32` patches that the encoder did not see.
      patch: pixels of an edge.

    Returns:
      `[B]`; a patch's target is (x - mean) / sqrt(variance + 1e-6) over its pixels and colours,
      the variance with n - 1 (released code). 0 where no hidden patch touches the field.
    """
    batch = len(images)
    target = patchify(images, patch).reshape(batch, -1, drawn.shape[-1])
    mean, variance = target.mean(-1, keepdims=True), target.var(-1, ddof=1, keepdims=True)
    target = (target - mean) / jnp.sqrt(variance + EPSILON)
    error = jnp.square(drawn - target).mean(-1)
    seen = patchify((fov > 0)[..., None].astype(error.dtype), patch).reshape(batch, -1, patch**2)
    weight = jnp.take_along_axis(seen.max(-1), hidden, 1)
    error = jnp.take_along_axis(error, hidden, 1)
    return (error * weight).sum(-1) / jnp.maximum(weight.sum(-1), 1.0)
