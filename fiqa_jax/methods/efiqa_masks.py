"""Masks and crops of vessel maps for inpainting, as pure functions of a key (Wang et al. 2026).

Epochs are those of the published schedule of 100: a run of any length goes through them in
proportion, see `epoch`. Everything works on one example; map it over a batch with `jax.vmap`.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

EPOCHS = 100  # of the published run
WARM, FULL = 20, 80  # epochs at which the schedules begin and cease to move
MASKED = 0.8  # smallest share of blocks masked until WARM
CROPPED = 0.5  # share of examples cropped from FULL on
FEWEST, MOST = 4, 32  # blocks along an edge
SMALLEST, FEED = 0.5, 224 / 256  # of a crop: share of the map's side, and of the network's


class Box(NamedTuple):
    """A crop in pixels of the map, float scalars."""

    left: jax.Array
    top: jax.Array
    width: jax.Array
    height: jax.Array


def epoch(step: jax.Array, steps: int) -> jax.Array:
    """The published epoch, a whole number in [0, 100), that update `step` of `steps` stands for."""
    return jnp.minimum(EPOCHS * step // max(steps, 1), EPOCHS - 1)


def masked_at_least(epoch: jax.Array) -> jax.Array:
    """Lower bound of the share of blocks masked: 0.8, falling from epoch 20 to 0 at 80."""
    return MASKED * (1.0 - _moved(epoch))


def crop_probability(epoch: jax.Array) -> jax.Array:
    """Share of examples that are cropped: 0, rising from epoch 20 to 0.5 at 80."""
    return CROPPED * _moved(epoch)


def _moved(epoch: jax.Array) -> jax.Array:
    return jnp.clip((jnp.asarray(epoch, float) - WARM) / (FULL - WARM), 0.0, 1.0)


def nearest(blocks: int | jax.Array, side: int) -> jax.Array:
    """Index `[side] int32` of the block that each pixel lies in: floor(i * blocks / side).

    That is PyTorch's nearest resizing; `jax.image.resize` looks from the centre of the pixel and
    gives other blocks where `blocks` does not divide `side`.
    """
    return (jnp.arange(side, dtype=jnp.int32) * blocks) // side


def block_mask(key: jax.Array, epoch: jax.Array, side: int) -> jax.Array:
    """Which pixels stay: K x K blocks, each masked with probability r (released code).

    K is uniform in {4, ..., 32} and r uniform in [`masked_at_least`, 1]; a block stays where a
    uniform number exceeds r.

    Args:
      key: of this example.
      epoch: int scalar, on the published scale.
      side: pixels.

    Returns:
      `[side, side] bool`, True where the pixel stays.
    """
    k_blocks, k_ratio, k_cells = jax.random.split(key, 3)
    blocks = jax.random.randint(k_blocks, (), FEWEST, MOST + 1)
    ratio = jax.random.uniform(k_ratio, (), minval=masked_at_least(epoch), maxval=1.0)
    stays = jax.random.uniform(k_cells, (MOST, MOST)) > ratio
    index = nearest(blocks, side)
    return stays[index][:, index]


def smallest_crop(width: int, side: int) -> float:
    """The smallest share of the map's side that a crop takes.

    Half, and enough for 224 pixels where the network sees 256 (released code); in proportion where
    it sees `side`.
    """
    return min(1.0, max(SMALLEST, FEED * side / width))


def crop_box(key: jax.Array, width: int, side: int) -> Box:
    """A random crop that lies inside the circle of a square map (released code).

    With R0 half the map's side, the crop's radius R is R0 times a number uniform in
    [`smallest_crop`, 1] and its centre uniform in the disc of radius R0 - R around the middle. The
    corners are cut to whole pixels.

    Args:
      key: of this example.
      width: pixels of the map.
      side: pixels that the network sees.
    """
    k_size, k_far, k_angle = jax.random.split(key, 3)
    half = width / 2.0
    share = jax.random.uniform(k_size, (), minval=smallest_crop(width, side), maxval=1.0)
    radius = half * share
    far = (half - radius) * jnp.sqrt(jax.random.uniform(k_far, ()))
    angle = 2.0 * jnp.pi * jax.random.uniform(k_angle, ())
    edges = []
    for centre in (half + far * jnp.cos(angle), half + far * jnp.sin(angle)):
        low = jnp.clip(jnp.floor(centre - radius), 0.0, width)
        edges.append((low, jnp.clip(jnp.floor(centre + radius), 0.0, width) - low))
    (left, across), (top, down) = edges
    return Box(left, top, across, down)


def whole(width: int) -> Box:
    """The box that cuts nothing away."""
    zero, full = jnp.zeros(()), jnp.asarray(width, float)
    return Box(zero, zero, full, full)


def resize(image: jax.Array, box: Box, side: int) -> jax.Array:
    """The inside of a box at another size, by triangles as wide as a new pixel (Pillow's BILINEAR).

    Args:
      image: `[W, W, C] float`.
      box: what to take.
      side: pixels of the result.

    Returns:
      `[side, side, C]` of the image's dtype.
    """
    scale = jnp.stack([side / box.height, side / box.width])
    move = -jnp.stack([box.top, box.left]) * scale
    shape = (side, side, image.shape[-1])
    return jax.image.scale_and_translate(
        image, shape, (0, 1), scale, move, "linear", antialias=True
    )


def ellipse(side: int) -> jax.Array:
    """Pixels `[side, side] bool` inside the circle that touches all edges."""
    at = (jnp.arange(side) + 0.5) / (side / 2.0) - 1.0
    return at[:, None] ** 2 + at[None, :] ** 2 <= 1.0


def ellipse_of(box: Box, width: int) -> jax.Array:
    """Pixels `[width, width] bool` of a map inside the ellipse of a crop, as Pillow draws it.

    The released code crops, draws an ellipse from corner to corner, and resizes after; Pillow's
    ellipse reaches half a pixel beyond the centres of the first and the last one.
    """
    at = jnp.arange(width, dtype=box.left.dtype)
    y = (at - box.top - box.height / 2.0) / (box.height / 2.0 + 0.5)
    x = (at - box.left - box.width / 2.0) / (box.width / 2.0 + 0.5)
    rows = (at >= box.top) & (at < box.top + box.height)
    columns = (at >= box.left) & (at < box.left + box.width)
    round_part = y[:, None] ** 2 + x[None, :] ** 2 <= 1.0
    return round_part & rows[:, None] & columns[None, :]


def eight_bit(image: jax.Array) -> jax.Array:
    """Floats in [0, 1] as a picture of 8 bits would hold them."""
    return jnp.round(image * 255.0) / 255.0
