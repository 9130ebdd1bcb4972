"""RRWNet's and R2-V2's weights: two U-Nets in the layout of VUAD's, `first_u.` and `second_u.`."""

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np

from fiqa_jax.pretrained.formats import fits, vuad
from fiqa_jax.pretrained.formats.rules import Format, FormatError, translate

_RULES = (
    *vuad.unet_rules(r"first_u\.", "first/"),
    *vuad.unet_rules(r"second_u\.", "second/"),
)


def convert(
    tensors: Mapping[str, np.ndarray], prepared: str
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Both U-Nets; base and input channels are read off the tensors.

    How often the second one is applied is in no tensor: metadata says 5, as released. Three input
    channels are the enhanced photograph, six the enhanced beside the plain one (R2-V2's `bv`).

    Args:
      tensors: by name.
      prepared: how photographs have to be prepared for these weights, for the metadata.

    Raises:
      FormatError: tensors that are missing, too many, of another shape, or aliases that differ.
    """
    from fiqa_jax.models.rrwnet import RRWNet

    single = vuad.without_aliases(tensors)
    name = "first_u.conv1.conv1.weight"
    if name not in single:
        raise FormatError(f"there is no {name} among {len(tensors)} tensors")
    base, channels = single[name].shape[:2]
    out = translate(single, _RULES)
    net = RRWNet(base, vuad.LEVELS, iterations=0)
    fits.check(net, (1, 16, 16, channels), out, f"an RRWNet of base {base}")
    size = {"base": base, "levels": vuad.LEVELS, "iterations": 5, "channels": channels}
    return out, {"model": "rrwnet", "prepared": prepared, **size}


_USE = (
    "--config.stage.segmentor.path={output} (configs/efiqa.py:paper), or python -m"
    " fiqa_jax.benchmark vessels --weights {output}"
)
FORMATS: dict[str, Format] = {
    "rrwnet": Format(
        "RRWNet: arteries, veins and vessels",
        "github.com/j-morano/rrwnet, rrwnet_RITE_1.pth or rrwnet_HRF_0.pth, or Hugging Face"
        " j-morano/rrwnet-rite, rrwnet-hrf (model.safetensors)",
        functools.partial(convert, prepared="rrwnet"),
        _USE,
    ),
    "r2v2": Format(
        "R2-V2's av and bv: arteries, veins and vessels; bv is what EFIQA was trained on",
        "github.com/j-morano/R2-V2, av.pth or bv.pth, or Hugging Face j-morano/R2-V2",
        functools.partial(convert, prepared="r2v2"),
        _USE,
    ),
}
