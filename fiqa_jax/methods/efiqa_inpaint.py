"""Inpainting of vessel maps, EFIQA's first stage (VUAD, Wang et al. 2026).

A network that has seen vessel maps of good photographs only learns to fill in masked blocks. Later
nothing is masked, and what it adds shows where vessels were to be expected and are not: there the
photograph is bad. The `image` of a batch is a vessel map (red arteries, green veins, blue vessels).

output = x + UNet(x), ReLU, no normalisation; mean squared error over all pixels, masked or not.
"""

from typing import Any

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from fiqa_jax.methods import efiqa_labels, efiqa_masks
from fiqa_jax.models.layers.initial import like_torch
from fiqa_jax.models.unet import UNet
from fiqa_jax.training import augment, losses, method, state
from fiqa_jax.training.devices import Axis

GREY = (0.299, 0.587, 0.114)


def build(config: ConfigDict, data: method.DataSpec, run: method.Run) -> method.Method:
    """The method for one stage.

    Args:
      config: the stage's sections model (precision), optim, augment and method.
      data: shapes; `data.side` pixels of the stored maps, `method.side` those of the network.

    Raises:
      ValueError: a side that cannot be halved often enough, `method.compat` with another grid than
        16, an unknown `method.measure`, or an augmentation line: the flips, rotations and crops
        belong to the method.
    """
    settings = config.method
    if settings.measure not in ("added", "lost"):
        raise ValueError(f"method.measure is {settings.measure!r}; expected added or lost")
    if settings.compat and settings.grid != 16:
        raise ValueError(f"method.compat takes 14 of 16 cells; method.grid is {settings.grid}")
    if config.augment.train:
        raise ValueError(
            f"inpainting changes its maps itself; augment.train is {config.augment.train!r}, set "
            "it to ''"
        )
    dtype = jnp.dtype(config.model.precision)
    net = UNet(data.channels, settings.base, settings.levels, dtype=dtype)
    shape = (1, settings.side, settings.side, data.channels)

    def start(key: jax.Array) -> tuple[Any, Any]:
        params = net.init(key, jnp.zeros(shape, dtype), False)["params"]
        return like_torch(key, params), {}

    init, tx = method.optimised(config, run, start)

    def filled(params: Any, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        added, _ = net.apply({"params": params}, x.astype(dtype), False)
        return x + added, added

    def step(
        now: state.TrainState, batch: method.Batch, key: jax.Array, *, axis: Axis
    ) -> tuple[state.TrainState, dict[str, jax.Array]]:
        epoch = efiqa_masks.epoch(now.step, run.steps)

        def loss(
            params: Any, model_state: Any, batch: method.Batch, key: jax.Array, axis: Axis
        ) -> tuple[dict[str, losses.Term], Any]:
            del axis  # every example stands alone
            keys = state.example_keys(key, batch["index"])
            target, masked = jax.vmap(
                lambda m, k: example(
                    m, k, epoch, settings.side, settings.crop, settings.as_pictures
                )
            )(batch["image"], keys)
            error = ((filled(params, masked)[0] - target) ** 2).mean((1, 2, 3))
            return {"mse": losses.Term(error, jnp.ones_like(error), 1.0)}, model_state

        return method.gradient_step(loss, tx, config.optim.ema)(now, batch, key, axis=axis)

    def predict(variables: Any, batch: method.Batch) -> method.Outputs:
        params = variables["params"]
        x = prepared(batch["image"], settings.side, settings.floor, settings.as_pictures)
        output, added = filled(params, x)
        seen = (batch["fov"] > 0).astype(x.dtype)
        seen_cells = efiqa_labels.mean_cells(seen, settings.grid)
        if settings.measure == "lost":
            anomaly = cells = efiqa_labels.lost(x, output, seen_cells)
        else:
            anomaly = jnp.abs(added).mean(-1)
            cells = efiqa_labels.cells(anomaly, settings.grid)
        out = {
            "inpainted": output,
            "anomaly": anomaly,
            "cells": cells,
            "seen": seen_cells,
        }
        if settings.compat:
            out |= {name: efiqa_labels.compat(out[name]) for name in ("cells", "seen")}
        counted = out["seen"] if settings.field else jnp.ones_like(out["seen"])
        out["bad"] = efiqa_labels.labels(out["cells"], counted, settings.threshold)
        out["vessel_density"] = share(batch["image"].max(-1) >= 128, seen)
        out["vuad_density"] = share(
            anomaly > settings.threshold, efiqa_labels.mean_cells(seen, anomaly.shape[1])
        )
        # Beside training: the error on masks that are the same every time.
        keys = state.example_keys(state.stream(0, "inpaint"), batch["index"])
        plain = prepared(batch["image"], settings.side, -1.0, settings.as_pictures)
        stays = jax.vmap(
            lambda k: efiqa_masks.block_mask(k, jnp.asarray(efiqa_masks.FULL), settings.side)
        )(keys)
        error = filled(params, plain * stays[..., None])[0] - plain
        out["row_mse"] = (error**2).mean((1, 2, 3))
        return out

    return method.Method(init, step, predict)


def share(hit: jax.Array, seen: jax.Array) -> jax.Array:
    """Share `[B]` of the field that is hit: `[B, S, S] bool` and weights `[B, S, S]` in [0, 1]."""
    return (hit * seen).sum((1, 2)) / jnp.maximum(seen.sum((1, 2)), 1e-6)


def example(
    image: jax.Array,
    key: jax.Array,
    epoch: jax.Array,
    side: int,
    crop: bool,
    as_pictures: bool = False,
) -> tuple[jax.Array, jax.Array]:
    """One training example: flips, rotation, crop, resize, then the mask (order of the release).

    Args:
      image: `[W, W, C] uint8` vessel map.
      key: of this example.
      epoch: int scalar, on the published scale.
      side: pixels of the result.
      crop: False leaves out the crops, and as published the flips and rotations with them.
      as_pictures: the map is a picture of 8 bits until the network sees it, as published: a crop's
        ellipse is cut out before resizing, and what resizing gives is rounded. False cuts a circle
        after resizing and rounds nothing.

    Returns:
      Target and masked input, `[side, side, C] float` in [0, 1].
    """
    k_flip, k_turn, k_crop, k_whether, k_mask = jax.random.split(key, 5)
    width = image.shape[0]
    out = method.unit(image)
    if crop:
        turn = augment.rotate(360.0)(k_turn) @ augment.flip()(k_flip)
        out = augment.warp(out, turn.astype(out.dtype), nearest=True)
        cut = jax.random.uniform(k_whether, ()) < efiqa_masks.crop_probability(epoch)
        boxes = efiqa_masks.crop_box(k_crop, width, side), efiqa_masks.whole(width)
        box = efiqa_masks.Box(*(jnp.where(cut, a, b) for a, b in zip(*boxes, strict=True)))
        if as_pictures:
            out = out * (efiqa_masks.ellipse_of(box, width) | ~cut)[..., None]
            out = efiqa_masks.resize(out, box, side)
        else:
            inside = efiqa_masks.ellipse(side) | ~cut
            out = efiqa_masks.resize(out, box, side) * inside[..., None]
    else:
        out = resized(out, side)
    out = efiqa_masks.eight_bit(out) if as_pictures else out
    return out, out * efiqa_masks.block_mask(k_mask, epoch, side)[..., None]


def resized(image: jax.Array, side: int) -> jax.Array:
    """`[W, W, C] float` at `side` pixels, as it is where it has them already."""
    width = image.shape[0]
    return image if width == side else efiqa_masks.resize(image, efiqa_masks.whole(width), side)


def prepared(maps: jax.Array, side: int, floor: float, as_pictures: bool = False) -> jax.Array:
    """Vessel maps as the network sees them in use (released code).

    Args:
      maps: `[B, W, W, C] uint8`.
      side: pixels of the result.
      floor: pixels whose grey level, 0.299 R + 0.587 G + 0.114 B of 255, is no more become black,
        at the maps' own size; one that is vessel but neither artery nor vein has 29. Below 0, or
        with one channel, nothing is changed.
      as_pictures: what resizing gives is rounded to 8 bits, as published.

    Returns:
      `[B, side, side, C] float` in [0, 1].
    """
    image = method.unit(maps)
    if floor >= 0 and maps.shape[-1] == len(GREY):
        grey = jnp.round(255.0 * jnp.tensordot(image, jnp.asarray(GREY, image.dtype), 1))
        image = jnp.where((grey > floor)[..., None], image, 0.0)
    image = jax.vmap(lambda m: resized(m, side))(image)
    return efiqa_masks.eight_bit(image) if as_pictures else image
