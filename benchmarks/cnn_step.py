"""A step of EFIQA-CP's network on photographs beside PyTorch's, in one run, in turns.

    pip install torch
    python benchmarks/cnn_step.py [--batch 8] [--side 256] [--width 128] [--steps 10]

Both sides: float32, a stem of two convolutions (64 channels at a quarter of the side), blocks
2, 2, 1 with 7x7 depthwise convolutions, stochastic depth, non-negative PU risk of the cells as
released, AdamW without clipping, the machine's threads, the same initial weights. Ours is the
method's own step without augmentation. PyTorch's network is that of the parity tests
(tests/golden/efiqa_cp_reference.py), in the memory order that `--layout` says. Prints medians,
quartiles, the ratio and a row of a Markdown table.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import beside
import jax
import numpy as np
import torch
from torch import nn
from torch.nn import functional

from fiqa_jax import defaults
from fiqa_jax.methods import efiqa_cp
from fiqa_jax.models.efiqa_cp import DROP, EfiqaCP
from fiqa_jax.pretrained import tensors
from fiqa_jax.pretrained.formats import FORMATS
from fiqa_jax.training import devices as parallel
from fiqa_jax.training import method as base

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "golden"))
import efiqa_cp_reference

LAYOUTS = {"plain": torch.contiguous_format, "channels_last": torch.channels_last}
STEM, CELL = 64, 16
RATE, DECAY, PRIOR = 1e-3, 0.01, 0.05
MEAN, STD = 0.5, 0.25


class Network(nn.Module):
    """The stem before the published network, whose branches are left out at random in training."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, STEM // 2, 3, 2, 1)
        self.conv2 = nn.Conv2d(STEM // 2, STEM, 3, 2, 1)
        self.cells = efiqa_cp_reference.EfiqaCP(channels=STEM, width=width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        cells = self.cells
        x = cells.stem(self.conv2(functional.gelu(self.conv1(x))))
        after = (cells.down1, cells.down2, nn.Identity())
        for i, blocks in enumerate((cells.stage1, cells.stage2, [cells.stage3])):
            for block in blocks:
                x = self.branch(block, x, DROP[i])
            x = after[i](x)
        return cells.head(x)[:, 0]

    def branch(self, block: efiqa_cp_reference.Block, x: torch.Tensor, drop: float) -> torch.Tensor:
        if not self.training:
            return block(x)
        factor = (torch.rand(len(x), 1, 1, 1) >= drop) / (1 - drop)
        hidden = functional.gelu(block.pw1(block.norm(block.dw(x))))
        return x + factor * (block.gamma * block.pw2(hidden))


def ours_of(network: Network) -> dict[str, np.ndarray]:
    """PyTorch's weights under the paths of `models.efiqa_cp`."""
    cells = {n: x.detach().numpy() for n, x in network.cells.state_dict().items()}
    found, _ = FORMATS["efiqa_cp"].convert(cells)
    for name in ("conv1", "conv2"):
        layer = getattr(network, name)
        kernel = layer.weight.detach().numpy().transpose(2, 3, 1, 0)
        found |= {f"params/pixels/{name}/kernel": kernel}
        found |= {f"params/pixels/{name}/bias": layer.bias.detach().numpy()}
    return found


def jax_step(
    images: np.ndarray, bad: np.ndarray, network: Network, width: int
) -> Callable[[], float]:
    """One step from the network's weights, its risk fetched; both networks agree."""
    batch, side = images.shape[:2]
    c = defaults.base()
    c.method.update({**defaults.METHODS["nnpu"], "width": width, "stem": STEM, "prior": PRIOR})
    c.augment.train = ""
    c.optim.update({"lr": RATE, "schedule": "constant", "weight_decay": DECAY, "clip": 0.0})
    c.optim.decay = ((".*", 1.0),)
    data = base.DataSpec(side, 3, (), (), (), {}, (MEAN,) * 3, (STD,) * 3)
    method = efiqa_cp.build(c, data, base.Run(100, batch, 8))
    devices = parallel.make("jit", jax.devices()[:1])
    start = jax.jit(method.init)(jax.random.key(0))
    variables = tensors.fit({"params": start.params}, ours_of(network), "EFIQA-CP")
    x = (images / np.float32(255) - np.float32(MEAN)) / np.float32(STD)
    got, _ = jax.jit(EfiqaCP(width, stem=STEM).apply)(variables, x)
    with torch.no_grad():
        want = network.eval()(torch.from_numpy(x).permute(0, 3, 1, 2)).numpy()
    difference = np.abs(np.asarray(got) - want).max()
    assert difference < 1e-3, f"the networks differ by {difference}"
    rows = {"image": images, "bad": bad, "index": np.arange(batch, dtype=np.int32)}
    return beside.ours(devices, method, start.replace(params=variables["params"]), rows)


def torch_step(
    images: np.ndarray, bad: np.ndarray, network: Network, layout: torch.memory_format
) -> beside.Theirs:
    """One step, its risk fetched."""
    model = network.to(memory_format=layout).train()
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous(memory_format=layout)
    positive = torch.from_numpy(bad == 1)
    optimiser = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=DECAY)

    def risk() -> torch.Tensor:
        z = model((pixels / 255 - MEAN) / STD)
        plus, minus = functional.softplus(-z), functional.softplus(z)
        rest = minus[~positive].mean() - PRIOR * minus[positive].mean()
        return PRIOR * plus[positive].mean() + torch.clamp(rest, min=0.0)

    return beside.theirs(optimiser, risk)


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--batch", type=int, default=8, help="photographs (8)")
    parser.add_argument("--side", type=int, default=256, help="pixels, a multiple of 16 (256)")
    parser.add_argument("--width", type=int, default=128, help="channels of a block (128)")
    parser.add_argument("--layout", choices=LAYOUTS, default="channels_last", help="of PyTorch")


def make(args: argparse.Namespace) -> beside.Case:
    rng, grid = np.random.default_rng(0), args.side // CELL
    images = rng.integers(0, 256, (args.batch, args.side, args.side, 3), dtype=np.uint8)
    bad = np.zeros((args.batch, grid, grid), np.uint8)
    bad[:, 0] = 1
    network = Network(args.width)
    ways = {
        "jax": lambda: jax_step(images, bad, network, args.width),
        "torch": lambda: torch_step(images, bad, network, LAYOUTS[args.layout]),
    }
    sizes = f"width {args.width}, batch {args.batch}, {args.side} px"
    return beside.Case(f"EFIQA-CP's network, {sizes}, float32", ways, args.layout)


if __name__ == "__main__":
    beside.command(__doc__, add, make)
