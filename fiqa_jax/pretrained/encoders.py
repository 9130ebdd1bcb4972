"""Frozen encoders by name: a file, a folder, a Hugging Face id, or something built in.

    encoder = encoders.load("facebook/dinov3-vitl16-pretrain-lvd1689m")
    cells = encoder.features(images)  # [B, S, S, 3] uint8 -> [B, S / patch, S / patch, C] float32

`python -m fiqa_jax.encoders NAME OUTPUT` writes any of them as one file.
The weights never enter a training state: features are computed once and stored.
"""

import dataclasses
import functools
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import traverse_util
from jax.typing import ArrayLike

from fiqa_jax import models
from fiqa_jax.methods.mae import encoder_settings
from fiqa_jax.methods.vessels import CHANNELS
from fiqa_jax.models import vit
from fiqa_jax.pretrained import hub, shipped
from fiqa_jax.pretrained import tensors as pretrained
from fiqa_jax.pretrained.encoder_cells import CELL, network, pixel_statistics
from fiqa_jax.pretrained.formats import FORMATS
from fiqa_jax.training.method import unit

SHIPPED = shipped.FOLDER / "segmentor"  # its features
PIXELS = "pixels"  # statistics of raw pixels: what any encoder has to beat
RANDOM = "random"  # random:vit_s, a network with initial weights: the other floor
UNET = {"out": len(CHANNELS), "base": 8, "levels": 4, "norm": True}  # of the shipped segmentor
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))

Statistics = tuple[tuple[float, ...], tuple[float, ...]]


@dataclasses.dataclass(frozen=True)
class Encoder:
    """A frozen network that turns images into cells.

    Attributes:
      name: as it was asked for.
      patch: pixels of a cell's edge; sides of images are multiples of it.
      channels: of a cell's features.
      mean, std: of RGB in [0, 1], subtracted and divided inside `apply`.
      digest: hex; changes with weights, settings, statistics and precision, not with the place.
      metadata: what rebuilds it, beside its weights.
      variables: weights, numpy.
      apply: (variables, `[B, H, W, 3]` uint8 or float in [0, 1]) -> `[B, h, w, C] float32`.
    """

    name: str
    patch: int
    channels: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    digest: str
    metadata: dict[str, Any]
    variables: Any
    apply: Callable[[Any, jax.Array], jax.Array]

    def grid(self, side: int) -> int:
        """Cells along an edge of `side` pixels.

        Raises:
          ValueError: a side that is no multiple of `patch`.
        """
        if side % self.patch:
            near = max(round(side / self.patch), 1) * self.patch
            raise ValueError(
                f"encoder {self.name} needs a side that is a multiple of {self.patch} pixels, not"
                f" {side}; the nearest is {near}"
            )
        return side // self.patch

    @functools.cached_property
    def features(self) -> Callable[[ArrayLike], np.ndarray]:
        """Compiled `apply` with the weights on the default device; numpy in and out."""
        placed = jax.device_put(self.variables)
        run = jax.jit(self.apply)
        return lambda images: np.asarray(run(placed, jnp.asarray(images)))


