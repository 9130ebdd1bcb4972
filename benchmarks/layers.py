"""Layers of the training steps one by one, beside PyTorch's: where a step's time goes.

    pip install torch
    python benchmarks/layers.py [--rounds 7]

Each layer's output and its gradients by input and parameters, float32, the machine's threads,
PyTorch's pictures in channels_last, in turns. `bound` is the operations of a convolution at the
rate of a large product in the same run. Its gradient by the kernel stands alone, too, beside the
same numbers as products of patches, of eight rows of the picture at a time.
"""

import argparse
import os
import statistics
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import timing
import torch
from torch.nn import functional

from fiqa_jax.models import vit
from fiqa_jax.models.efiqa_cp import EPSILON, KERNEL
from fiqa_jax.models.layers import depthwise

# batch, side, channels in and out of 3x3 convolutions: inpainting's, then ResNet-18's
CONVOLUTIONS = (
    *((16, 128, 3, 16), (16, 128, 16, 16), (16, 128, 32, 16), (16, 64, 32, 32), (16, 64, 64, 32)),
    *((16, 32, 64, 64), (16, 16, 128, 128), (16, 56, 64, 64), (16, 8, 256, 256)),
)
CELLS = (8, 64, 64, 128)  # of EFIQA-CP's widest blocks
ROWS = 8  # of the picture, in a block of patches

Layer = Callable[..., Any]
Way = Callable[[], object]


def convolution(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """3x3, `[B, H, W, I]` by `[3, 3, I, O]`, zeros around."""
    layout = ("NHWC", "HWIO", "NHWC")
    return jax.lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=layout)


def by_kernel(x: jax.Array, out: jax.Array) -> jax.Array:
    """Gradient by a 3x3 kernel, from the input and the output's gradient, as JAX has it."""
    zero = jnp.zeros((3, 3, x.shape[-1], out.shape[-1]))
    (found,) = jax.vjp(lambda kernel: convolution(x, kernel), zero)[1](out)
    return found


