"""VUAD's residual U-Net (EFIQA, `unet_res`), and the layout that RRWNet's two U-Nets share with it.

The released modules hold every convolution twice, as an attribute and inside a Sequential; a state
dict lists both names of the one tensor.
"""

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
    translate,
    up_kernel,
)

LEVELS = 5
# (name inside the Sequential, the attribute's name)
_ALIASES = (
    (r"\bupconv(\d)\.conv_block\.0\.", r"upconv\1.conv."),
    (r"\bconv(\d)\.conv_block\.0\.", r"conv\1.conv1."),
    (r"\bconv(\d)\.conv_block\.2\.", r"conv\1.conv2."),
)


def without_aliases(tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """One tensor for each pair of names; a file that has either one of them is as good.

    Raises:
      FormatError: two names of one tensor hold different values.
    """
    out: dict[str, np.ndarray] = {}
    for name, value in tensors.items():
        kept = name
        for pattern, replacement in _ALIASES:
            kept = re.sub(pattern, replacement, kept)
        if kept in out and not np.array_equal(out[kept], value):
            raise FormatError(f"{name} and {kept} should be one tensor, but their values differ")
        out[kept] = value
    return out


def unet_rules(name: str = "", path: str = "") -> tuple[Rule, ...]:
    """Rules of one U-Net of five levels.

    Args:
      name: regex of the prefix of its names in the file.
      path: where it stands in our tree, with a slash at the end; empty for the whole.
    """
    out: list[Rule] = []

    def conv(theirs: str, ours: str) -> None:
        out.extend(affine(f"{name}{theirs}", f"{path}{ours}/conv", conv_kernel))

    for level in range(1, LEVELS + 1):
        for i in (1, 2):
            conv(rf"conv{level}\.conv{i}", f"down{level}/conv{i}")
    for i, level in enumerate(range(LEVELS - 1, 0, -1), 1):  # counted from the deepest level
        out += affine(rf"{name}upconv{i}\.conv", f"{path}up{level}", up_kernel)
        for k in (1, 2):
            conv(rf"conv{LEVELS + i}\.conv{k}", f"merge{level}/conv{k}")
    conv("outconv", "head")
    return tuple(out)


def convert(tensors: Mapping[str, np.ndarray]) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Parameters of `UNet(out, base, levels=5)`; channels and base are read off the tensors.

    The residual connection, output = x + U(x), has no parameters: the inpainting method adds it.

    Raises:
      FormatError: tensors that are missing, too many, of another shape, or aliases that differ.
    """
    from fiqa_jax.models.unet import UNet

    single = without_aliases(tensors)
    for name in ("conv1.conv1.weight", "outconv.weight"):
        if name not in single:
            raise FormatError(f"there is no {name} among {len(tensors)} tensors")
    base, channels = single["conv1.conv1.weight"].shape[:2]
    classes = single["outconv.weight"].shape[0]
    out = translate(single, unet_rules())
    net = UNet(classes, base, LEVELS)
    fits.check(net, (1, 16, 16, channels), out, f"a U-Net of base {base}")
    size = {"base": base, "levels": LEVELS, "channels": channels, "out": classes}
    return out, {"model": "unet", **size}


FORMAT = Format(
    description="VUAD, the residual U-Net of EFIQA that inpaints vessel maps",
    origin="EFIQA's training, model_epoch_100.pth (any base, channels read off the file)",
    convert=convert,
    use="--config.method.base={base} --config.model.weights={output} (method inpaint)",
)
