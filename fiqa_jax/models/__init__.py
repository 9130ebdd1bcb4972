"""Networks: each returns its output and a dict of intermediates."""

from collections.abc import Callable
from typing import Any

import flax.linen as nn

from fiqa_jax.models import resnet, vgg

# name -> builder(width=, dtype=, axis_name=) of a trunk:
# `(x [B, H, W, C] float32, train) -> (features [B, F], intermediates)`.
MODELS: dict[str, Callable[..., nn.Module]] = {
    "resnet18": resnet.resnet18,
    "resnet34": resnet.resnet34,
    "resnet50": resnet.resnet50,
    "tiny": resnet.tiny,
    "vgg16": vgg.vgg16,
    "vgg_tiny": vgg.vgg_tiny,
}


def make(name: str, **kw: Any) -> nn.Module:
    """Builds the trunk called `name`.

    Args:
      name: a key of MODELS.
      **kw: `width` (factor on channels), `dtype` (compute dtype), `axis_name` (mapped axis of batch
        statistics, None under jit).

    Raises:
      ValueError: a name that is not known; the message lists those that are.
    """
    if name not in MODELS:
        raise ValueError(f"model.name={name!r} is not known; known: {', '.join(sorted(MODELS))}")
    return MODELS[name](**kw)
