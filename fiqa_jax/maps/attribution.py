"""Which places of a photograph a logit rests on: Grad-CAM and integrated gradients.

Pure functions; `fiqa_jax.inference.explainer` applies them to trained models.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from fiqa_jax.maps import landmarks
from fiqa_jax.maps.attribution_settings import BASELINES

WIDE = 16  # the blurred baseline: deviation of the Gaussian is the side divided by this


def grad_cam(activations: jax.Array, gradients: jax.Array, *, normalise: bool = False) -> jax.Array:
    """Grad-CAM (Selvaraju et al. 2017, equations 1 and 2).

    Args:
      activations: `[B, h, w, F] float`, a map of the network.
      gradients: `[B, h, w, F] float`, of the score by that map.
      normalise: divide the map of each photograph by its maximum; maps of different photographs
        can then no longer be compared.

    Returns:
      `[B, h, w] float`, 0 or more, in units of the score: channels weighted by the mean of their
      gradient, added up, what is negative set to 0. Under a linear head on the mean of the map,
      a map times h w is what the head says of each place alone, without its bias.
    """
    weights = gradients.mean((1, 2))
    evidence = jax.nn.relu(jnp.einsum("bhwf,bf->bhw", activations, weights))
    if not normalise:
        return evidence
    top = evidence.max((1, 2), keepdims=True)
    return evidence / jnp.where(top > 0, top, 1.0)


def integrated_gradients(
    score: Callable[[jax.Array], jax.Array], x: jax.Array, baseline: jax.Array, steps: int
) -> jax.Array:
    """Integrated gradients (Sundararajan et al. 2017, equation 1), by Gauss and Legendre's rule.

    Args:
      score: `[B, ...]` -> `[B]`, each example on its own.
      x: `[B, ...] float`.
      baseline: like `x`, where the straight path begins.
      steps: gradients that are taken; exact where the gradient along the path is a polynomial of
        degree 2 steps - 1 or less.

    Returns:
      Like `x`, signed, in units of the score; their sum over an example tends to
      score(x) - score(baseline) as steps grow (completeness).

    Raises:
      ValueError: no step.
    """
    if steps < 1:
        raise ValueError(f"integrated gradients take 1 step or more, not {steps}")
    nodes, weights = np.polynomial.legendre.leggauss(steps)  # on [-1, 1], weights add up to 2
    slope = jax.grad(lambda at: score(at).sum())

    def add(total: jax.Array, node: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, None]:
        at, weight = node
        return total + weight * slope(baseline + at * (x - baseline)), None

    plan = (jnp.asarray((nodes + 1) / 2, x.dtype), jnp.asarray(weights / 2, x.dtype))
    return (x - baseline) * jax.lax.scan(add, jnp.zeros_like(x), plan)[0]


def by_cell(attribution: jax.Array, cells: int) -> jax.Array:
    """Sums over the colours and the pixels of each cell, signed: nothing of the whole is lost.

    Args:
      attribution: `[B, S, S, C] float`.
      cells: along an edge; divides S.

    Returns:
      `[B, cells, cells] float`.
    """
    batch, side, _, colours = attribution.shape
    edge = side // cells
    return attribution.reshape(batch, cells, edge, cells, edge, colours).sum((2, 4, 5))


def baselines(image: NDArray[np.uint8], fov: NDArray[np.uint8], kind: str) -> NDArray[np.float32]:
    """Where integrated gradients begin; what is outside the field stays as it is, if not black.

    Args:
      image: `[B, S, S, C] uint8`.
      fov: `[B, S, S] uint8`, 1 inside.
      kind: mean (each photograph's own mean colour inside its field: no structure, same light),
        black, or blurred (a Gaussian of S / 16 pixels over the inside).

    Returns:
      `[B, S, S, C] float32` in [0, 1].

    Raises:
      ValueError: another kind.
    """
    if kind not in BASELINES:
        raise ValueError(f"baseline {kind!r} is none of {BASELINES}")
    plain: NDArray[np.float32] = np.divide(image, 255, dtype=np.float32)
    if kind == "black":
        return np.zeros_like(plain)
    inside = fov > 0
    share = inside[..., None].astype(np.float32)
    if kind == "mean":
        count = np.maximum(share.sum((1, 2), keepdims=True), 1)
        start = (plain * share).sum((1, 2), keepdims=True) / count
    else:
        sigma = image.shape[1] / WIDE
        start = np.empty_like(plain)
        for place in np.ndindex(len(image), image.shape[-1]):
            here = (place[0], ..., place[1])
            start[here] = landmarks.blurred(plain[here], inside[place[0]], sigma)
    return np.where(inside[..., None], start, plain).astype(np.float32)


def scaled(score: jax.Array) -> jax.Array:
    """A map in [0, 1) by one rule for all photographs: x / (1 + x), negative values are 0.

    Args:
      score: `[...] float` in units of log-odds; 1 becomes 0.5, and order is kept.
    """
    positive = jax.nn.relu(score)
    return positive / (1 + positive)
