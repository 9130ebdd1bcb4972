"""Whether converted tensors are the whole of a network: every name and shape is compared."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from fiqa_jax.pretrained.formats.rules import FormatError


def check(
    net: Any,
    image: tuple[int, ...],
    tensors: Mapping[str, np.ndarray],
    what: str,
    optional: str = "",
    train: tuple[Any, ...] = (False,),
) -> None:
    """Holds `tensors` against a Linen module's own variables, which are never computed.

    Args:
      net: called as `net(images, *train)`.
      image: `(1, H, W, C)` that the network accepts.
      tensors: by our path.
      what: the network in words, for the message.
      optional: regex of paths that the network need not have.
      train: the arguments after the images.

    Raises:
      FormatError: the first missing, unexpected and misshapen tensor.
    """
    import jax

    from fiqa_jax.pretrained import tensors as pretrained

    example = jax.ShapeDtypeStruct(image, np.float32)
    template = jax.eval_shape(lambda x: net.init(jax.random.key(0), x, *train), example)
    problems = pretrained.differences(template, tensors, optional)
    if problems:
        raise FormatError(f"not {what}: {'; '.join(problems.values())}")
