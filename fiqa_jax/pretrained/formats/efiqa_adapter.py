"""EFIQA's linear adapter as its authors save it: `model.weight [1, C]` and `model.bias [1]`."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from fiqa_jax.pretrained.formats.rules import Format, FormatError, Rule, linear_kernel, translate

# Inside the released module the unit is called `model`; a bare linear layer's file has no prefix.
_RULES = (
    Rule(r"(?:model\.)?weight", "params/linear/kernel", linear_kernel),
    Rule(r"(?:model\.)?bias", "params/linear/bias"),
)


def convert(tensors: Mapping[str, np.ndarray]) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Parameters of the method `adapter` without `standardise`, `ridge` and `around`.

    Raises:
      FormatError: other tensors than one weight for each channel and one bias.
    """
    out = translate(tensors, _RULES)
    kernel, bias = out.get("params/linear/kernel"), out.get("params/linear/bias")
    if kernel is None or bias is None:
        raise FormatError(f"expected model.weight and model.bias, the file has {sorted(tensors)}")
    if kernel.ndim != 2 or kernel.shape[1] != 1 or bias.shape != (1,):
        raise FormatError(
            f"expected model.weight [1, C] and model.bias [1], seen {kernel.shape[::-1]} and "
            f"{bias.shape}: a layer of one unit"
        )
    return out, {"model": "efiqa_adapter", "channels": len(kernel)}


FORMAT = Format(
    description="EFIQA's linear adapter, cells of a frozen encoder to quality cells",
    origin="EFIQA's training of the adapter, model_epoch20.pth",
    convert=convert,
    use="--config.stage.adapter.model.weights={output} --config.stage.adapter.train.epochs=0"
    " (configs/efiqa.py:paper: the weights are taken as they are)",
)
