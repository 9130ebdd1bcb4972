"""A Vision Transformer's forward pass beside PyTorch's, in one run, pass about.

    pip install torch
    python benchmarks/encoder_forward.py [--size vit_l] [--batch 1] [--side 224] [--steps 10]

Both sides: float32, the same weights, the machine's threads. The network there is written out below
in plain PyTorch with its fused attention, as timm has it. Prints medians, the ratio, the largest
difference of the two results and a row of a Markdown table.
"""

import argparse
from collections.abc import Callable, Mapping

import beside
import jax
import jax.numpy as jnp
import numpy as np
import torch
from torch import nn

from fiqa_jax.models import vit


class Block(nn.Module):
    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(dim, 1e-6), nn.LayerNorm(dim, 1e-6)
        self.qkv, self.out = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.fc1, self.fc2 = nn.Linear(dim, 4 * dim), nn.Linear(4 * dim, dim)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, count, dim = x.shape
        qkv = self.qkv(self.norm1(x)).reshape(batch, count, 3, self.heads, dim // self.heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        y = nn.functional.scaled_dot_product_attention(query, key, value)
        x = x + self.out(y.transpose(1, 2).reshape(batch, count, dim))
        return x + self.fc2(nn.functional.gelu(self.fc1(self.norm2(x))))


class Reference(nn.Module):
    def __init__(self, dim: int, depth: int, heads: int, count: int) -> None:
        super().__init__()
        self.patch = nn.Conv2d(3, dim, 16, 16)
        self.cls = nn.Parameter(torch.zeros(1, 1, dim))
        self.position = nn.Parameter(torch.zeros(1, count + 1, dim))
        self.blocks = nn.Sequential(*(Block(dim, heads) for _ in range(depth)))
        self.norm = nn.LayerNorm(dim, 1e-6)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls.expand(len(x), -1, -1), x], 1) + self.position
        return self.norm(self.blocks(x))[:, 1:]


def copied(reference: Reference, depth: int) -> dict:
    """PyTorch's weights as variables of `models.vit.ViT`."""

    def linear(layer: nn.Linear) -> dict[str, np.ndarray]:
        weight, bias = (p.detach().numpy() for p in (layer.weight, layer.bias))
        return {"kernel": weight.T.copy(), "bias": bias}

    def norm(layer: nn.LayerNorm) -> dict[str, np.ndarray]:
        return {"scale": layer.weight.detach().numpy(), "bias": layer.bias.detach().numpy()}

    patch = reference.patch.weight.detach().numpy()
    params = {
        "cls": reference.cls.detach().numpy()[0, 0],
        "position": reference.position.detach().numpy()[0],
        "patch": {
            "kernel": patch.transpose(2, 3, 1, 0).reshape(-1, len(patch)),
            "bias": reference.patch.bias.detach().numpy(),
        },
        "norm": norm(reference.norm),
    }
    for i in range(depth):
        block = reference.blocks[i]
        joined = linear(block.qkv)
        thirds = zip(*(np.split(joined[k], 3, -1) for k in ("kernel", "bias")), strict=True)
        attention = {
            name: {"kernel": kernel, "bias": bias}
            for name, (kernel, bias) in zip(("query", "key", "value"), thirds, strict=True)
        }
        params[f"block{i}"] = {
            "attention": {**attention, "out": linear(block.out)},
            **{name: norm(getattr(block, name)) for name in ("norm1", "norm2")},
            **{name: linear(getattr(block, name)) for name in ("fc1", "fc2")},
        }
    return {"params": params}


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--size", choices=sorted(vit.SIZES), default="vit_l", help="(vit_l)")
    parser.add_argument("--batch", type=int, default=1, help="images (1)")
    parser.add_argument("--side", type=int, default=224, help="pixels (224)")


def make(args: argparse.Namespace) -> beside.Case:
    sizes, grid = vit.SIZES[args.size], args.side // 16
    net = vit.ViT(**sizes, grid=grid)
    shape = (args.batch, args.side, args.side, 3)
    images = np.random.default_rng(0).normal(size=shape).astype(np.float32)

    def network() -> Reference:
        torch.manual_seed(0)
        reference = Reference(**sizes, count=grid**2).eval()
        for parameter in (reference.cls, reference.position):
            nn.init.normal_(parameter, std=0.02)
        return reference

    def weights() -> dict:
        return copied(network(), sizes["depth"])  # the network itself is not kept

    def forward(variables: dict, x: jax.Array) -> jax.Array:
        return net.apply(variables, x)[0].reshape(len(images), grid**2, -1)

    def ours() -> Callable[[], np.ndarray]:
        variables, x, run = jax.device_put(weights()), jnp.asarray(images), jax.jit(forward)
        return lambda: np.asarray(run(variables, x))

    def theirs() -> beside.Theirs:
        reference, x = network(), torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()

        def fetched(work: Callable[[], torch.Tensor]) -> np.ndarray:
            with torch.inference_mode():
                return work().numpy()

        return beside.Theirs(lambda: reference(x), fetched)

    def exported() -> Callable[[], np.ndarray]:
        from fiqa_jax.exports import onnx_file

        variables = weights()

        def program(batch: Mapping[str, jax.Array]) -> dict[str, jax.Array]:
            return {"cells": net.apply(variables, batch["image"])[0]}

        try:
            shapes = {"image": (shape[1:], np.float32)}
            run = onnx_file.session(onnx_file.convert(program, shapes, {}))
        except (onnx_file.ExportError, ValueError) as error:  # ValueError: 2 GiB and more
            raise beside.CannotRun(str(error)) from error
        return lambda: run({"image": images})["cells"].reshape(len(images), grid**2, -1)

    if not args.peak:
        got, want = ours()(), theirs()()
        difference = np.abs(got - want).max()
        assert difference < 1e-3, f"the networks differ by {difference}"
        print(f"largest difference of the outputs: {difference:.1e}")
    what = f"ViT-{args.size[-1].upper()}/16 forward, batch {args.batch}, {args.side} px, float32"
    ways = {"jax": ours, "torch": theirs, "onnxruntime": exported}
    return beside.Case(what, ways, "plain")


if __name__ == "__main__":
    beside.command(__doc__, add, make)
