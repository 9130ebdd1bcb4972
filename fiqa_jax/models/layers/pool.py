"""Max pooling with gradients that are fast on CPUs.

XLA differentiates a max over windows by select-and-scatter, which its CPU backend runs one window
at a time: 0.4 s for a batch of 16 ResNet stems, half a training step. Here the forward pass of
3x3 windows notes which of the nine places won, and the gradient gathers; 2x2 windows need none.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp


def max_pool_2x2(x: jax.Array) -> jax.Array:
    """2x2 max pooling `[B, H, W, C]` -> `[B, H/2, W/2, C]`; H and W even.

    A reshape and maxima of pairs. XLA's windowed maximum has a gradient that is slow on CPUs; that
    of `max` over axes looks the winner up again by equality and divides by how many it finds, which
    is 0 where the compiler computed the operand a second time with other rounding: NaN, seen here.
    """
    batch, height, width, features = x.shape
    x = x.reshape(batch, height // 2, 2, width // 2, 2, features)
    x = jnp.maximum(x[:, :, 0], x[:, :, 1])
    return jnp.maximum(x[:, :, :, 0], x[:, :, :, 1])


def max_pool_3x3(x: jax.Array) -> jax.Array:
    """Max over 3x3 windows at stride 2, padded by one pixel of -inf (PyTorch's MaxPool2d(3, 2, 1)).

    Args:
      x: `[B, H, W, C]` floats.

    Returns:
      `[B, ceil(H / 2), ceil(W / 2), C]`. Where several places of a window are largest the first in
      reading order gets the gradient, on every platform, as in PyTorch.
    """
    return _on_cpu(x) if jax.default_backend() == "cpu" else _plain(x)


def _plain(x: jax.Array) -> jax.Array:
    return nn.max_pool(x, (3, 3), strides=(2, 2), padding=((1, 1), (1, 1)))


@jax.custom_vjp
def _on_cpu(x: jax.Array) -> jax.Array:
    return _plain(x)


def _forward(x: jax.Array) -> tuple[jax.Array, tuple[jax.Array, tuple[int, ...]]]:
    _, height, width, _ = x.shape
    rows, columns = (height + 1) // 2, (width + 1) // 2
    pad = ((0, 0), (1, 2 * rows - height), (1, 2 * columns - width), (0, 0))
    x_padded = jnp.pad(x, pad, constant_values=-jnp.inf)
    best = jnp.full((x.shape[0], rows, columns, x.shape[3]), -jnp.inf, x.dtype)
    winner = jnp.zeros(best.shape, jnp.int8)
    for place in range(9):
        i, j = divmod(place, 3)
        here = x_padded[:, i : i + 2 * rows - 1 : 2, j : j + 2 * columns - 1 : 2]
        larger = (here > best) | jnp.isnan(here)
        best = jnp.where(larger, here, best)
        winner = jnp.where(larger, jnp.int8(place), winner)
    return best, (winner, x.shape)


def _backward(kept: tuple[jax.Array, tuple[int, ...]], gradient: jax.Array) -> tuple[jax.Array]:
    winner, (batch, height, width, features) = kept
    rows, columns = gradient.shape[1:3]

    def won(place: int) -> jax.Array:
        return jnp.where(winner == place, gradient, 0)

    def next_row(x: jax.Array) -> jax.Array:
        return jnp.pad(x[:, 1:], ((0, 0), (0, 1), (0, 0), (0, 0)))

    def next_column(x: jax.Array) -> jax.Array:
        return jnp.pad(x[:, :, 1:], ((0, 0), (0, 0), (0, 1), (0, 0)))

    # Places 0 1 2 / 3 4 5 / 6 7 8 of window (r, c) are rows 2r-1 to 2r+1, columns 2c-1 to 2c+1: a
    # pixel of even row and column is in one window only, one of odd row and column in four.
    even = jnp.stack([won(4), won(5) + next_column(won(3))], 3)
    odd = jnp.stack(
        [
            won(7) + next_row(won(1)),
            won(8) + next_column(won(6)) + next_row(won(2) + next_column(won(0))),
        ],
        3,
    )
    whole = jnp.stack([even, odd], 2).reshape(batch, 2 * rows, 2 * columns, features)
    return (whole[:, :height, :width],)


_on_cpu.defvjp(_forward, _backward)
