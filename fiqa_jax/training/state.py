"""What training changes, and the keys it draws from. No functions, no optimiser, only arrays."""

import zlib
from typing import Any

import flax
import jax
import jax.numpy as jnp

Tree = Any


class TrainState(flax.struct.PyTreeNode):
    """Everything a checkpoint holds.

    Attributes:
      step: int32 scalar, updates made so far.
      params: trainable arrays.
      model_state: running statistics (`batch_stats`), {} for networks without.
      opt_state: the optimiser's arrays.
      ema: {'params': ..., 'model_state': ...} moving averages, or {} when switched off.
    """

    step: jax.Array
    params: Tree
    model_state: Tree
    opt_state: Tree
    ema: Tree


def create(params: Tree, model_state: Tree, opt_state: Tree, ema: bool) -> TrainState:
    """A state at step 0. The averages start as copies: an alias would break donation."""
    both = {"params": params, "model_state": model_state}
    return TrainState(
        step=jnp.zeros((), jnp.int32),
        params=params,
        model_state=model_state,
        opt_state=opt_state,
        ema=jax.tree.map(jnp.copy, both) if ema else {},
    )


def variables(state: TrainState) -> dict[str, Tree]:
    """The weights and statistics to predict with: the averages where they are kept."""
    chosen = state.ema or {"params": state.params, "model_state": state.model_state}
    return {"params": chosen["params"], **chosen["model_state"]}


def update_ema(state: TrainState, decay: float) -> TrainState:
    """Moves the averages of weights and statistics: a <- decay * a + (1 - decay) * x."""
    if not state.ema:
        return state
    new = {"params": state.params, "model_state": state.model_state}
    moved = jax.tree.map(lambda a, x: decay * a + (1 - decay) * x, state.ema, new)
    return state.replace(ema=moved)


def stream(seed: int, name: str) -> jax.Array:
    """The key of a named stream of randomness, a function of (seed, name) only."""
    return jax.random.fold_in(jax.random.key(seed), zlib.crc32(name.encode()) & 0x7FFFFFFF)


def example_keys(key: jax.Array, index: jax.Array) -> jax.Array:
    """One key per example, from (step's key, row): the same on any number of devices.

    Args:
      key: of the step, `fold_in(stream(seed, name), step)`.
      index: `[B] int32` rows of the source.

    Returns:
      `[B]` keys.
    """
    return jax.vmap(lambda i: jax.random.fold_in(key, i))(index)
