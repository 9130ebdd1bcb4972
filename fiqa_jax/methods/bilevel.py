"""The two-level update of MKCNet (Che et al. 2023, equations 3 and 4), for any task network.

A task network theta learns from soft labels y that a meta network phi writes. What phi should have
written is judged by the task losses after one virtual step of theta:

    theta~ = theta - rate * (d/dtheta [P(theta) + A(theta, y)] + decay * theta)
    minimise over phi: P(theta~) + regulariser(y)        y = labels(phi)

P are the task's own losses, A is the loss against the soft labels. One pure function gives both, at
theta and at theta~. phi acts through y alone, so every way below first gives the derivative by y, a
small array, and the caller pulls that back through the meta network once.

Three ways to the same derivative, with v = dP/dtheta~:

  nested     reverse mode through the virtual step: `jax.grad` inside `jax.grad`.
  forward    -rate * d/dtheta [dA/dy] . v, a directional derivative in forward mode: equal to
             `nested`, for y enters the virtual step through A alone, and cheaper, as nothing is
             kept for a second backward pass. Trunks whose operations have no forward mode (the
             ResNets' max pooling on CPUs) cannot take it.
  first      the same directional derivative by central differences (Liu et al. 2019, "DARTS",
             equation 8; the released code's FirstOrder variant).

Every gradient by theta goes through `axis.mean`, the inner one too: without that every device would
take a virtual step of its own (`fiqa_jax.training.devices`).
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from fiqa_jax.training.devices import Axis

Tree = Any
# (theta, y) -> (P, A): scalars over the global batch, equal on every device.
TaskLosses = Callable[[Tree, jax.Array], tuple[jax.Array, jax.Array]]
WAYS = ("nested", "forward", "first")


def virtual_step(
    losses: TaskLosses, theta: Tree, labels: jax.Array, rate: jax.Array, decay: Tree, axis: Axis
) -> Tree:
    """theta after one step of plain gradient descent with weight decay (equation 3).

    Args:
      losses: the task's.
      theta: parameters.
      labels: `[B, K]` soft labels.
      rate: learning rate, scalar.
      decay: weight decay of every leaf of theta, a tree of floats.
      axis: of the batch.
    """
    slope = axis.mean(jax.grad(lambda t: sum(losses(t, labels)))(theta))
    return jax.tree.map(lambda t, g, d: t - rate * (g + d * t), theta, slope, decay)


def label_gradient(
    kind: str,
    losses: TaskLosses,
    theta: Tree,
    labels: jax.Array,
    rate: jax.Array,
    decay: Tree,
    axis: Axis,
    eps: float = 0.01,
) -> tuple[jax.Array, jax.Array]:
    """P(theta~), and its derivative by the soft labels.

    Args:
      kind: a member of WAYS.
      losses: the task's.
      theta: parameters before the virtual step.
      labels: `[B, K]`, as the meta network wrote them.
      rate, decay: of the virtual step.
      axis: of the batch.
      eps: first: half the distance of the central difference is eps / |v|.

    Returns:
      Scalar and `[B, K]`. Under pmap the derivative is that of the sum over devices, as the
      transpose of a sum over devices has it: pull it back to phi, then take `axis.mean`.

    Raises:
      ValueError: another way.
    """
    if kind not in WAYS:
        raise ValueError(f"meta-gradient {kind!r} is none of {WAYS}")

    def step(y: jax.Array) -> Tree:
        return virtual_step(losses, theta, y, rate, decay, axis)

    if kind == "nested":
        return jax.value_and_grad(lambda y: losses(step(y), y)[0])(labels)

    virtual = step(labels)
    value, direction = jax.value_and_grad(lambda t: losses(t, labels)[0])(virtual)
    direction = axis.mean(direction)

    def by_labels(t: Tree) -> jax.Array:
        return jax.grad(lambda y: losses(t, y)[1])(labels)

    if kind == "forward":
        return value, -rate * jax.jvp(by_labels, (theta,), (direction,))[1]
    length = optax.tree.norm(direction)
    by = eps / jnp.where(length > 0, length, 1.0)
    ahead = by_labels(jax.tree.map(lambda t, v: t + by * v, theta, direction))
    behind = by_labels(jax.tree.map(lambda t, v: t - by * v, theta, direction))
    return value, -rate * (ahead - behind) / (2 * by)
