"""EFIQA's adapter: one linear unit on the patch tokens of a frozen encoder (Wang et al. 2026).

A cell of the grid is an example: its token, and the pseudo-label that inpainting gave it (1 where
vessels are missing). Binary cross-entropy with the positives weighted, AdamW. A batch holds the
cells of some photographs, or with `cells` as many cells out of all photographs, shuffled: 4096 as
released, which is as many as 16 photographs of 16 x 16 cells have.

Two settings are ours. Pseudo-labels say where vessels are missing, which features of vessels tell
almost too well: the unit learns the labels' mistakes. A strong `ridge` keeps it near the difference
of the two classes' means; and as photographs are bad in places, not in cells, the map is averaged
over a window (`around`). Both squeeze the logits, and so a gain and an offset are learned on top,
by the same cross-entropy, of which the unit does not know.

Where the truth of a photograph's cells is known, as it is of drawn and of degraded ones, the unit
can learn from that in place of pseudo-labels (`labels=known`, ours).
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from fiqa_jax.methods import density, efiqa_labels
from fiqa_jax.models.layers.norm import BatchNorm, parameter_dtype
from fiqa_jax.training import losses, method
from fiqa_jax.training.devices import Axis

LABELS = ("bad", "known")  # of inpainting; the truth


class Linear(nn.Module):
    """A linear unit per cell: `[B, h, w, C]` features to `[B, h, w, out]` logits."""

    out: int
    dtype: Any = jnp.float32
    norm: bool = False  # features are standardised by running statistics first
    axis_name: str | None = None

    @nn.compact
    def __call__(self, features: jax.Array, train: bool = False) -> jax.Array:
        """Logits in the parameters' dtype."""
        exact = parameter_dtype(self.dtype)
        if self.norm:
            features = BatchNorm(train, self.dtype, self.axis_name, name="norm")(features)
        zeros = nn.initializers.zeros
        layer = nn.Dense(
            self.out, dtype=self.dtype, param_dtype=exact, kernel_init=zeros, name="linear"
        )
        return layer(features.astype(self.dtype)).astype(exact)


def build(config: ConfigDict, data: method.DataSpec, run: method.Run) -> method.Method:
    """The method for one stage.

    Args:
      config: the stage's sections model (precision), optim and method.
      data: gives the shape of the features.

    Raises:
      ValueError: data without features.
    """
    settings = config.method
    if len(data.features) != 3:
        raise ValueError(
            "the adapter reads features of an encoder; give its stage inputs=(('features', an "
            f"apply stage with an encoder, 'features'), ...). Seen: {data.features or 'none'}"
        )
    net = Linear(1, jnp.dtype(config.model.precision), settings.standardise)
    pos_weight = settings.pos_weight or others_for_each(data)
    if settings.cells and settings.around:
        raise ValueError(
            f"method.cells={settings.cells} deals cells out by themselves, "
            f"method.around={settings.around} averages over their neighbours: set one of the two "
            "to 0"
        )
    if settings.labels not in LABELS:
        raise ValueError(f"method.labels {settings.labels!r} is none of {LABELS}")

    def labels(batch: method.Batch) -> jax.Array:
        return batch["bad"] if settings.labels == "bad" else known_bad(batch["map"])

    def start(key: jax.Array) -> tuple[Any, Any]:
        variables = dict(net.init(key, jnp.zeros((1, *data.features), net.dtype)))
        params = variables.pop("params")
        if settings.ridge or settings.around:
            exact = parameter_dtype(net.dtype)
            params["scale"] = {"log_gain": jnp.zeros((), exact), "offset": jnp.zeros((), exact)}
        return params, variables

    def scaled(params: Any, logits: jax.Array, batch: method.Batch) -> jax.Array:
        """The map's logits `[B, h, w]` from those of cells."""
        if "scale" not in params:
            return logits
        level = jax.lax.stop_gradient(averaged(logits, seen_cells(batch, logits), settings.around))
        # Its logarithm is learned: a strong ridge leaves a gain of tens to be made up for.
        return jnp.exp(params["scale"]["log_gain"]) * level + params["scale"]["offset"]

    def loss(
        params: Any, model_state: Any, batch: method.Batch, key: jax.Array, axis: Axis
    ) -> tuple[dict[str, losses.Term], Any]:
        del key  # nothing is drawn
        out, new = net.clone(axis_name=axis.name).apply(
            {"params": params, **model_state}, batch["features"], True, mutable=list(model_state)
        )
        bad = labels(batch)
        value, weight = cell_loss(out[..., 0], bad, pos_weight, settings.field)
        # Weighted by the number of cells: the mean is over cells, whosever they are.
        terms = {"bce": losses.Term(*per_example(value, weight), 1.0)}
        if "scale" in params:
            logits = scaled(params, out[..., 0], batch)
            value, weight = cell_loss(logits, bad, pos_weight, settings.field)
            terms["map_bce"] = losses.Term(*per_example(value, weight), 1.0)
        if settings.ridge:
            every = jnp.ones(len(out), out.dtype)
            terms["ridge"] = losses.Term(0.5 * squared(params) * every, every, settings.ridge)
        return terms, dict(new)

    def predict(variables: Any, batch: method.Batch) -> method.Outputs:
        out: Any = net.apply(variables, batch["features"])
        logits = scaled(variables["params"], out[..., 0], batch)
        return outputs_of(logits, batch, pos_weight, settings.field)

    return method.make(config, run, start, loss, predict)