def load(
    name: str,
    *,
    precision: str = "float32",
    revision: str = "",
    statistics: Statistics | None = None,
    offline: bool = False,
    flag: str = "the encoder's setting",
) -> Encoder:
    """The encoder called `name`.

    Args:
      name: a .safetensors file from `python -m fiqa_jax.convert`; a model directory of the method
        `pretrain`, or of `vessels` with a U-Net; a folder laid out as on the Hugging Face hub; an
        id there (`owner/repository`, extra `hub`); 'shipped'; 'pixels' (statistics of raw pixels);
        'random:vit_ti' and so on (a key of `models.vit.SIZES`, 'unet', 'mobilenet', or a key of
        `models.MODELS` with stages).
      precision: compute dtype, float32 or bfloat16; features are float32 either way.
      revision: of a hub id; empty for a pinned or the newest one.
      statistics: mean and std that replace those of the file.
      offline: an id of the hub is taken from its cache, never fetched.
      flag: the setting that holds `name`, for messages.

    Raises:
      FileNotFoundError: nothing of that name; the message says where encoders come from.
      ValueError: weights that are damaged, partial or of an unknown network.
    """
    if name == PIXELS:
        return _pixels(statistics)
    if name.startswith(f"{RANDOM}:"):
        return _random(name, precision, statistics)
    path = SHIPPED if name == "shipped" else Path(name)
    if path.is_file():
        tensors, metadata = _converted(path)
        return _build(name, metadata, tensors, precision, statistics)
    if path.is_dir():
        config = hub.read_json(path / "config.json")
        if "schema" in config:  # a model directory of ours
            tensors, metadata = _pretrained(path, config)
            return _build(name, metadata, tensors, precision, statistics)
        entry = hub.read(path)
    elif hub.ID.fullmatch(name):
        entry = hub.read(hub.download(name, revision, offline), name)
    else:
        raise FileNotFoundError(
            f"no encoder at {name!r}. Give {flag} a .safetensors file from `python -m"
            " fiqa_jax.convert` (its --list says where weights come from), a Hugging Face id such"
            " as facebook/dinov3-vitl16-pretrain-lvd1689m, the model directory of"
            " configs/pretrain.py or configs/vessels.py, 'shipped' or 'pixels'"
        )
    try:
        tensors, metadata = FORMATS[entry.format].convert(entry.tensors)
    except ValueError as error:
        raise ValueError(f"{name} as {entry.format}: {error}") from error
    chosen = statistics or entry.statistics
    return _build(name, metadata, tensors, precision, chosen)


def save(encoder: Encoder, output: str | os.PathLike[str], dtype: str = "float32") -> None:
    """Writes an encoder as one file that `load` reads, whatever it came from.

    Args:
      encoder: any but `pixels`, which has no weights.
      output: .safetensors.
      dtype: float32, or float16 for half the size.
    """
    small = jax.tree.map(lambda x: np.asarray(x).astype(dtype), encoder.variables)
    pretrained.save(output, small, encoder.metadata)


