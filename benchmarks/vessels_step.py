"""A step of vessel segmentation beside PyTorch's, in one run, in turns.

    pip install torch
    python benchmarks/vessels_step.py [--batch 8] [--side 128] [--base 16] [--steps 10]

Both sides: float32, a U-Net of five levels on the photograph, cross-entropy and soft Dice of three
channels inside the field, AdamW without clipping, the machine's threads. Ours is the method's own
step without augmentation; PyTorch's network is that of the parity tests
(tests/golden/unet_reference.py), channels_last.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import beside
import jax
import numpy as np
import torch
from torch.nn import functional

from fiqa_jax import defaults
from fiqa_jax.methods import vessels
from fiqa_jax.training import devices as parallel
from fiqa_jax.training import method as base

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "golden"))
from unet_reference import UNet

RATE, DECAY, DICE = 1e-3, 0.01, 0.5
MEAN, STD = 0.5, 0.25


def jax_step(rows: dict[str, np.ndarray], width: int) -> Callable[[], float]:
    """One step, its loss fetched."""
    batch, side = rows["image"].shape[:2]
    c = defaults.base()
    c.method.update({**defaults.METHODS["vessels"], "base": width, "levels": 5})
    c.method.update({"norm": False, "dice": DICE})
    c.augment.train = ""
    c.optim.update({"lr": RATE, "schedule": "constant", "weight_decay": DECAY, "clip": 0.0})
    c.optim.decay = ((".*", 1.0),)
    data = base.DataSpec(side, 3, (), (), (), {}, (MEAN,) * 3, (STD,) * 3)
    method = vessels.build(c, data, base.Run(100, batch, 8))
    devices = parallel.make("jit", jax.devices()[:1])
    numbered = {**rows, "index": np.arange(batch, dtype=np.int32)}
    return beside.ours(devices, method, jax.jit(method.init)(jax.random.key(0)), numbered)


def torch_step(rows: dict[str, np.ndarray], width: int) -> beside.Theirs:
    """One step, its loss fetched."""
    order = torch.channels_last
    model = UNet(3, 3, width).to(memory_format=order).train()

    def placed(values: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(values).permute(0, 3, 1, 2).contiguous(memory_format=order)

    image, truth = placed(rows["image"]), placed(rows["vessels"])
    seen = torch.from_numpy(rows["fov"]).float()[:, None]
    optimiser = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=DECAY)

    def loss() -> torch.Tensor:
        z, y = model((image / 255 - MEAN) / STD), truth / 255
        each = functional.binary_cross_entropy_with_logits(z, y, reduction="none")
        entropy = (each * seen).sum((2, 3)) / seen.sum((2, 3))
        p, y = torch.sigmoid(z) * seen, y * seen
        dice = 1 - (2 * (p * y).sum((2, 3)) + 1) / ((p + y).sum((2, 3)) + 1)
        return (entropy + DICE * dice).mean()

    return beside.theirs(optimiser, loss)


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--batch", type=int, default=8, help="photographs (8)")
    parser.add_argument("--side", type=int, default=128, help="pixels, a multiple of 16 (128)")
    parser.add_argument("--base", type=int, default=16, help="channels of the first level (16)")


def make(args: argparse.Namespace) -> beside.Case:
    rng, shape = np.random.default_rng(0), (args.batch, args.side, args.side)
    rows = {
        "image": rng.integers(0, 256, (*shape, 3), dtype=np.uint8),
        "vessels": (255 * (rng.random((*shape, 3)) < 0.1)).astype(np.uint8),
        "vessels_valid": np.ones((args.batch, 3), np.uint8),
        "fov": np.ones(shape, np.uint8),
    }
    ways = {
        "jax": lambda: jax_step(rows, args.base),
        "torch": lambda: torch_step(rows, args.base),
    }
    sizes = f"base {args.base}, batch {args.batch}, {args.side} px"
    return beside.Case(f"Vessels step, {sizes}, float32", ways)


if __name__ == "__main__":
    beside.command(__doc__, add, make)
