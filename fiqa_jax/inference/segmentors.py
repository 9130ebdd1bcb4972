"""Vessel segmentors by name: a model directory of ours, or converted weights of others.

    segment = segmentors.load("bv.safetensors")
    maps = segment(image, fov)  # [H, W, 3]: artery, vein, vessel

Each sees a photograph as its authors prepared it; the map has the photograph's own size.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from fiqa_jax.inference import model_dir
from fiqa_jax.models.rrwnet import RRWNet
from fiqa_jax.models.wnet import WNet
from fiqa_jax.pretrained import tensors as pretrained
from input_pipeline.photo import enhance

WEIGHTS = "segmentor.safetensors"  # of a published segmentor, in a stage's model directory

# (`[H, W, 3] uint8`, `[H, W] uint8` field) -> `[H, W, 3] float32` in [0, 1], 0 outside the field
Segment = Callable[[np.ndarray, np.ndarray], np.ndarray]


def load(
    name: str | os.PathLike[str],
    *,
    width: int = 0,
    dark_fill: bool = True,
    own_field: bool = False,
) -> Segment:
    """The segmentor at `name`.

    Args:
      name: a model directory of the method `vessels`, or a .safetensors file from `python -m
        fiqa_jax.convert` with the formats lwnet, rrwnet or r2v2.
      width: pixels that RRWNet's photographs are brought to (the weights from HRF: 1024); 0 for
        what the file says, or else R2-V2's 1408, and for the photograph's own with RRWNet.
      dark_fill: for R2-V2: enhance as its program does on the fly, see `enhance.enhanced`.
      own_field: R2-V2 looks for the field by its own rule, as its program does where it is given no
        mask, and not at the field it is told.

    Raises:
      FileNotFoundError: nothing there.
      ValueError: a file or directory that holds no segmentor.
    """
    path = Path(name)
    if path.is_dir():
        return _ours(path)
    tensors, metadata = pretrained.read(path)
    kind = metadata.get("model")
    if kind not in ("wnet", "rrwnet"):
        raise ValueError(
            f"{path} holds {kind!r}, no vessel segmentor; convert one with --format lwnet,"
            " rrwnet or r2v2"
        )
    if kind == "wnet":
        return _wnet(tensors, metadata, str(path))
    return _rrwnet(tensors, metadata, str(path), width, dark_fill, own_field)


def _ours(path: Path) -> Segment:
    model = model_dir.load(path)
    if model.config["method"] != "vessels":
        raise ValueError(
            f"{path} holds a model of the method {model.config['method']!r}; `vessels` was expected"
        )

    def segment(image: np.ndarray, fov: np.ndarray) -> np.ndarray:
        seen = image * (fov[..., None] > 0)
        batch = {"image": _multiple(seen)[None], "fov": _multiple(fov)[None]}
        return model.predict(batch)["vessels"][0, : image.shape[0], : image.shape[1]]

    return segment


def _wnet(tensors: Mapping[str, np.ndarray], metadata: Mapping[str, Any], source: str) -> Segment:
    """RGB in [0, 1], black outside the field (Galdran et al. 2022, released code)."""
    net = WNet(metadata["out"], tuple(metadata["layers"]))
    run = _compiled(net, 3, tensors, source)

    def segment(image: np.ndarray, fov: np.ndarray) -> np.ndarray:
        inside = (fov > 0)[..., None]
        seen = _multiple(image * inside)[None].astype(np.float32) / 255.0
        logits = run(seen)[0, : image.shape[0], : image.shape[1]]
        return np.where(inside, _three(logits), 0.0).astype(np.float32)

    return segment


def _three(logits: np.ndarray) -> np.ndarray:
    """Artery, vein, vessel from one class, or from background, artery, crossing and vein.

    A network of one class gives its vessels in all three channels, as EFIQA's code replicates them.
    """
    if logits.shape[-1] == 1:
        return np.repeat(np.asarray(nn.sigmoid(logits)), 3, -1)
    p = np.asarray(nn.softmax(logits))
    return np.stack([p[..., 1] + p[..., 2], p[..., 3] + p[..., 2], 1.0 - p[..., 0]], -1)


def _rrwnet(
    tensors: Mapping[str, np.ndarray],
    metadata: Mapping[str, Any],
    source: str,
    width: int,
    dark_fill: bool,
    own_field: bool,
) -> Segment:
    """The enhanced photograph, with the plain one beside it where the weights have six channels.

    The map comes back to the photograph's size by bilinear interpolation (released code).
    """
    channels = metadata["channels"]
    net = RRWNet(metadata["base"], metadata["levels"], metadata["iterations"])
    run = _compiled(net, channels, tensors, source)
    later = metadata["prepared"] == "r2v2"
    width = width or int(metadata.get("width", enhance.WIDTH if later else 0))
    by_rule = own_field and later

    def segment(image: np.ndarray, fov: np.ndarray) -> np.ndarray:
        plain, mask = image / 255.0, (fov > 0).astype(np.float64)
        if width:
            plain, mask = enhance.resized(plain, width), enhance.resized(mask, width)
        if by_rule:
            mask = enhance.field(plain).astype(np.float64)
        how = {"equalise": later, "dark_fill": later and dark_fill}
        better, inside = enhance.enhanced(plain, mask > 0.5, **how)
        x = np.concatenate([better, plain], -1) if channels == 6 else better
        logits = run(enhance.padded(x)[None].astype(np.float32))[0]
        found = np.asarray(nn.sigmoid(enhance.unpadded(logits, *inside.shape)))
        found = found * inside[..., None]
        if found.shape[:2] != image.shape[:2]:
            shape = (*image.shape[:2], 3)
            found = np.asarray(jax.image.resize(found, shape, "linear", antialias=False))
        seen = fov[..., None] > 0
        return np.where(by_rule | seen, found, 0.0).astype(np.float32)

    return segment


def _compiled(
    net: Any, channels: int, tensors: Mapping[str, np.ndarray], source: str
) -> Callable[[np.ndarray], np.ndarray]:
    """`[1, H, W, C] float32` -> logits `[1, H, W, classes]` of the network's last output."""
    example = jax.ShapeDtypeStruct((1, 64, 64, channels), np.float32)
    template = jax.eval_shape(lambda x: net.init(jax.random.key(0), x, False), example)
    variables = jax.device_put(pretrained.fit(template, tensors, source))
    run = jax.jit(lambda v, x: net.apply(v, x, False)[0])
    return lambda x: np.asarray(run(variables, jnp.asarray(x)))


def _multiple(array: np.ndarray) -> np.ndarray:
    pad = [(0, -n % enhance.MULTIPLE) for n in array.shape[:2]] + [(0, 0)] * (array.ndim - 2)
    return np.pad(array, pad)
