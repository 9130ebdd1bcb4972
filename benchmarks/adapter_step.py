"""A step of EFIQA's adapter, a linear unit on features, beside PyTorch's, in one run, in turns.

    pip install torch
    python benchmarks/adapter_step.py [--batch 16] [--grid 16] [--channels 1024] [--steps 10]

Both sides: float32, features in memory, weighted binary cross-entropy of the cells, AdamW without
clipping, the machine's threads. Ours is the method's own step.
"""

import argparse
from collections.abc import Callable

import beside
import jax
import numpy as np
import torch
from torch.nn import functional

from fiqa_jax import defaults
from fiqa_jax.methods import efiqa_adapter
from fiqa_jax.training import devices as parallel
from fiqa_jax.training import method as base

RATE, DECAY, POSITIVE = 1e-3, 0.01, 3.0


def jax_step(features: np.ndarray, bad: np.ndarray) -> Callable[[], float]:
    """One step, its loss fetched."""
    batch, shape = len(features), features.shape[1:]
    c = defaults.base()
    c.method.update({**defaults.METHODS["adapter"], "pos_weight": POSITIVE, "field": False})
    c.method.update({"cells": 0, "around": 0.0, "ridge": 0.0, "standardise": False})
    c.optim.update({"lr": RATE, "schedule": "constant", "weight_decay": DECAY, "clip": 0.0})
    c.optim.decay = ((".*", 1.0),)
    data = base.DataSpec(16, 3, (), (), (), {}, (0.5,) * 3, (0.25,) * 3, features=shape)
    method = efiqa_adapter.build(c, data, base.Run(100, batch, 8))
    devices = parallel.make("jit", jax.devices()[:1])
    rows = {"features": features, "bad": bad, "index": np.arange(batch, dtype=np.int32)}
    return beside.ours(devices, method, jax.jit(method.init)(jax.random.key(0)), rows)


def torch_step(features: np.ndarray, bad: np.ndarray) -> beside.Theirs:
    """One step, its loss fetched."""
    x, y = torch.from_numpy(features), torch.from_numpy(bad).float()
    model, weight = torch.nn.Linear(x.shape[-1], 1), torch.tensor(POSITIVE)
    optimiser = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=DECAY)

    def loss() -> torch.Tensor:
        z = model(x)[..., 0]
        return functional.binary_cross_entropy_with_logits(z, y, pos_weight=weight)

    return beside.theirs(optimiser, loss)


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--batch", type=int, default=16, help="photographs (16)")
    parser.add_argument("--grid", type=int, default=16, help="cells along a side (16)")
    parser.add_argument("--channels", type=int, default=1024, help="of the features (1024)")


def make(args: argparse.Namespace) -> beside.Case:
    rng, cells = np.random.default_rng(0), (args.batch, args.grid, args.grid)
    features = rng.normal(size=(*cells, args.channels)).astype(np.float32)
    bad = (rng.random(cells) < 0.2).astype(np.uint8)
    ways = {"jax": lambda: jax_step(features, bad), "torch": lambda: torch_step(features, bad)}
    sizes = f"batch {args.batch}, {args.grid} x {args.grid} cells, {args.channels} channels"
    return beside.Case(f"Adapter step, {sizes}, float32", ways, "plain")


if __name__ == "__main__":
    beside.command(__doc__, add, make)
