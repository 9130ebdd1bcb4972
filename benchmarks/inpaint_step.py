"""A step of inpainting vessel maps (VUAD) beside PyTorch's, in one run, in turns.

    pip install torch
    python benchmarks/inpaint_step.py [--batch 16] [--side 128] [--base 16] [--steps 10]

Both sides: float32, output = x + U-Net(x), five levels, mean squared error over all pixels, AdamW
without clipping, the machine's threads, the same initial weights. Ours is the method's own step
without crops and turns: it converts bytes and draws a mask for every map. PyTorch's network is that
of the parity tests (tests/golden/unet_reference.py) in its faster memory order, channels_last; its
masks are drawn before. Prints medians, quartiles, the ratio and a row of a Markdown table.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import beside
import jax
import numpy as np
import torch

from fiqa_jax import defaults
from fiqa_jax.methods import efiqa_inpaint
from fiqa_jax.pretrained import tensors as pretrained
from fiqa_jax.pretrained.formats import FORMATS
from fiqa_jax.training import devices as parallel
from fiqa_jax.training import method as base

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "golden"))
from unet_reference import UNet

RATE, DECAY = 1e-3, 0.01


def jax_step(maps: np.ndarray, network: UNet, width: int) -> Callable[[], float]:
    """One step from the network's weights, its loss fetched; both networks agree on the maps."""
    batch, side = maps.shape[:2]
    c = defaults.base()
    c.method.update({**defaults.METHODS["inpaint"], "side": side, "base": width})
    c.method.update({"crop": False, "floor": -1.0})
    c.augment.train = ""
    c.optim.update({"lr": RATE, "schedule": "constant", "weight_decay": DECAY, "clip": 0.0})
    c.optim.decay = ((".*", 1.0),)
    data = base.DataSpec(side, 3, (), (), (), {}, (0.0,) * 3, (1.0,) * 3)
    method = efiqa_inpaint.build(c, data, base.Run(100, batch, 8))
    devices = parallel.make("jit", jax.devices()[:1])
    start = jax.jit(method.init)(jax.random.key(0))
    tensors = {name: x.detach().numpy() for name, x in network.state_dict().items()}
    found, _ = FORMATS["vuad"].convert(tensors)
    start = start.replace(params=pretrained.fit({"params": start.params}, found, "VUAD")["params"])
    rows = {"image": maps, "index": np.arange(batch, dtype=np.int32)}
    seen = {**rows, "fov": np.ones(maps.shape[:3], np.uint8)}
    filled = devices.predict(method.predict)({"params": start.params}, devices.put(seen))
    with torch.no_grad():
        x = torch.from_numpy(maps).permute(0, 3, 1, 2) / 255
        want = (x + network(x)).permute(0, 2, 3, 1).numpy()
    difference = np.abs(np.asarray(filled["inpainted"]) - want).max()
    assert difference < 1e-3, f"the networks differ by {difference}"
    return beside.ours(devices, method, start, rows)


def torch_step(maps: np.ndarray, network: UNet) -> beside.Theirs:
    """One step, its loss fetched."""
    model = network.to(memory_format=torch.channels_last).train()
    order = torch.channels_last
    target = (torch.from_numpy(maps).permute(0, 3, 1, 2) / 255).contiguous(memory_format=order)
    masked = target * (torch.rand(len(maps), 1, *maps.shape[1:3]) < 0.5)
    masked = masked.contiguous(memory_format=order)
    optimiser = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=DECAY)

    def loss() -> torch.Tensor:
        return torch.nn.functional.mse_loss(masked + model(masked), target)

    return beside.theirs(optimiser, loss)


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--batch", type=int, default=16, help="maps (16)")
    parser.add_argument("--side", type=int, default=128, help="pixels, a multiple of 16 (128)")
    parser.add_argument("--base", type=int, default=16, help="channels of the first level (16)")


def make(args: argparse.Namespace) -> beside.Case:
    lines = np.random.default_rng(0).random((args.batch, args.side, args.side, 3)) < 0.1
    maps, network = (255 * lines).astype(np.uint8), UNet(3, 3, args.base)
    ways = {
        "jax": lambda: jax_step(maps, network, args.base),
        "torch": lambda: torch_step(maps, network),
    }
    sizes = f"base {args.base}, batch {args.batch}, {args.side} px"
    return beside.Case(f"Inpainting step, {sizes}, float32", ways)


if __name__ == "__main__":
    beside.command(__doc__, add, make)
