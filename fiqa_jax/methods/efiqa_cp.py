"""EFIQA-CP (2026): a small network learns from cells that are surely bad and cells nobody judged.

Pseudo-labels by inpainting find bad places where vessels are missing, and miss those where none
were expected. So a cell without the label is not good, it is unlabelled: the non-negative PU risk
(`methods.pu_risk`) takes the place of cross-entropy. The network (`models.efiqa_cp`) reads a frozen
encoder's features, or photographs with a small stem of its own. `risk=bce` is the ablation: the
same network, unlabelled cells taken for good ones.
"""

from typing import Any

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from fiqa_jax.methods import efiqa_labels, pu_risk
from fiqa_jax.methods.efiqa_adapter import cell_loss, outputs_of, per_example
from fiqa_jax.models.efiqa_cp import DROP, EfiqaCP, drop_paths
from fiqa_jax.training import losses, method, state
from fiqa_jax.training.devices import Axis

BCE = "bce"
_PATHS = 1  # stream of dropped branches, apart from that of augmentation


def build(config: ConfigDict, data: method.DataSpec, run: method.Run) -> method.Method:
    """The method for one stage.

    Args:
      config: the stage's sections model (precision), optim, augment and method.
      data: the shape of the features, or of the photographs where there are none.

    Raises:
      ValueError: settings that are not known, a side that is no multiple of a cell, or an
        augmentation line for features.
    """
    settings = config.method
    pu_settings = None if settings.risk == BCE else settings_of(settings)
    if data.features and config.augment.train:
        raise ValueError(
            f"features are not augmented; augment.train is {config.augment.train!r}, set it to ''"
        )
    dtype = jnp.dtype(config.model.precision)
    blocks = tuple(settings.blocks)
    if not 1 <= len(blocks) <= len(DROP):
        raise ValueError(f"method.blocks {blocks}: expected one to {len(DROP)} stages")
    net = EfiqaCP(
        settings.width, settings.ratio, blocks, 0 if data.features else settings.stem, dtype
    )
    shape = data.features or (data.side, data.side, data.channels)
    change = method.augmented(config.augment.train)

    def start(key: jax.Array) -> tuple[Any, Any]:
        return net.init(key, jnp.zeros((1, *shape), dtype))["params"], {}

    init, tx = method.optimised(config, run, start)

    def logits(params: Any, batch: method.Batch, paths: jax.Array | None) -> jax.Array:
        x = (
            batch["features"]
            if data.features
            else method.normalise(method.unit(batch["image"]), data)
        )
        out: Any = net.apply({"params": params}, x.astype(dtype), paths)
        return out[0]

    def objective(
        params: Any, model_state: Any, batch: method.Batch, key: jax.Array, axis: Axis
    ) -> tuple[jax.Array, tuple[dict[str, jax.Array], Any]]:
        if not data.features:
            batch = change(batch, key)
        keys = state.example_keys(jax.random.fold_in(key, _PATHS), batch["index"])
        z = logits(params, batch, drop_paths(keys, blocks))
        risk, parts = risk_of(z, labels(batch, settings.field), settings, pu_settings, axis)
        return risk, (parts, model_state)

    plain = method.objective_step(objective, tx, config.optim.ema)

    def step(
        now: state.TrainState, batch: method.Batch, key: jax.Array, *, axis: Axis
    ) -> tuple[state.TrainState, dict[str, jax.Array]]:
        """An update; of a batch without positive or without unlabelled cells the step alone."""
        after, scalars = plain(now, batch, key, axis=axis)
        # Not only the loss: moments would move the weights, and decay would shrink them.
        used = scalars["skipped"] == 0
        kept = jax.tree.map(lambda new, old: jnp.where(used, new, old), after, now)
        return kept.replace(step=after.step), scalars

    def predict(variables: Any, batch: method.Batch) -> method.Outputs:
        z = logits(variables["params"], batch, None)
        return outputs_of(z, batch, settings.pos_weight, settings.field)

    return method.Method(init, step, predict)


def settings_of(config: ConfigDict) -> pu_risk.Settings:
    """The risk of a method section.

    Raises:
      ValueError: a number outside its range or a name that is not known.
    """
    if config.risk not in (*pu_risk.RISKS, BCE):
        raise ValueError(f"method.risk {config.risk!r} is none of {(*pu_risk.RISKS, BCE)}")
    names = ("risk", "variant", "surrogate", "prior", "beta", "gamma", "weight")
    try:
        return pu_risk.Settings(**{name: config[name] for name in names})
    except ValueError as error:
        raise ValueError(f"method: {error}") from None


def risk_of(
    logits: jax.Array,
    bad: jax.Array,
    config: ConfigDict,
    settings: pu_risk.Settings | None,
    axis: Axis,
) -> tuple[jax.Array, dict[str, jax.Array]]:
    """The risk of a batch and its parts by name.

    Args:
      logits: `[B, h, w] float`.
      bad: `[B, h, w] uint8`, see `pools`.
      config: the method section.
      settings: of the PU risk; None for weighted cross-entropy.
      axis: of the batch.

    Returns:
      Scalars: the risk; its parts, and `skipped`, 1 where the batch gives none: without positive or
      without unlabelled cells, of cross-entropy without any cell.
    """
    if settings is None:
        value, weight = cell_loss(logits, bad, config.pos_weight, config.field)
        term = losses.Term(*per_example(value, weight), 1.0)
        risk, parts = losses.total({BCE: term}, axis)
        return risk, {**parts, "skipped": 1.0 - (axis.sum(weight.sum()) > 0)}
    means = pu_risk.means(logits, *pools(logits, bad, config), settings.surrogate, axis)
    risk, parts = pu_risk.risk(means, settings)
    return risk, {**parts, "skipped": 1.0 - means.usable}


def labels(batch: method.Batch, field: bool) -> jax.Array:
    """The batch's `bad [B, h, w] uint8`, 255 where an augmented photograph shows no field.

    Args:
      batch: `bad`, and for photographs `fov [B, S, S] uint8`.
      field: whether cells outside the field are left out at all.
    """
    bad = batch["bad"]
    if not field or "image" not in batch or "fov" not in batch:
        return bad
    inside = efiqa_labels.mean_cells((batch["fov"] > 0).astype(jnp.float32), bad.shape[1])
    return jnp.where(inside >= 0.5, bad, jnp.uint8(efiqa_labels.ABSENT))


def pools(logits: jax.Array, bad: jax.Array, config: ConfigDict) -> tuple[jax.Array, jax.Array]:
    """Positive and unlabelled cells, `[B, h, w] bool` each.

    Args:
      logits: `[B, h, w]`, for the shape.
      bad: `[B, h, w] uint8`: 1 bad, 0 not called so, 255 outside the field of view.
      config: `field`: False takes cells outside for unlabelled, as published; `include_positives`:
        the unlabelled are all cells, as the theory has it, not only those without a label.

    Raises:
      ValueError: grids that differ.
    """
    if bad.shape != logits.shape:
        raise ValueError(
            f"labels have {bad.shape[1]} x {bad.shape[2]} cells, the network's map "
            f"{logits.shape[1]} x {logits.shape[2]}: give inpaint's method.grid that number"
        )
    positive = bad == 1
    known = (bad != efiqa_labels.ABSENT) if config.field else jnp.ones_like(positive)
    return positive, known if config.include_positives else known & ~positive
