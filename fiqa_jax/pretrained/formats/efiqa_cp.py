"""EFIQA-CP's network as its authors name it, now and in an older release."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from fiqa_jax.pretrained.formats import fits
from fiqa_jax.pretrained.formats.rules import (
    Format,
    FormatError,
    Rule,
    affine,
    conv_kernel,
    layer_norm,
    translate,
)

# (older name, the one of the release)
_OLDER = ((r"^(stem|head)\.0\.ln\.", r"\1.0.norm."), (r"\.norm\.ln\.", ".norm.norm."))


def point_kernel(x: np.ndarray) -> np.ndarray:
    """`[O, I, 1, 1]` to `[I, O]`."""
    if x.shape[2:] != (1, 1):
        raise ValueError("a 1x1 convolution was expected")
    return x[:, :, 0, 0].T


def down_kernel(x: np.ndarray) -> np.ndarray:
    """`[O, I, 2, 2]` to `[4 I, O]`, places in reading order."""
    outputs, inputs, height, width = x.shape
    if (height, width) != (2, 2):
        raise ValueError("a 2x2 convolution was expected")
    return x.transpose(2, 3, 1, 0).reshape(4 * inputs, outputs)


_BLOCK, _OURS = r"stage(\d)\.(\d)", r"stage\1_block\2"
_RULES = (
    *layer_norm(r"stem\.0\.norm", "stem_norm"),
    *affine(r"stem\.1", "stem", point_kernel),
    *affine(rf"{_BLOCK}\.dw", f"{_OURS}/dw", conv_kernel),
    *layer_norm(rf"{_BLOCK}\.norm\.norm", f"{_OURS}/norm"),
    *affine(rf"{_BLOCK}\.(pw\d)", rf"{_OURS}/\3", point_kernel),
    Rule(rf"{_BLOCK}\.gamma", f"params/{_OURS}/gamma", np.ravel),
    *layer_norm(r"(down\d)\.norm\.norm", r"\1_norm"),
    *affine(r"(down\d)\.conv", r"\1", down_kernel),
    *layer_norm(r"head\.0\.norm", "head_norm"),
    *affine(r"head\.1", "head", point_kernel),
)


def released(name: str) -> str:
    """A tensor's name without `model.`, the older names turned into the release's.

    The third stage has one block, with or without a number.
    """
    name = name.removeprefix("model.")
    for pattern, replacement in _OLDER:
        name = re.sub(pattern, replacement, name)
    return re.sub(r"^stage3\.(?!\d)", "stage3.0.", name)


def convert(tensors: Mapping[str, np.ndarray]) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Parameters of `EfiqaCP(width, ratio)`; both and the encoder's channels are read off them.

    Raises:
      FormatError: tensors that are missing, too many or of another shape, or two of one name.
    """
    from fiqa_jax.models.efiqa_cp import EfiqaCP

    ours = {released(name): value for name, value in tensors.items()}
    if len(ours) != len(tensors):
        raise FormatError("names of both releases stand beside each other in one file")
    for name in ("stem.1.weight", "stage1.0.pw1.weight"):
        if name not in ours:
            raise FormatError(f"there is no model.{name} among {len(tensors)} tensors")
    width, channels = ours["stem.1.weight"].shape[:2]
    ratio = ours["stage1.0.pw1.weight"].shape[0] // width
    out = translate(ours, _RULES)
    net = EfiqaCP(width, ratio)
    fits.check(net, (1, 4, 4, channels), out, f"an EFIQA-CP of width {width}", train=())
    return out, {"model": "efiqa_cp", "width": width, "ratio": ratio, "channels": channels}


FORMAT = Format(
    description="EFIQA-CP, cells of a frozen encoder to quality cells",
    origin="EFIQA-CP's release `weights` (any width, hidden ratio read off the file)",
    convert=convert,
    use="--config.stage.efiqa_cp.model.weights={output}"
    " --config.stage.efiqa_cp.method.width={width} --config.stage.efiqa_cp.method.ratio={ratio}"
    " (configs/efiqa_cp.py:paper)",
)
