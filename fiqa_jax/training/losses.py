"""Losses per example, and the one reduction that is right on any number of devices.

Absent labels are -1: they are clamped before any gather (an index of -1 would wrap silently to the
last class) and given weight 0.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from fiqa_jax.training.devices import Axis


class Term(NamedTuple):
    """One part of a loss: values and weights per example, and its share of the total.

    Attributes:
      value: `[B] float` loss of each example.
      weight: `[B] float`, 0 where the label is absent.
      factor: the term's weight in the total.
    """

    value: jax.Array
    weight: jax.Array
    factor: float


def masked_mean(value: jax.Array, weight: jax.Array, axis: Axis) -> jax.Array:
    """Weighted mean over the GLOBAL batch, 0 where all weights are 0.

    Sums and counts are added over devices before the division: dividing first and averaging over
    devices is wrong as soon as labels are spread unevenly.
    """
    total = axis.sum(jnp.sum(jnp.where(weight > 0, value, 0.0) * weight))
    count = axis.sum(jnp.sum(weight))
    return jnp.where(count > 0, total / jnp.where(count > 0, count, 1.0), 0.0)


def total(terms: dict[str, Term], axis: Axis) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Sum of factor * masked mean over the terms, and each term's masked mean by name."""
    means = {name: masked_mean(t.value, t.weight, axis) for name, t in terms.items()}
    return sum((t.factor * means[n] for n, t in terms.items()), jnp.zeros(())), means


def cross_entropy(
    logits: jax.Array, labels: jax.Array, smoothing: float = 0.0
) -> tuple[jax.Array, jax.Array]:
    """Softmax cross-entropy per example.

    Args:
      logits: `[B, C] float`.
      labels: `[B] int32` in [0, C), -1 where absent.
      smoothing: share of the target spread evenly over the classes.

    Returns:
      value `[B]` and valid `[B] float` (0 where the label is absent).
    """
    valid = labels >= 0
    target = jax.nn.one_hot(jnp.maximum(labels, 0), logits.shape[-1], dtype=logits.dtype)
    target = optax.smooth_labels(target, smoothing) if smoothing else target
    return optax.softmax_cross_entropy(logits, target), valid.astype(logits.dtype)


def binary_cross_entropy(logits: jax.Array, targets: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Sigmoid cross-entropy per element.

    Args:
      logits: `[...] float`.
      targets: `[...]` in [0, 1]; negative where absent.

    Returns:
      value and valid, both of the logits' shape.
    """
    valid = targets >= 0
    target = jnp.clip(targets.astype(logits.dtype), 0.0, 1.0)
    return optax.sigmoid_binary_cross_entropy(logits, target), valid.astype(logits.dtype)


def inverse_frequency(labels: jax.Array, counts: tuple[int, ...]) -> jax.Array:
    """Weight n / (classes * n_class) of each example's class; 0 where the label is absent.

    Args:
      labels: `[B] int32`, -1 where absent.
      counts: training examples of each class.
    """
    table = jnp.array([sum(counts) / (len(counts) * max(n, 1)) for n in counts])
    return jnp.where(labels >= 0, table[jnp.maximum(labels, 0)], 0.0)


def focal(logits: jax.Array, target: jax.Array, gamma: float = 2.0) -> jax.Array:
    """Focal loss (Lin et al. 2017, equation 4) against soft or one-hot labels.

    -sum_c t_c (1 - p_c)^gamma log p_c, from log_softmax: the published code's log(p + 1e-20) gives
    the same while p > 1e-12, but in float32 its second derivative is not finite from a gap of 44
    between logits, and beyond 50 its gradient vanishes.

    Args:
      logits: `[B, C] float`.
      target: `[B, C]`, rows sum to 1.
      gamma: at least 1, for gradients that are finite where p = 1.

    Returns:
      `[B]`.
    """
    log_p = jax.nn.log_softmax(logits)
    return -jnp.sum(target * (-jnp.expm1(log_p)) ** gamma * log_p, -1)
