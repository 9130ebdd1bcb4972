"""From anomaly to labels: how much is missing in each cell of a grid, and where too much is.

The anomaly of a pixel is how much the inpainting network adds to a vessel map. A cell is bad where
at least `SHARE` of its pixels exceed a threshold (released code), which is the same as: its
`SHARE`-quantile from above exceeds it. That number, `cells`, makes thresholds easy to
choose; `lost` is another one.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from fiqa_jax.methods import density

SHARE = 0.9  # of a cell's area that must exceed the threshold ("relax ratio")
PUBLISHED = 0.02  # threshold of the published network, of no use for another one
AROUND, FAINT = 1.0, 0.01  # `lost`: cells of the window; a vessel density of no account
ABSENT = 255  # label of a cell outside the field of view
# How the published 14 x 14 labels were taken from 16 x 16 ones.
COMPAT = (0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 12, 13, 14, 15)


@dataclasses.dataclass(frozen=True)
class Windows:
    """Which pixels lie in the cells along one axis, and how much of each.

    Attributes:
      index: `[grid, k] int` pixels.
      weight: `[grid, k] float` share of the pixel inside the cell; 0 where the cell is narrower.
    """

    index: NDArray[np.int64]
    weight: NDArray[np.float64]


def windows(side: int, grid: int) -> Windows:
    """Cells of equal width over `side` pixels; a pixel that two cells share counts in parts."""
    edges = np.arange(grid + 1) * side / grid
    first = np.floor(edges[:-1] + 1e-9).astype(np.int64)
    last = np.ceil(edges[1:] - 1e-9).astype(np.int64)
    index = first[:, None] + np.arange(int((last - first).max()))
    low = np.maximum(index, edges[:-1, None])
    high = np.minimum(index + 1, edges[1:, None])
    return Windows(np.minimum(index, side - 1), np.maximum(high - low, 0.0))


def _patches(pixels: jax.Array, grid: int) -> tuple[jax.Array, NDArray[np.float64]]:
    """Pixels of each cell `[B, grid, grid, k * k]` and their weights `[grid, grid, k * k]`."""
    at = windows(pixels.shape[1], grid)
    k = at.index.shape[1]
    taken = pixels[:, at.index][:, :, :, at.index]  # [B, grid, k, grid, k]
    weight = at.weight[:, :, None, None] * at.weight[None, None]
    taken = taken.transpose(0, 1, 3, 2, 4).reshape(-1, grid, grid, k * k)
    return taken, weight.transpose(0, 2, 1, 3).reshape(grid, grid, k * k)


def cells(anomaly: jax.Array, grid: int, share: float = SHARE) -> jax.Array:
    """The largest number that at least `share` of each cell's area reaches.

    Args:
      anomaly: `[B, S, S] float`.
      grid: cells along an edge.
      share: of the cell's area.

    Returns:
      `[B, grid, grid]` of the same dtype. `cells(...) > t` is the released rule at threshold t.
    """
    taken, weight = _patches(anomaly, grid)
    order = jnp.argsort(-taken, axis=-1)
    value = jnp.take_along_axis(taken, order, -1)
    sorted_weight = jnp.take_along_axis(jnp.broadcast_to(weight, taken.shape), order, -1)
    total = jnp.cumsum(sorted_weight, -1)
    # Half a millionth of a pixel of slack: sums of shares are not exact.
    reached = total >= share * weight.sum(-1)[None, :, :, None] - 5e-7
    # A pixel without weight does not lie in the cell.
    reached &= sorted_weight > 0
    return jnp.take_along_axis(value, jnp.argmax(reached, -1)[..., None], -1)[..., 0]


def lost(given: jax.Array, expected: jax.Array, seen: jax.Array) -> jax.Array:
    """How much of the vessels that are expected in and around each cell is not there.

    What a small network adds is little, and least where there is hardly anything to go on from: it
    says less about a place than what is there in proportion to what should be. Ours; the release
    takes `cells` of what was added.

    Args:
      given: `[B, S, S, C] float` in [0, 1], the vessel map.
      expected: the same, after inpainting.
      seen: `[B, h, h] float`, share of each cell inside the field of view.

    Returns:
      `[B, h, h]` in [0, 1]: 1 - given / expected, both averaged over channels and over a Gaussian
      window of `AROUND` cells, of which the field counts. Where nothing is expected either, 1.
    """
    grid = seen.shape[1]
    parts = [mean_cells(jnp.clip(m, 0.0, 1.0).mean(-1), grid)[..., None] for m in (given, expected)]
    there, wanted = (density.blur(p, AROUND)[..., 0] for p in parts)
    weight = density.blur(seen[..., None].astype(wanted.dtype), AROUND)[..., 0]
    return jnp.clip(1.0 - there / jnp.maximum(wanted + FAINT * weight, 1e-6), 0.0, 1.0)


def mean_cells(pixels: jax.Array, grid: int) -> jax.Array:
    """The mean of each cell, pixels weighted by area: `[B, S, S] float` to `[B, grid, grid]`."""
    at = windows(pixels.shape[1], grid)
    rows = np.zeros((grid, pixels.shape[1]))
    np.add.at(rows, (np.arange(grid)[:, None], at.index), at.weight)
    share = jnp.asarray(rows / rows.sum(-1, keepdims=True), pixels.dtype)
    exact = jax.lax.Precision.HIGHEST
    return jnp.einsum("ir,brc,jc->bij", share, pixels, share, precision=exact)


def soft(anomaly: jax.Array, threshold: float) -> jax.Array:
    """clip((A - t) / t, 0, 1), the released soft mask; for pictures, never for labels."""
    return jnp.clip((anomaly - threshold) / threshold, 0.0, 1.0)


def labels(values: jax.Array, seen: jax.Array, threshold: float) -> jax.Array:
    """Pseudo-labels from `cells`.

    Args:
      values: `[B, h, w] float`, see `cells`.
      seen: `[B, h, w] float`, share of the cell inside the field of view.
      threshold: what a bad cell exceeds.

    Returns:
      `[B, h, w] uint8`: 1 bad, 0 not, 255 less than half inside the field.
    """
    bad = (values > threshold).astype(jnp.uint8)
    return jnp.where(seen >= 0.5, bad, jnp.uint8(ABSENT))


def compat(grid16: jax.Array) -> jax.Array:
    """16 x 16 cells `[..., 16, 16]` as 14 x 14, as the published ones: two rows and columns go."""
    at = np.asarray(COMPAT)
    return grid16[..., at[:, None], at[None, :]]


def threshold(
    values: NDArray[np.floating], seen: NDArray[np.floating], alarms: float = 0.01
) -> float:
    """The threshold that calls a share `alarms` of some cells bad.

    Args:
      values: `[N, h, w]` of `cells`: on maps of good photographs that the network was not trained
        on, or on those of any photographs whose share of bad cells is known.
      seen: `[N, h, w]`, share of the cell inside the field of view; less than a half leaves it out.
      alarms: share of the cells; false alarms where the photographs are good.

    Raises:
      ValueError: too few cells to tell such a share, or a network that adds nothing anywhere.
    """
    inside = np.asarray(values, np.float64)[np.asarray(seen) >= 0.5]
    if len(inside) * alarms < 1:
        raise ValueError(
            f"a threshold that {alarms:.1%} of the cells exceed needs {1 / alarms:,.0f} cells or "
            f"more, there are {len(inside):,}: validate on more photographs"
        )
    limit = float(np.quantile(inside, 1 - alarms, method="higher"))
    if not limit > 0:
        raise ValueError(
            "the inpainting network adds nothing to these maps anywhere: it was hardly trained, "
            "give it more steps (train.steps)"
        )
    return limit
