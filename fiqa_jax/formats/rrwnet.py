"""RRWNet's and R2-V2's weights: two U-Nets in the layout of VUAD's, `first_u.` and `second_u.`."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from fiqa_jax.formats import fits, vuad
from fiqa_jax.formats.rules import Format, FormatError, translate

_RULES = (
    *vuad.unet_rules(r"first_u\.", "first/"),
    *vuad.unet_rules(r"second_u\.", "second/"),
)


def convert(tensors: Mapping[str, np.ndarray]) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Both U-Nets; base and input channels are read off the tensors.

    How often the second one is applied is in no tensor: metadata says 5, as released. Three input
    channels are the enhanced photograph, six the enhanced beside the plain one (R2-V2's `bv`).

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
    return out, {"model": "rrwnet", **size}


FORMAT = Format(
    description="RRWNet and R2-V2 (av, bv): arteries, veins and vessels",
    origin="github.com/j-morano/rrwnet (rrwnet_RITE_1.pth, rrwnet_HRF_0.pth), j-morano/R2-V2"
    " (av.pth, bv.pth), or their safetensors on the Hugging Face hub",
    convert=convert,
    use="python -m fiqa_jax.benchmark vessels --rrwnet {output}",
)
