"""Weights and images from a seed rule that both sides of a comparison can follow without files."""

import re
import zlib
from collections.abc import Mapping, Sequence

import numpy as np


def tensor(name: str, shape: Sequence[int]) -> np.ndarray:
    """One float32 tensor of a PyTorch state dict, drawn from its name.

    Statistics, affines and biases are random too: a zero mean or a unit scale would hide a tensor
    that was put in the wrong place. Kernels keep activations near unit size.
    """
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    kind = name.rsplit(".", 1)[-1]
    if kind == "num_batches_tracked":
        return np.zeros(shape, np.int64)
    if len(shape) >= 2:
        out = rng.normal(size=shape) / np.sqrt(np.prod(shape[1:]))
    elif kind in ("weight", "running_var"):
        out = rng.uniform(0.5, 1.5, shape)
    else:
        out = 0.1 * rng.normal(size=shape)
    return out.astype(np.float32)


def state_dict(shapes: Mapping[str, Sequence[int]]) -> dict[str, np.ndarray]:
    """Tensors for all names."""
    return {name: tensor(name, shape) for name, shape in shapes.items()}


def louder(state: Mapping[str, np.ndarray], names: str, factor: float) -> dict[str, np.ndarray]:
    """The state with larger kernels: a deep stack behind ReLUs forgets its image otherwise.

    Args:
      state: from `state_dict`.
      names: regex of the beginning of the names whose kernels (two axes or more) are multiplied.
      factor: by this.
    """
    return {
        name: x * np.float32(factor) if x.ndim > 1 and re.match(names, name) else x
        for name, x in state.items()
    }


def images(batch: int, height: int, width: int) -> np.ndarray:
    """`[B, H, W, 3] float32` of unit variance."""
    shape = (batch, height, width, 3)
    return np.random.default_rng(7).normal(size=shape).astype(np.float32)
