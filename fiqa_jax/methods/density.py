"""Optical density of a photograph without what changes slowly: vessels stay, light and pigment go.

By the law of Lambert and Beer a vessel takes the same share of the light wherever it lies, so that
its density is the same in a bright and in a dark place. Less its mean over the surroundings, what
is left hardly depends on the camera, on the flash or on the fundus's colour. Haemoglobin absorbs
green; red is mostly choroid and blue mostly noise.
"""

import jax
import jax.numpy as jnp
import numpy as np

FLOOR = 0.05  # added to the light: the density of black, and of its noise, stays small
GAIN = 5.0  # brings a vessel's density, 0.1 to 0.3, to the size of one


def flattened(image: jax.Array, fov: jax.Array, sigma: float) -> jax.Array:
    """Local density of every channel.

    Args:
      image: `[B, H, W, C] float` in [0, 1].
      fov: `[B, H, W]`, above 0 inside the field of view.
      sigma: pixels, standard deviation of the Gaussian that says what surroundings are.

    Returns:
      `[B, H, W, C]`: GAIN times (-log(image + FLOOR) less its mean over the surroundings, of which
      only the field counts); 0 outside the field.
    """
    inside = (fov[..., None] > 0).astype(image.dtype)
    density = -jnp.log(image + FLOOR) * inside
    return GAIN * (density - mean_around(density, inside, sigma)) * inside


def mean_around(x: jax.Array, weight: jax.Array, sigma: float) -> jax.Array:
    """Weighted mean over a Gaussian window.

    Args:
      x: `[B, H, W, C]`, already times its weight.
      weight: `[B, H, W, 1]`, 0 where a place does not count.
      sigma: standard deviation of the window, in places.
    """
    return blur(x, sigma) / jnp.maximum(blur(weight, sigma), 1e-6)


def blur(x: jax.Array, sigma: float) -> jax.Array:
    """Gaussian sums over rows and columns of `[B, H, W, C]`, not divided by the weights' sum.

    Two products with matrices: at these sizes faster than a convolution on a CPU.
    """
    down, across = (jnp.asarray(_kernel(n, sigma), x.dtype) for n in x.shape[1:3])
    return jnp.einsum("ih,bhwc,jw->bijc", down, x, across)


def _kernel(count: int, sigma: float) -> np.ndarray:
    at = np.arange(count)
    return np.exp(-0.5 * ((at[:, None] - at[None, :]) / sigma) ** 2)
