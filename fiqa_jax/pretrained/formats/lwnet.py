"""W-Net weights of agaldran/lwnet: a checkpoint's `model_state_dict`, or the same names in .npz."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from fiqa_jax.pretrained.formats import fits
from fiqa_jax.pretrained.formats.rules import (
    Format,
    FormatError,
    Rule,
    affine,
    batch_norm,
    conv_kernel,
    translate,
    up_kernel,
)


def _conv(name: str, path: str) -> tuple[Rule, ...]:
    return affine(name, f"{path}/conv", conv_kernel)


def _block(name: str, path: str) -> tuple[Rule, ...]:
    return (
        *_conv(rf"{name}\.block\.0", f"{path}/conv1"),
        *batch_norm(rf"{name}\.block\.2", f"{path}/norm1"),
        *_conv(rf"{name}\.block\.3", f"{path}/conv2"),
        *batch_norm(rf"{name}\.block\.5", f"{path}/norm2"),
        Rule(rf"{name}\.shortcut\.0\.weight", f"params/{path}/short/kernel", conv_kernel),
        *batch_norm(rf"{name}\.shortcut\.1", f"{path}/short_norm"),
    )


def _rules(layers: int) -> tuple[Rule, ...]:
    out: list[Rule] = []
    for half in ("unet1", "unet2"):
        out += _block(rf"{half}\.first", f"{half}/down0")
        for i in range(layers - 1):
            out += _block(rf"{half}\.down_path\.{i}", f"{half}/down{i + 1}")
            level = layers - 2 - i  # the decoder counts from the deepest level
            up = rf"{half}\.up_path\.{i}"
            out += affine(rf"{up}\.up_layer\.block\.0", f"{half}/up{level}", up_kernel)
            out += _block(rf"{up}\.conv_layer", f"{half}/merge{level}")
            out += _conv(rf"{up}\.conv_bridge_layer\.block\.0", f"{half}/bridge{level}")
            out += batch_norm(rf"{up}\.conv_bridge_layer\.block\.2", f"{half}/bridge_norm{level}")
        out += _conv(rf"{half}\.final", f"{half}/head")
    return tuple(out)


def convert(tensors: Mapping[str, np.ndarray]) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Both halves; the number of levels and of classes is read off the tensors.

    Raises:
      FormatError: names that are no W-Net's.
    """
    from fiqa_jax.models.wnet import WNet

    firsts = ["unet1.first", *(f"unet1.down_path.{i}" for i in range(len(tensors)))]
    widths = [
        tensors[f"{name}.block.0.weight"].shape[0]
        for name in firsts
        if f"{name}.block.0.weight" in tensors
    ]
    if len(widths) < 2 or "unet1.final.weight" not in tensors:
        raise FormatError(f"there is no unet1.first.block.0.weight among {len(tensors)} tensors")
    out = translate(tensors, _rules(len(widths)))
    classes = tensors["unet1.final.weight"].shape[0]
    net = WNet(classes, tuple(widths))
    fits.check(net, (1, 64, 64, 3), out, f"a W-Net of layers {widths}")
    return out, {"model": "wnet", "layers": widths, "out": classes}


FORMAT = Format(
    description="W-Net for vessels (1 class) or arteries and veins (4 classes)",
    origin="github.com/agaldran/lwnet, experiments/*/model_checkpoint.pth (--key model_state_dict)",
    convert=convert,
    use="python -m fiqa_jax.benchmark vessels --weights {output}",
)
