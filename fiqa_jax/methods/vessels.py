"""Vessel segmentation: where arteries, veins and vessels are, learnt from drawn or annotated eyes.

The label has three channels, artery, vein and vessel, and says per photograph which of them it
knows (CHASE_DB1 has vessels only). Crossings belong to both artery and vein, so each channel is a
yes-or-no of its own.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from fiqa_jax.methods import density
from fiqa_jax.models.rrwnet import RRWNet
from fiqa_jax.models.unet import UNet
from fiqa_jax.models.wnet import WNet
from fiqa_jax.training import losses, method
from fiqa_jax.training.devices import Axis

CHANNELS = ("artery", "vein", "vessel")
ARCHITECTURES = ("unet", "rrwnet", "wnet")


def network(settings: ConfigDict, dtype: Any) -> Any:
    """The network of the method section `settings`, compute dtype `dtype`.

    Raises:
      ValueError: an architecture that does not exist.
    """
    size = {"base": settings.base, "levels": settings.levels, "norm": settings.norm, "dtype": dtype}
    if settings.architecture == "unet":
        return UNet(len(CHANNELS), **size)
    if settings.architecture == "rrwnet":
        return RRWNet(iterations=settings.iterations, **size)
    if settings.architecture == "wnet":
        return WNet(
            len(CHANNELS), tuple(settings.base * 2**i for i in range(settings.levels)), dtype
        )
    raise ValueError(f"method.architecture {settings.architecture!r} is none of {ARCHITECTURES}")


def supervised(architecture: str, logits: jax.Array, extra: Any) -> list[tuple[float, jax.Array]]:
    """Every prediction that is trained, with its weight in the loss.

    W-Net: both halves alike (released code). RRWNet: the first U-Net with 1, pass k of the second
    with k / (1 + 2 + ...), so that the last passes count most (released code, after equation 4 of
    Mosinska et al. 2018).

    Args:
      architecture: one of ARCHITECTURES.
      logits, extra: what the network gave.
    """
    if architecture == "wnet":
        return [(1.0, extra["first"]), (1.0, logits)]
    if architecture == "rrwnet":
        first, *passes = extra["predictions"]
        whole = len(passes) * (len(passes) + 1) / 2
        return [(1.0, first), *((k / whole, p) for k, p in enumerate(passes, 1))]
    return [(1.0, logits)]


def build(config: ConfigDict, data: method.DataSpec, run: method.Run) -> method.Method:
    """The method for one stage.

    Args:
      config: the stage's sections model (precision), optim, augment and method.
      data: shapes; `data.side` is a multiple of 2^(levels - 1).

    Raises:
      ValueError: a side that cannot be halved often enough, or unknown settings.
    """
    settings = config.method
    dtype = jnp.dtype(config.model.precision)
    net = network(settings, dtype)
    change = method.augmented(config.augment.train)
    start = method.initialiser(
        net, dataclasses.replace(data, channels=1) if settings.flatten else data
    )

    def seen_by(image: jax.Array, fov: jax.Array) -> jax.Array:
        """What the network is given: local density in green, `[B, H, W, 1]`, or the photograph."""
        if settings.flatten:
            return density.flattened(image[..., 1:2], fov, settings.flatten)
        return method.normalise(image, data)

    def loss(
        params: Any, model_state: Any, batch: method.Batch, key: jax.Array, axis: Axis
    ) -> tuple[dict[str, losses.Term], Any]:
        batch = change(batch, key)
        images = seen_by(batch["image"], batch["fov"]).astype(dtype)
        (logits, extra), new = net.clone(axis_name=axis.name).apply(
            {"params": params, **model_state}, images, True, mutable=list(model_state)
        )
        outputs = supervised(settings.architecture, logits, extra)
        parts = [(share, pixel_losses(each, batch)) for share, each in outputs]
        shares = jnp.array([share for share, _ in parts], logits.dtype)
        entropy, dice = (
            jnp.tensordot(shares, jnp.stack([p[i] for _, p in parts]), 1) for i in (0, 1)
        )
        valid = batch["vessels_valid"].astype(logits.dtype)
        terms = {}
        for k, name in enumerate(CHANNELS):
            third = 1.0 / len(CHANNELS)
            terms[name] = losses.Term(entropy[:, k], valid[:, k], third)
            terms[f"{name}_dice"] = losses.Term(dice[:, k], valid[:, k], settings.dice * third)
        return terms, dict(new)

    def predict(variables: Any, batch: method.Batch) -> method.Outputs:
        images = seen_by(method.unit(batch["image"]), batch["fov"]).astype(dtype)
        logits, _ = net.apply(variables, images, False)
        seen = batch["fov"][..., None] > 0
        out = {"vessels": jnp.where(seen, jax.nn.sigmoid(logits), 0.0)}
        if "vessels" in batch:
            entropy, _ = pixel_losses(logits, batch)
            known = batch["vessels_valid"] > 0
            hard = hard_dice(out["vessels"], batch)
            for k, name in enumerate(CHANNELS):
                out[f"row_{name}_loss"] = jnp.where(known[:, k], entropy[:, k], jnp.nan)
                out[f"row_{name}_dice"] = jnp.where(known[:, k], hard[:, k], jnp.nan)
        return out

    return method.make(config, run, start, loss, predict)


def pixel_losses(logits: jax.Array, batch: method.Batch) -> tuple[jax.Array, jax.Array]:
    """Cross-entropy and soft Dice loss of each photograph and channel, inside the field of view.

    Args:
      logits: `[B, H, W, C] float`.
      batch: `vessels [B, H, W, C] uint8` coverage 0..255 and `fov [B, H, W] uint8`.

    Returns:
      Two arrays `[B, C]`: the mean over pixels inside the field, and 1 - 2 sum(p y) / sum(p + y)
      (Milletari et al. 2016 without squares).
    """
    target = batch["vessels"].astype(logits.dtype) / 255.0
    seen = (batch["fov"][..., None] > 0).astype(logits.dtype)
    value, _ = losses.binary_cross_entropy(logits, target)
    entropy = (value * seen).sum((1, 2)) / jnp.maximum(seen.sum((1, 2)), 1.0)
    p = jax.nn.sigmoid(logits) * seen
    y = target * seen
    both = (p * y).sum((1, 2))
    return entropy, 1.0 - (2.0 * both + 1.0) / ((p + y).sum((1, 2)) + 1.0)


def hard_dice(probability: jax.Array, batch: method.Batch) -> jax.Array:
    """Dice `[B, C]` at 0.5 inside the field; 1 where neither has a pixel.

    Args:
      probability: `[B, H, W, C]` in [0, 1], 0 outside the field.
      batch: as for `pixel_losses`; a pixel is vessel where at least half of it is covered.
    """
    seen = batch["fov"][..., None] > 0
    y = (batch["vessels"] >= 128) & seen
    p = (probability >= 0.5) & seen
    both, either = (p & y).sum((1, 2)), p.sum((1, 2)) + y.sum((1, 2))
    return jnp.where(either > 0, 2.0 * both / jnp.maximum(either, 1), 1.0)
