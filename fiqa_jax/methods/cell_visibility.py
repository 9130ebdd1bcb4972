"""Visibility of a cell from what can be measured of it by hand: a small network on known truth.

The floor that a convolutional map has to clear, and a teacher for it. A multilayer perceptron with
two hidden layers takes the numbers of `maps.cell_measures`, standardised on its training cells, and
gives visibility v in [0, 1]; it learns by cross-entropy on v, which has its optimum at the mean.
Cells of every set (a camera) and of every degradation count alike.
"""

import dataclasses
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from numpy.typing import NDArray

from fiqa_jax.maps import cell_measures

Floats = NDArray[np.float32]
CLIP = 6.0  # deviations: a number farther out than any training cell's says no more than that


@dataclasses.dataclass(frozen=True)
class Settings:
    """How it is trained."""

    hidden: tuple[int, ...] = (64, 32)
    steps: int = 3000
    batch: int = 1024
    learning_rate: float = 3e-3
    weight_decay: float = 1e-2
    dropout: float = 0.1  # of numbers, so that no single one decides
    seed: int = 0


class Perceptron(nn.Module):
    """`[N, F] float32` standardised -> logit of visibility `[N] float32`."""

    hidden: tuple[int, ...]
    dropout: float = 0.0

    @nn.compact
    def __call__(self, cells: jax.Array, train: bool = False) -> jax.Array:
        """Logits of cells."""
        x = nn.Dropout(self.dropout)(cells, deterministic=not train)
        for width in self.hidden:
            x = nn.silu(nn.Dense(width)(x))
        return nn.Dense(1)(x)[..., 0]


@dataclasses.dataclass(frozen=True)
class Fitted:
    """A trained network with the standardisation of its numbers."""

    params: Any
    mean: Floats  # [F]
    deviation: Floats  # [F]
    hidden: tuple[int, ...]

    def visibility(self, cells: Floats) -> Floats:
        """Visibility `[...]` in [0, 1] of cells `[..., F]`, by numpy alone."""
        x = _standard(cells, self.mean, self.deviation)
        for k in range(len(self.hidden)):
            layer = self.params[f"Dense_{k}"]
            x = x @ layer["kernel"] + layer["bias"]
            x = x / (1 + np.exp(-np.clip(x, -30, 30)))
        last = self.params[f"Dense_{len(self.hidden)}"]
        logit = (x @ last["kernel"] + last["bias"])[..., 0]
        return np.asarray(1 / (1 + np.exp(-np.clip(logit, -30, 30))), np.float32)

    def map(self, image: NDArray[np.uint8], fov: NDArray[np.uint8], cell: int = 16) -> Floats:
        """Quality map `[S // cell, S // cell]` in [0, 1], 1 = nothing to see, 0 outside the field.

        Args:
          image: `[S, S, 3] uint8`; fov: `[S, S] uint8`, 1 inside; cell: edge in pixels.
        """
        cells = cell_measures.measures(image, fov, cell)
        inside = cells[..., cell_measures.NAMES.index("inside")] > 0
        return np.where(inside, 1 - self.visibility(cells), 0).astype(np.float32)


def _standard(cells: Floats, mean: Floats, deviation: Floats) -> Floats:
    return np.clip((cells.astype(np.float32) - mean) / deviation, -CLIP, CLIP)


def fit(
    cells: Floats, visibility: Floats, weight: Floats, settings: Settings | None = None
) -> Fitted:
    """Trains the network; the same arguments give the same numbers on the same processor.

    Args:
      cells: `[N, F]` numbers of `cell_measures`, float16 or float32.
      visibility: `[N] float32` in [0, 1].
      weight: `[N] float32`, at least 0: how much each cell counts.
      settings: how, or the usual.

    Raises:
      ValueError: no cells, or counts that differ.
    """
    settings = settings or Settings()
    if not len(cells) or not len(cells) == len(visibility) == len(weight):
        raise ValueError(
            f"expected as many visibilities and weights as cells, got {len(cells)} cells, "
            f"{len(visibility)} visibilities and {len(weight)} weights"
        )
    mean = cells.mean(0, dtype=np.float64).astype(np.float32)
    deviation = np.maximum(cells.std(0, dtype=np.float64), 1e-3).astype(np.float32)
    model = Perceptron(settings.hidden, settings.dropout)
    key = jax.random.key(settings.seed)
    params = model.init(key, jnp.zeros((1, cells.shape[1])))["params"]
    schedule = optax.cosine_decay_schedule(settings.learning_rate, settings.steps)
    tx = optax.adamw(schedule, weight_decay=settings.weight_decay)

    def loss(params: Any, x: jax.Array, y: jax.Array, w: jax.Array, key: jax.Array) -> jax.Array:
        logit = model.apply({"params": params}, x, train=True, rngs={"dropout": key})
        each = optax.sigmoid_binary_cross_entropy(logit, y)
        return (each * w).sum() / jnp.maximum(w.sum(), 1e-6)

    @jax.jit
    def step(carry: Any, x: jax.Array, y: jax.Array, w: jax.Array, at: jax.Array) -> Any:
        params, state = carry
        grads = jax.grad(loss)(params, x, y, w, jax.random.fold_in(key, at))
        updates, state = tx.update(grads, state, params)
        return optax.apply_updates(params, updates), state

    carry = (params, tx.init(params))
    rng = np.random.default_rng(settings.seed)
    for at in range(settings.steps):
        rows = rng.integers(0, len(cells), settings.batch)
        x = _standard(cells[rows], mean, deviation)
        carry = step(carry, x, visibility[rows], weight[rows], jnp.uint32(at))
    return Fitted(jax.tree.map(np.asarray, carry[0]), mean, deviation, settings.hidden)