def _converted(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    tensors, metadata = pretrained.read(path)
    if "model" not in metadata:
        raise ValueError(
            f"{path} was not written by `python -m fiqa_jax.convert`: convert it first, `python -m"
            " fiqa_jax.convert --list` names the formats"
        )
    head = metadata.get("optional", "")
    return {n: x for n, x in tensors.items() if not re.fullmatch(head, n)}, metadata


def _build(
    name: str,
    metadata: Mapping[str, Any],
    tensors: Mapping[str, np.ndarray],
    precision: str,
    statistics: Statistics | None,
) -> Encoder:
    net, patch, cells = network(metadata, precision)
    example = jax.ShapeDtypeStruct((1, 2 * patch, 2 * patch, 3), np.float32)
    template = jax.eval_shape(lambda x: net.init(jax.random.key(0), x, False), example)
    variables = pretrained.fit(template, tensors, name)
    mean, std = statistics or (
        tuple(metadata.get("mean", IMAGENET[0])),
        tuple(metadata.get("std", IMAGENET[1])),
    )

    def apply(variables: Any, images: jax.Array) -> jax.Array:
        x = _normalised(images, mean, std)
        return cells(net.apply(variables, x, False)).astype(jnp.float32)

    image = jax.ShapeDtypeStruct(example.shape, np.uint8)
    channels = jax.eval_shape(apply, template, image).shape[-1]
    known = {k: metadata[k] for k in ("model", "settings", "width") if k in metadata}
    known |= {"mean": list(mean), "std": list(std)}
    digest = _digest({**known, "precision": precision}, tensors)
    return Encoder(name, patch, channels, mean, std, digest, known, variables, apply)


def _random(
    name: str,
    precision: str,
    statistics: Statistics | None,
) -> Encoder:
    kind = name.partition(":")[2]
    metadata: dict[str, Any] = {"model": kind}
    if kind in vit.SIZES:
        metadata = {"model": "vit", "settings": {**vit.SIZES[kind], "position": "sines"}}
    elif kind == "unet":
        metadata["settings"] = UNET
    elif kind not in ("mobilenet", *models.MODELS):
        known = ", ".join([*vit.SIZES, "unet", "mobilenet", *models.MODELS])
        raise ValueError(f"{name!r}: {kind!r} is none of {known}")
    net, patch, _ = network(metadata, precision)
    image = jnp.zeros((1, 2 * patch, 2 * patch, 3))
    # Not compiled as a whole: blocks are alike, so that each operation compiles once for all.
    variables = jax.device_get(net.init(jax.random.key(0), image, False))
    paths = traverse_util.flatten_dict(variables, sep="/")
    return _build(name, metadata, paths, precision, statistics)


def _pretrained(
    path: Path, config: Mapping[str, Any]
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Tensors and metadata of the encoder in a model directory."""
    method_settings = config["settings"].get("method", {})
    unet = method_settings.get("architecture") == "unet" and not method_settings.get("flatten")
    if config["method"] != "pretrain" and not unet:
        raise ValueError(
            f"{path} holds a model of the method {config['method']!r}; encoders come from"
            " `pretrain` (configs/pretrain.py), and from `vessels` where its network is a U-Net"
            " that sees the photograph (method.flatten=0; configs/vessels.py:reader)"
        )
    tensors, _ = pretrained.read(path / "model.safetensors")
    if unet:
        data, settings = config["data"], {k: method_settings[k] for k in ("base", "levels", "norm")}
        known = {"model": "unet", "settings": {"out": len(CHANNELS), **settings}}
        return tensors, {**known, "mean": data["mean"], "std": data["std"]}
    start = "params/encoder/"
    weights = {
        f"params/{n.removeprefix(start)}": x for n, x in tensors.items() if n.startswith(start)
    }
    settings = encoder_settings(config["settings"]["method"])
    data = config["data"]
    return weights, {"model": "vit", "settings": settings, "mean": data["mean"], "std": data["std"]}


def _pixels(statistics: Statistics | None) -> Encoder:
    mean, std = statistics or ((0.0,) * 3, (1.0,) * 3)

    def apply(variables: Any, images: jax.Array) -> jax.Array:
        del variables
        return pixel_statistics(_normalised(images, mean, std))

    known = {"model": PIXELS, "mean": list(mean), "std": list(std)}
    digest = _digest(known, {})
    return Encoder(PIXELS, CELL, 15, tuple(mean), tuple(std), digest, known, {}, apply)


def _normalised(images: jax.Array, mean: Iterable[float], std: Iterable[float]) -> jax.Array:
    mean, std = (np.array(v, np.float32).reshape(1, 1, 1, -1) for v in (tuple(mean), tuple(std)))
    return (unit(images).astype(jnp.float32) - mean) / std


def _digest(known: Mapping[str, Any], tensors: Mapping[str, np.ndarray]) -> str:
    """Of what decides the features and nothing else, so that it survives a copy or a new name."""
    digest = hashlib.sha256(json.dumps(known, sort_keys=True).encode())
    for name in sorted(tensors):
        value = np.ascontiguousarray(tensors[name], np.float32)
        digest.update(f"{name} {value.shape}".encode())
        digest.update(value.data)
    return digest.hexdigest()


def sized(images: jax.Array, size: int) -> jax.Array:
    """Images as the encoder sees them: Pillow's BICUBIC, with antialiasing, as the release does.

    Args:
      images: `[B, S, S, 3] uint8`.
      size: pixels; 0 or S leaves them alone.

    Returns:
      `[B, size, size, 3] uint8`.
    """
    if not size or images.shape[1] == size:
        return images
    shape = (images.shape[0], size, size, images.shape[-1])
    soft = jax.image.resize(images.astype(jnp.float32), shape, "cubic", antialias=True)
    return jnp.clip(jnp.round(soft), 0, 255).astype(jnp.uint8)
