"""Semi-supervised multi-task assessment (Telesco et al. 2025).

One network with linear heads serves as teacher (details only), single-task baseline (grade only)
and student (grade from manual labels, details from the teacher's stored probabilities). The stages
of `configs/multitask.py` put them in order.

Where the paper is silent the choices are ours: unweighted sums, hard pseudo-labels at 0.5, no
filtering, linear heads on globally pooled features.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from fiqa_jax import models
from fiqa_jax.evaluation import decisions
from fiqa_jax.models.heads import Heads
from fiqa_jax.training import losses, method
from fiqa_jax.training.devices import Axis

HEADS = ("quality", "ungradable", "details", "diagnosis")
PSEUDO = ("hard", "soft", "masked")


class Net(nn.Module):
    """A trunk and linear heads. `__call__(x [B, S, S, C] normalised, train)` -> dict of logits."""

    name_of_trunk: str
    heads: tuple[str, ...]
    sizes: dict[str, int]
    width: float
    dtype: Any
    axis_name: str | None = None
    freeze_trunk: bool = False

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> dict[str, jax.Array]:
        """Logits: quality [B, 3], ungradable [B], details [B, K], diagnosis [B, T]."""
        trunk = models.make(
            self.name_of_trunk,
            width=self.width,
            dtype=self.dtype,
            axis_name=self.axis_name,
        ).copy(name="trunk")
        features, _ = trunk(x, train and not self.freeze_trunk)
        if self.freeze_trunk:
            features = jax.lax.stop_gradient(features)
        wanted = {h: self.sizes[h] for h in self.heads}
        return Heads(
            quality=wanted.get("quality", 0),
            ungradable="ungradable" in wanted,
            details=wanted.get("details", 0),
            diagnosis=wanted.get("diagnosis", 0),
            dtype=jnp.promote_types(self.dtype, jnp.float32),
            name="heads",
        )(features)


def choose_heads(asked: tuple[str, ...], data: method.DataSpec) -> dict[str, int]:
    """Outputs of each head: those asked for, or one for every label that the data can give.

    Raises:
      ValueError: a head that does not exist or that the data has no names for.
    """
    sizes = {
        "quality": 3 if len(data.quality_names) == 3 else 0,
        "ungradable": 1 if len(data.quality_names) == 2 else 0,
        "details": len(data.detail_names),
        "diagnosis": len(data.diagnosis_names),
    }
    chosen = asked or tuple(h for h in HEADS if sizes[h])
    for head in chosen:
        if head not in HEADS:
            raise ValueError(f"method.heads: {head!r} is none of {HEADS}")
        if not sizes[head] and not (head == "ungradable" and data.quality_names):
            raise ValueError(
                f"method.heads asks for {head!r}, but the data has no such labels: quality "
                f"{data.quality_names}, details {data.detail_names}, diagnosis "
                f"{data.diagnosis_names}"
            )
    if not chosen:
        raise ValueError(
            "no head to train: the data has neither quality, details nor diagnosis; set "
            "data.classes, data.details or data.diagnosis"
        )
    return {h: sizes[h] or 1 for h in chosen}


def pseudo_targets(prob: jax.Array, kind: str, tau: float) -> jax.Array:
    """Targets from a teacher's stored probabilities of the defect (spec S3).

    Args:
      prob: `[B, K] float` in [0, 1], negative where absent.
      kind: 'hard' (1 where p >= 0.5), 'soft' (p itself) or 'masked' (hard, absent where
        |p - 0.5| < tau).

    Returns:
      `[B, K]` targets in [0, 1], -1 where absent.
    """
    hard = (prob >= 0.5).astype(prob.dtype)
    if kind == "soft":
        return prob
    if kind == "masked":
        hard = jnp.where(jnp.abs(prob - 0.5) < tau, -1.0, hard)
    return jnp.where(prob < 0, -1.0, hard)


def build(config: ConfigDict, data: method.DataSpec, run: method.Run) -> method.Method:
    """The method for one stage.

    Args:
      config: the stage's sections model, loss, optim, augment and method.
      data: shapes, names and counts.

    Raises:
      ValueError: settings that do not exist or do not fit the data.
    """
    settings = config.method
    if settings.pseudo not in PSEUDO:
        raise ValueError(f"method.pseudo {settings.pseudo!r} is none of {PSEUDO}")
    method.weighs_classes(config)
    sizes = choose_heads(tuple(settings.heads), data)
    dtype = jnp.dtype(config.model.precision)
    net = Net(
        config.model.name,
        tuple(sizes),
        sizes,
        config.model.width,
        dtype,
        freeze_trunk=settings.freeze_trunk,
    )
    change = method.augmented(config.augment.train)
    frozen = ((r"trunk/.*", None),) if settings.freeze_trunk else ()
    start = method.initialiser(net, data)

    def loss(
        params: Any, model_state: Any, batch: method.Batch, key: jax.Array, axis: Axis
    ) -> tuple[dict[str, losses.Term], Any]:
        batch = change(batch, key)
        here = net.clone(axis_name=axis.name)
        images = method.normalise(batch["image"], data).astype(dtype)
        logits, new = here.apply(
            {"params": params, **model_state}, images, True, mutable=list(model_state)
        )
        return _terms(logits, batch, config, data), dict(new)

    def logits(variables: Any, images: jax.Array) -> dict[str, jax.Array]:
        through: Any = net.clone(freeze_trunk=False)  # gradients, not updates, are asked for here
        return through.apply(variables, method.normalise(images, data).astype(dtype), False)

    def predict(variables: Any, batch: method.Batch) -> method.Outputs:
        return outputs(logits(variables, method.unit(batch["image"])))

    return method.make(config, run, start, loss, predict, frozen=frozen, logits=logits)


def _terms(
    logits: dict[str, jax.Array], batch: method.Batch, config: ConfigDict, data: method.DataSpec
) -> dict[str, losses.Term]:
    terms: dict[str, losses.Term] = {}
    weighted = method.weighs_classes(config)
    for head in ("quality", "diagnosis"):
        if head in logits and head in batch:
            value, valid = losses.cross_entropy(logits[head], batch[head], config.loss.smoothing)
            if weighted:
                valid = losses.inverse_frequency(batch[head], data.class_counts[head])
            terms[head] = losses.Term(value, valid, config.loss[head])
    if "ungradable" in logits:
        value, valid = losses.binary_cross_entropy(logits["ungradable"], batch["ungradable"])
        if weighted:
            valid = losses.inverse_frequency(batch["ungradable"], data.class_counts["ungradable"])
        terms["ungradable"] = losses.Term(value, valid, config.loss.quality)
    if "details" in logits:
        if "details_prob" in batch:
            settings = config.method
            targets = pseudo_targets(batch["details_prob"], settings.pseudo, settings.tau)
        else:
            targets = batch["details"]
        value, valid = losses.binary_cross_entropy(logits["details"], targets)
        share = config.loss.details / len(data.detail_names)
        for k, name in enumerate(data.detail_names):
            terms[f"detail_{name}"] = losses.Term(value[:, k], valid[:, k], share)
    return terms


def outputs(logits: dict[str, jax.Array]) -> method.Outputs:
    """Probabilities and the badness score from logits; higher is worse.

    Args:
      logits: any of quality `[B, 3]`, ungradable `[B]`, details `[B, K]`, diagnosis `[B, T]`.

    Returns:
      `p_*` of each head in float32; `p_ungradable` is P(reject) where there is no such head;
      `score` as `decisions.score` makes it of these.
    """
    logits = {k: v.astype(jnp.promote_types(v.dtype, jnp.float32)) for k, v in logits.items()}
    out: method.Outputs = {}
    if "quality" in logits:
        out["p_quality"] = jax.nn.softmax(logits["quality"])
        out["p_ungradable"] = out["p_quality"][:, 2]
    if "ungradable" in logits:
        out["p_ungradable"] = jax.nn.sigmoid(logits["ungradable"])
    if "details" in logits:
        out["p_details"] = jax.nn.sigmoid(logits["details"])
    if "diagnosis" in logits:
        out["p_diagnosis"] = jax.nn.softmax(logits["diagnosis"])
    score = decisions.score(out)
    return out if score is None else {**out, "score": score}
