"""Weights by a seed rule under Keras's names; its kernels have outputs last."""

import itertools
import zlib
from pathlib import Path

import numpy as np

GOLDEN = Path(__file__).with_name("mobilenet.npz")
BLOCKS, WIDTH, SIDES = 13, 0.25, (64, 96)


def mobilenet_shapes(channels):
    """Names and shapes of MobileNetV1. channels: outputs of conv1 and of every block."""
    out = {"conv1/kernel": (3, 3, 3, channels[0])} | _norm("conv1", channels[0])
    for i, (a, b) in enumerate(itertools.pairwise(channels), 1):
        out |= {f"conv_dw_{i}/depthwise_kernel": (3, 3, a, 1)} | _norm(f"conv_dw_{i}", a)
        out |= {f"conv_pw_{i}/kernel": (1, 1, a, b)} | _norm(f"conv_pw_{i}", b)
    return out


def _norm(name, size):
    kinds = ("gamma", "beta", "moving_mean", "moving_variance")
    return {f"{name}_bn/{kind}": (size,) for kind in kinds}


def state(shapes):
    """Tensors for all names; kernels keep activations near unit size."""
    out = {}
    for name, shape in shapes.items():
        rng = np.random.default_rng(zlib.crc32(name.encode()))
        if name.endswith("kernel"):
            fan = 9 if "depthwise" in name else np.prod(shape[:-1])
            value = rng.normal(size=shape) * np.sqrt(2 / fan)
        elif name.endswith(("gamma", "variance")):
            value = rng.uniform(0.5, 1.5, shape)
        else:
            value = 0.3 * rng.normal(size=shape)
        out[name] = value.astype(np.float32)
    return out
