"""torchvision's ResNet-18, -34 and -50."""

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
    linear_kernel,
    translate,
)

_BLOCK = r"layer(\d)\.(\d+)"
_RULES = (
    Rule(r"conv1\.weight", "params/stem/conv/kernel", conv_kernel),
    *batch_norm("bn1", "stem/norm"),
    Rule(rf"{_BLOCK}\.conv(\d)\.weight", r"params/stage\1/block\2/conv\3/kernel", conv_kernel),
    *batch_norm(rf"{_BLOCK}\.bn(\d)", r"stage\1/block\2/norm\3"),
    Rule(
        rf"{_BLOCK}\.downsample\.0\.weight", r"params/stage\1/block\2/down_conv/kernel", conv_kernel
    ),
    *batch_norm(rf"{_BLOCK}\.downsample\.1", r"stage\1/block\2/down_norm"),
    *affine("fc", "fc", linear_kernel),
)
_HEAD = "params/fc/.*"
# (three convolutions a block, blocks of each stage) -> name in MODELS
_DEPTHS: dict[tuple[bool, tuple[int, ...]], str] = {
    (False, (2, 2, 2, 2)): "resnet18",
    (False, (3, 4, 6, 3)): "resnet34",
    (True, (3, 4, 6, 3)): "resnet50",
}


def convert(
    tensors: Mapping[str, np.ndarray],
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Trunk and, where the file has it, classifier (`params/fc`, marked optional).

    The depth is read off the blocks, the width off the stem, and every name and shape is held
    against that network's.

    Raises:
      FormatError: no such network, or tensors that are missing, too many or of another shape.
    """
    from fiqa_jax import models

    out = translate(tensors, _RULES)
    if "params/stem/conv/kernel" not in out:
        raise FormatError(f"there is no conv1.weight among {len(tensors)} tensors: not a ResNet")
    blocks = tuple(
        len({path.split("/")[2] for path in out if path.startswith(f"params/stage{i}/")})
        for i in range(1, 5)
    )
    name = _DEPTHS.get(("params/stage1/block0/conv3/kernel" in out, blocks))
    if name is None:
        raise FormatError(f"stages of {blocks} blocks are none of {', '.join(_DEPTHS.values())}")
    _, _, colours, stem = out["params/stem/conv/kernel"].shape
    width = stem / 64
    model = models.make(name, width=width)
    fits.check(model, (1, 64, 64, colours), out, f"{name} of width {width:g}", _HEAD)
    return out, {"model": name, "width": width, "optional": _HEAD}


FORMAT = Format(
    description="ResNet-18, -34, -50 (resnet18, resnet34, resnet50), depth read off the file",
    origin="torchvision's download, e.g. resnet18-f37072fd.pth (weights='IMAGENET1K_V1'), or any"
    " torch.save(torchvision.models.resnet18(...).state_dict(), FILE)",
    convert=convert,
)