def known_bad(truth: jax.Array) -> jax.Array:
    """Labels of cells, as inpainting gives them, from their truth.

    Args:
      truth: `[B, h, w] uint8`: 1 good, 2 usable, 3 bad, else not known.

    Returns:
      `[B, h, w] uint8`: 1 bad, 0 not, 255 not known.
    """
    known = (truth >= 1) & (truth <= 3)
    return jnp.where(known, truth == 3, efiqa_labels.ABSENT).astype(jnp.uint8)


def others_for_each(data: method.DataSpec) -> float:
    """Cells that are not bad for each that is, of the training photographs; 1 without either."""
    others, bad = data.class_counts.get("bad", (0, 0))
    return others / bad if others and bad else 1.0


def squared(params: Any) -> jax.Array:
    """Sum of the squared weights, as they act on features by their running deviation where `norm`
    is there: its own factor cannot take a weight's place."""
    kernel = params["linear"]["kernel"]
    factor = params["norm"]["scale"][:, None] if "norm" in params else 1.0
    return jnp.square(factor * kernel).sum()


def averaged(logits: jax.Array, seen: jax.Array, around: float) -> jax.Array:
    """Logits averaged over a Gaussian window, of which the field counts.

    Args:
      logits: `[B, h, w] float`.
      seen: `[B, h, w]`, share of each cell in the field.
      around: deviation of the window in cells; 0 for the logits themselves.
    """
    if not around:
        return logits
    weight = seen.astype(logits.dtype)[..., None]
    return density.mean_around(logits[..., None] * weight, weight, around)[..., 0]


def outputs_of(
    logits: jax.Array, batch: method.Batch, pos_weight: float, field: bool
) -> method.Outputs:
    """What a method that gives a logit for each cell predicts.

    Args:
      logits: `[B, h, w] float`, higher = worse.
      batch: with `bad` or `map` in it the outputs have rows beside training, too. `row_bce` is the
        same number whatever was trained, so that curves of an ablation can be compared.
      pos_weight, field: see `cell_loss`.

    Returns:
      `map [B, h, w]` in [0, 1], 0 outside the field; `score [B]`, its mean over the field. Where
      `field` is False, as published, cells outside are like all others.
    """
    quality = jax.nn.sigmoid(logits)
    seen = seen_cells(batch, quality) if field else jnp.ones_like(quality)
    out = {"map": jnp.where(seen > 0, quality, 0.0), "score": mean_of_map(quality, seen)}
    if "bad" in batch:
        value, weight = cell_loss(logits, batch["bad"], pos_weight, field)
        out["row_bce"] = per_example(value, weight)[0]
        flagged = (batch["bad"] == 1).sum((1, 2)) / jnp.maximum(weight.sum((1, 2)), 1.0)
        out["row_flagged"] = flagged
    if "map" in batch:
        out["row_map_auroc"] = map_auroc(quality, batch["map"])
    return out


