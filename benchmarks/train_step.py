"""A ResNet-18 training step beside PyTorch's, in one run, in turns.

    pip install torch
    python benchmarks/train_step.py [--batch 16] [--side 224] [--steps 10]

Both sides: float32, cross-entropy of three classes, batch statistics, AdamW, the machine's threads.
PyTorch takes its faster memory order, channels_last. The network there is written out below after
torchvision's layout, so that torchvision is not needed. Prints medians, quartiles, the ratio and a
row of a Markdown table.
"""

import argparse
from collections.abc import Callable

import beside
import jax
import jax.numpy as jnp
import numpy as np
import optax
import torch

from fiqa_jax import models
from fiqa_jax.models.heads import Heads


def jax_step(images: np.ndarray, labels: np.ndarray) -> Callable[[], float]:
    """One step, its loss fetched."""
    trunk, heads, tx = models.make("resnet18"), Heads(quality=3), optax.adamw(1e-4)

    @jax.jit
    def init(key: jax.Array) -> tuple:
        (features, _), variables = trunk.init_with_output(
            key, jnp.zeros((1, 32, 32, 3)), train=False
        )
        params = {"trunk": variables["params"], "heads": heads.init(key, features)["params"]}
        return params, variables["batch_stats"], tx.init(params)

    def loss_of(params: dict, stats: dict, x: jax.Array, y: jax.Array) -> tuple[jax.Array, dict]:
        (features, _), new = trunk.apply(
            {"params": params["trunk"], "batch_stats": stats},
            x,
            train=True,
            mutable=["batch_stats"],
        )
        logits = heads.apply({"params": params["heads"]}, features)["quality"]
        losses = optax.softmax_cross_entropy_with_integer_labels(logits, y)
        return losses.mean(), new["batch_stats"]

    def update(params: dict, stats: dict, state: tuple, x: jax.Array, y: jax.Array) -> tuple:
        (loss, stats), gradient = jax.value_and_grad(loss_of, has_aux=True)(params, stats, x, y)
        updates, state = tx.update(gradient, state, params)
        return optax.apply_updates(params, updates), stats, state, loss

    x, y = jnp.asarray(images), jnp.asarray(labels)
    compiled = jax.jit(update, donate_argnums=(0, 1, 2))
    carry = init(jax.random.key(0))

    def step() -> float:
        nonlocal carry
        *carry, loss = compiled(*carry, x, y)
        return float(loss)

    return step


class Block(torch.nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        nn = torch.nn
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn1, self.bn2 = nn.BatchNorm2d(outputs), nn.BatchNorm2d(outputs)
        self.down = nn.Identity()
        if stride != 1 or inputs != outputs:
            conv = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.down = nn.Sequential(conv, nn.BatchNorm2d(outputs))
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        return self.relu(self.bn2(self.conv2(y)) + self.down(x))


def torch_network() -> torch.nn.Module:
    nn = torch.nn
    blocks = []
    for inputs, outputs, stride in ((64, 64, 1), (64, 128, 2), (128, 256, 2), (256, 512, 2)):
        blocks += [Block(inputs, outputs, stride), Block(outputs, outputs, 1)]
    return nn.Sequential(
        nn.Conv2d(3, 64, 7, 2, 3, bias=False),
        nn.BatchNorm2d(64),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, 2, 1),
        *blocks,
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(512, 3),
    )


def torch_step(images: np.ndarray, labels: np.ndarray) -> beside.Theirs:
    """One step, its loss fetched."""
    model = torch_network().to(memory_format=torch.channels_last).train()
    assert sum(p.numel() for p in model.parameters()) == 11_689_512 - 513_000 + 512 * 3 + 3
    x = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)
    y = torch.from_numpy(labels)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4)

    def loss() -> torch.Tensor:
        return torch.nn.functional.cross_entropy(model(x), y)

    return beside.theirs(optimiser, loss)


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--batch", type=int, default=16, help="images (16)")
    parser.add_argument("--side", type=int, default=224, help="pixels (224)")


def make(args: argparse.Namespace) -> beside.Case:
    rng = np.random.default_rng(0)
    images = rng.normal(size=(args.batch, args.side, args.side, 3)).astype(np.float32)
    labels = rng.integers(0, 3, args.batch)
    ways = {"jax": lambda: jax_step(images, labels), "torch": lambda: torch_step(images, labels)}
    return beside.Case(f"ResNet-18 training, batch {args.batch}, {args.side} px, float32", ways)


if __name__ == "__main__":
    beside.command(__doc__, add, make)
