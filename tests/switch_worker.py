"""One process of `tests/training/test_convolution_switch.py`: float32 programs, run and written.

    XLA_FLAGS=... python tests/switch_worker.py OUT.npz

OUT holds every output, and `set` and `ynn`: whether the package set its flag, and whether the
compiled convolution is YNNPACK's.
"""

import sys
from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike

from fiqa_jax.models import vit
from fiqa_jax.training import xla_flags

RATE = 0.125  # of the step; a power of two
# name -> kernel's side, stride, channels in and out: stems, blocks and shortcuts of the networks
CONVOLUTIONS = {"7x7/2": (7, 2, 3, 32), "3x3": (3, 1, 32, 32), "1x1": (1, 1, 32, 64)}


class Network(nn.Module):
    """Convolutions of three kinds, group normalisation and attention."""

    dtype: DTypeLike

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """`[B, S, S, 3]` to logits `[B, 3]`."""
        same = {"dtype": self.dtype, "param_dtype": self.dtype}
        for name, (kernel, stride, _, out) in CONVOLUTIONS.items():
            pad = ((kernel // 2, kernel // 2),) * 2
            x = nn.Conv(out, (kernel, kernel), stride, pad, use_bias=False, name=name, **same)(x)
            x = nn.relu(nn.GroupNorm(4, use_fast_variance=False, **same)(x))
        x = x.reshape(x.shape[0], -1, x.shape[-1])
        x = x + vit.Attention(4, dtype=self.dtype)(x)
        return nn.Dense(3, **same)(x.mean(1))


def numbers(*shape: int, seed: int) -> np.ndarray:
    """Normal ones, float32."""
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def convolution(name: str) -> tuple[Callable[..., Any], tuple[np.ndarray, ...]]:
    """A convolution with both its gradients; and what it is given: x, kernel, cotangent."""
    kernel, stride, inside, out = CONVOLUTIONS[name]
    x, k = numbers(2, 16, 16, inside, seed=0), numbers(kernel, kernel, inside, out, seed=1)
    pad, dims = ((kernel // 2, kernel // 2),) * 2, ("NHWC", "HWIO", "NHWC")

    def apply(x: jax.Array, k: jax.Array) -> jax.Array:
        return jax.lax.conv_general_dilated(x, k, (stride,) * 2, pad, dimension_numbers=dims)

    def with_gradients(x: jax.Array, k: jax.Array, g: jax.Array) -> tuple[jax.Array, ...]:
        y, pull = jax.vjp(apply, x, k)
        return y, *pull(g)

    return with_gradients, (x, k, numbers(*jax.eval_shape(apply, x, k).shape, seed=2))


def given() -> tuple[dict[str, Any], np.ndarray, np.ndarray]:
    """Parameters of the network, photographs and labels of a step, float32."""
    x = numbers(2, 8, 8, 3, seed=3)
    shapes = jax.eval_shape(lambda: Network(jnp.float32).init(jax.random.key(0), x))
    leaves, tree = jax.tree.flatten(shapes["params"])
    made = [
        numbers(*leaf.shape, seed=10 + i) / np.float32(np.sqrt(np.prod(leaf.shape[:-1]) or 1))
        for i, leaf in enumerate(leaves)
    ]
    return jax.tree.unflatten(tree, made), x, np.array([0, 2])


def step(params: Any, x: jax.Array, y: jax.Array) -> tuple[jax.Array, Mapping[str, Any]]:
    """Loss and the parameters after a step of plain gradient descent, in the dtype of x."""

    def loss(params: Any) -> jax.Array:
        chances = jax.nn.log_softmax(Network(x.dtype).apply({"params": params}, x))
        return -jnp.take_along_axis(chances, y[:, None], 1).mean()

    value, slope = jax.value_and_grad(loss)(params)
    return value, jax.tree.map(lambda p, g: p - RATE * g, params, slope)


def main() -> None:
    found: dict[str, Any] = {"set": xla_flags.prefer_own_convolutions()}
    for name in CONVOLUTIONS:
        run, args = convolution(name)
        compiled = jax.jit(run).lower(*args).compile()
        found[f"ynn {name}"] = "ynn_fusion" in compiled.as_text()
        found |= {f"{name} {i}": out for i, out in enumerate(compiled(*args))}
    params, x, y = given()
    logits = jax.jit(Network(jnp.float32).apply)({"params": params}, x)
    loss, new = jax.jit(step)(params, x, y)
    found |= {"logits": logits, "loss": loss}
    found |= {jax.tree_util.keystr(p): v for p, v in jax.tree_util.tree_leaves_with_path(new)}
    np.savez(sys.argv[1], **found)


if __name__ == "__main__":
    main()