def cell_loss(
    logits: jax.Array, bad: jax.Array, pos_weight: float, field: bool
) -> tuple[jax.Array, jax.Array]:
    """Cross-entropy of each cell, positives weighted, as PyTorch's BCEWithLogitsLoss.

    Args:
      logits: `[B, h, w] float`.
      bad: `[B, h, w] uint8`: 1 bad, 0 not, 255 outside the field of view.
      pos_weight: factor on the loss of bad cells.
      field: cells outside count not at all; False takes them as not bad, as published.

    Returns:
      Value and weight, `[B, h, w]` each; the weight is 1 or 0.

    Raises:
      ValueError: grids that differ.
    """
    if bad.shape != logits.shape:
        raise ValueError(
            f"labels have {bad.shape[1]} x {bad.shape[2]} cells, features {logits.shape[1]} x "
            f"{logits.shape[2]}: give inpaint's method.grid that number"
        )
    y = (bad == 1).astype(logits.dtype)
    value = pos_weight * y * jax.nn.softplus(-logits) + (1.0 - y) * jax.nn.softplus(logits)
    known = (bad != efiqa_labels.ABSENT) if field else jnp.ones_like(bad, bool)
    return value, known.astype(logits.dtype)


def per_example(value: jax.Array, weight: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Means over cells and their number, `[B]` each: their weighted mean is that of all cells."""
    count = weight.sum((1, 2))
    return (value * weight).sum((1, 2)) / jnp.maximum(count, 1.0), count


def seen_cells(batch: method.Batch, cells: jax.Array) -> jax.Array:
    """Share of each cell inside the field `[B, h, w]`: stored, of the field mask, or all."""
    if "seen" in batch:
        return batch["seen"].astype(cells.dtype)
    if "fov" in batch:
        return efiqa_labels.mean_cells((batch["fov"] > 0).astype(cells.dtype), cells.shape[1])
    return jnp.ones_like(cells)


def mean_of_map(quality: jax.Array, seen: jax.Array) -> jax.Array:
    """The score without training: the mean over the field `[B]`, higher = worse."""
    return (quality * seen).sum((1, 2)) / jnp.maximum(seen.sum((1, 2)), 1e-6)


def map_auroc(quality: jax.Array, truth: jax.Array) -> jax.Array:
    """AUROC of each photograph's cells, bad against good and usable, ties counted half.

    Args:
      quality: `[B, h, w] float`, higher = worse; resized to the truth's cells where they differ.
      truth: `[B, H, W] uint8`: 0 background, 1 good, 2 usable, 3 bad, 255 not known.

    Returns:
      `[B]`, NaN where a photograph has cells of one kind only.
    """
    if quality.shape != truth.shape:
        quality = jax.image.resize(quality, truth.shape, "linear")

    def one(value: jax.Array, code: jax.Array) -> jax.Array:
        positive, negative = code == 3, (code == 1) | (code == 2)
        below = jnp.sort(jnp.where(negative, value, jnp.inf))
        rank = (
            jnp.searchsorted(below, value, side="left")
            + jnp.searchsorted(below, value, side="right")
        ) / 2.0
        pairs = positive.sum() * negative.sum()
        hits = (rank * positive).sum()
        return jnp.where(pairs > 0, hits / jnp.maximum(pairs, 1), jnp.nan)

    batch = len(quality)
    return jax.vmap(one)(quality.reshape(batch, -1), truth.reshape(batch, -1))
