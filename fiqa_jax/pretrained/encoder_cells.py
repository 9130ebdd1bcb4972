"""Cells of a photograph: out of the networks that encoders have, and out of raw pixels."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from fiqa_jax import models
from fiqa_jax.models import vit
from fiqa_jax.models.mobilenet import MobileNet
from fiqa_jax.models.unet import UNet

CELL = 16  # pixels of a cell of `pixels`, and stride of the convolutional networks' map


def network(metadata: Mapping[str, Any], precision: str) -> tuple[Any, int, Callable[[Any], Any]]:
    """The network that an encoder's metadata names.

    Args:
      metadata: `model` (vit, mobilenet, unet or a key of `models.MODELS`), with `settings` or
        `width` as the file has them.
      precision: compute dtype.

    Returns:
      Module, pixels of a cell, and how cells `[B, h, w, C]` come out of what the module returns.

    Raises:
      ValueError: a network that is none of those.
    """
    kind, settings = metadata["model"], dict(metadata.get("settings", {}))
    dtype = jnp.dtype(precision)
    if kind == "vit":
        net = vit.ViT(**settings, dtype=dtype)
        return net, net.patch, lambda out: out[0]
    if kind == "mobilenet":
        return MobileNet(**settings, dtype=dtype), CELL, lambda out: out[1]["stride16"]
    if kind == "unet":
        return UNet(**settings, dtype=dtype), CELL, lambda out: pooled_levels(out[1])
    if kind in models.MODELS:
        made = models.make(kind, width=metadata.get("width", 1.0), dtype=dtype)
        return made, CELL, lambda out: out[1]["stage3"]
    known = ", ".join(("vit", "mobilenet", "unet", *models.MODELS))
    raise ValueError(f"{kind!r} is none of the encoders {known}")


def pooled_levels(levels: Mapping[str, jax.Array]) -> jax.Array:
    """What a U-Net sees on its way down, of all resolutions, as the mean of each cell.

    Args:
      levels: `[B, h, w, C]` activations by name; the largest is as large as the image.

    Returns:
      `[B, H / 16, W / 16, sum of C]`, finest level first.
    """
    maps = [levels[name] for name in sorted(levels)]
    h, w = (n // CELL for n in maps[0].shape[1:3])

    def pooled(x: jax.Array) -> jax.Array:
        batch, height, width, channels = x.shape
        return x.reshape(batch, h, height // h, w, width // w, channels).mean((2, 4))

    return jnp.concatenate([pooled(x) for x in maps], -1)


def pixel_statistics(x: jax.Array) -> jax.Array:
    """Of every cell and colour: mean, sizes of steps right, down and of both, and deviation.

    Args:
      x: `[B, H, W, 3] float`, normalised.

    Returns:
      `[B, H / 16, W / 16, 15]`, three colours each.
    """
    right = jnp.abs(jnp.diff(x, axis=2, append=x[:, :, -1:]))
    down = jnp.abs(jnp.diff(x, axis=1, append=x[:, -1:]))
    parts = [vit.patchify(part, CELL) for part in (x, right, down, right * down)]
    cells = [p.reshape(*p.shape[:3], CELL * CELL, 3) for p in parts]
    columns = [c.mean(3) for c in cells]
    return jnp.concatenate([*columns, cells[0].std(3)], -1)
