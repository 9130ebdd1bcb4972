"""MobileNetV1 as Keras names it, whole or without its last blocks."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from fiqa_jax.pretrained.formats import fits
from fiqa_jax.pretrained.formats.rules import Format, FormatError, Rule, translate


def depthwise_kernel(x: np.ndarray) -> np.ndarray:
    """Keras's `[H, W, C, 1]` to `[H, W, 1, C]`."""
    return x.transpose(0, 1, 3, 2)


def _norm(name: str, path: str) -> tuple[Rule, ...]:
    return (
        Rule(rf"{name}_bn/gamma", f"params/{path}_norm/scale"),
        Rule(rf"{name}_bn/beta", f"params/{path}_norm/bias"),
        Rule(rf"{name}_bn/moving_mean", f"batch_stats/{path}_norm/mean"),
        Rule(rf"{name}_bn/moving_variance", f"batch_stats/{path}_norm/var"),
    )


_RULES = (
    Rule("conv1/kernel", "params/conv1/kernel"),
    *_norm("conv1", "conv1"),
    Rule(r"conv_dw_(\d+)/(?:depthwise_)?kernel", r"params/depthwise\1/kernel", depthwise_kernel),
    *_norm(r"conv_dw_(\d+)", r"depthwise\1"),
    Rule(r"conv_pw_(\d+)/kernel", r"params/pointwise\1/kernel"),
    *_norm(r"conv_pw_(\d+)", r"pointwise\1"),
    Rule(r"conv_preds/.*", None),
)


def convert(tensors: Mapping[str, np.ndarray]) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Every block up to the first one whose pointwise kernel is missing; no classifier.

    Raises:
      FormatError: no MobileNetV1, or tensors that are missing, too many or of another shape.
    """
    from fiqa_jax.models import mobilenet

    if "conv1/kernel" not in tensors:
        raise FormatError(f"there is no conv1/kernel among {len(tensors)} tensors")
    kernels = [f"conv_pw_{i}/kernel" in tensors for i in range(1, len(mobilenet.BLOCKS) + 1)]
    blocks = kernels.index(False) if False in kernels else len(kernels)
    beyond = tuple(f"conv_{part}_{blocks + 1}" for part in ("dw", "pw"))
    kept = {n: x for n, x in tensors.items() if n.split("/")[0].removesuffix("_bn") not in beyond}
    out = translate(kept, _RULES)
    settings = {"width": tensors["conv1/kernel"].shape[-1] / 32, "blocks": blocks}
    net = mobilenet.MobileNet(**settings)
    words = f"a MobileNetV1 of width {settings['width']:g} and {blocks} blocks"
    fits.check(net, (1, 32, 32, 3), out, words)
    return out, {"model": "mobilenet", "settings": settings, "mean": [0.5] * 3, "std": [0.5] * 3}


FORMAT = Format(
    description="MobileNetV1 trained on ImageNet, as a frozen encoder",
    origin="Keras's MobileNet: an .npz of its weights by name (conv_pw_1/kernel ...)",
    convert=convert,
    use="name {output} as the encoder of a recipe",
)