def of_patches(x: jax.Array, out: jax.Array) -> jax.Array:
    """`by_kernel` as products of matrices."""
    width, channels = x.shape[2:]
    around = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))

    def block(total: jax.Array, at: jax.Array) -> tuple[jax.Array, None]:
        rows = jax.lax.dynamic_slice_in_dim(around, at * ROWS, ROWS + 2, 1)
        here = jax.lax.dynamic_slice_in_dim(out, at * ROWS, ROWS, 1)
        places = [rows[:, i : i + ROWS, j : j + width] for i in range(3) for j in range(3)]
        patches = jnp.concatenate(places, -1).reshape(-1, 9 * channels)
        return total + patches.T @ here.reshape(-1, here.shape[-1]), None

    start = jnp.zeros((9 * channels, out.shape[-1]))
    total, _ = jax.lax.scan(block, start, jnp.arange(x.shape[1] // ROWS))
    return total.reshape(3, 3, channels, -1)


def normalised(x: jax.Array, scale: jax.Array) -> jax.Array:
    """Layer normalisation as the networks have it."""
    zero = jnp.zeros_like(scale)
    norm = vit.layer_norm(EPSILON, jnp.float32, "norm")
    return norm.apply({"params": {"scale": scale, "bias": zero}}, x)


def run(work: Layer, *given: Any) -> Way:
    """A compiled function on its arguments."""
    compiled, values = jax.jit(work), [jnp.asarray(x) for x in given]
    return lambda: jax.block_until_ready(compiled(*values))


def ours(layer: Layer, out: np.ndarray, *leaves: np.ndarray) -> Way:
    """Output and gradients of sum(layer(leaves) * out) by all leaves."""

    def loss(out: jax.Array, *leaves: jax.Array) -> jax.Array:
        return (layer(*leaves) * out).sum()

    places = tuple(range(1, len(leaves) + 1))
    return run(jax.value_and_grad(loss, places), out, *leaves)


def theirs(layer: Layer, out: np.ndarray, *leaves: np.ndarray) -> Way:
    """The same in PyTorch; kernels as `[O, I, k, k]`."""
    values = [torch.from_numpy(leaf).requires_grad_() for leaf in leaves]
    factor = torch.from_numpy(out)
    return lambda: torch.autograd.grad((layer(*values) * factor).sum(), values)


def convolved(groups: int) -> Layer:
    """PyTorch's convolution of pictures `[B, H, W, C]`, which are channels_last when turned."""

    def layer(x: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
        around = kernel.shape[-1] // 2
        made = functional.conv2d(x.permute(0, 3, 1, 2), kernel, padding=around, groups=groups)
        return made.permute(0, 2, 3, 1)

    return layer


def milliseconds(ways: dict[str, Way], rounds: int) -> dict[str, float]:
    """The median of each."""
    times = timing.interleaved(ways, rounds, unmeasured=2)
    return {name: 1000 * statistics.median(values) for name, values in times.items()}


def main() -> None:
    p = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    p.add_argument("--rounds", type=int, default=7, help="measured (%(default)s)")
    rounds = p.parse_args().rounds
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    rng = np.random.default_rng(0)

    def drawn(*shape: int) -> np.ndarray:
        return rng.normal(size=shape).astype(np.float32)

    def for_torch(kernel: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(kernel.transpose(3, 2, 0, 1))

    rate = timing.product_rate()
    print(f"{rate / 1e9:.0f} GFLOP/s in a product\n")
    print("| 3x3 convolution | bound, ms | ours, ms | PyTorch, ms | by kernel alone | patches |")
    print("| --- | --- | --- | --- | --- | --- |")
    for batch, side, i, o in CONVOLUTIONS:
        x, kernel, out = drawn(batch, side, side, i), drawn(3, 3, i, o), drawn(batch, side, side, o)
        found = milliseconds(
            {
                "ours": ours(convolution, out, x, kernel),
                "theirs": theirs(convolved(1), out, x, for_torch(kernel)),
                "kernel": run(by_kernel, x, out),
                "patches": run(of_patches, x, out),
            },
            rounds,
        )
        bound = 1000 * 3 * 2 * kernel.size * batch * side**2 / rate
        cells = " | ".join(f"{value:.1f}" for value in (bound, *found.values()))
        print(f"| {batch} x {side} x {side}, {i} to {o} | {cells} |", flush=True)
    x, out, c = drawn(*CELLS), drawn(*CELLS), CELLS[-1]
    kernel, matrix, scale = drawn(KERNEL, KERNEL, 1, c), drawn(c, c), np.ones(c, np.float32)
    layers: dict[str, tuple[Way, Way]] = {
        f"depthwise convolution, {KERNEL}x{KERNEL}": (
            ours(depthwise.convolve, out, x, kernel),
            theirs(convolved(c), out, x, for_torch(kernel)),
        ),
        "product with a matrix": (
            ours(jnp.dot, out, x, matrix),
            theirs(torch.matmul, out, x, matrix),
        ),
        "layer normalisation": (
            ours(normalised, out, x, scale),
            theirs(lambda x, s: functional.layer_norm(x, (c,), s, None, EPSILON), out, x, scale),
        ),
        "GELU": (
            ours(lambda x: jax.nn.gelu(x, approximate=False), out, x),
            theirs(functional.gelu, out, x),
        ),
    }
    print(f"\n| layer on {' x '.join(map(str, CELLS))} | ours, ms | PyTorch, ms |")
    print("| --- | --- | --- |")
    for name, (mine, its) in layers.items():
        found = milliseconds({"ours": mine, "theirs": its}, rounds)
        print(f"| {name} | {found['ours']:.1f} | {found['theirs']:.1f} |", flush=True)


if __name__ == "__main__":
    main()
