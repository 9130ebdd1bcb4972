"""What can be measured of every cell of a photograph: fine detail, noise, ridges, light, colour.

Detail alone does not tell a vessel from noise, a lash or a letter. So every energy stands beside
the local mean (Weber), beside the noise, beside its like at other scales and in red (noise differs
between the colours, vessels do not), and vessels (dark ridges) beside bright ridges and spots. No
number here is learned.

A pyramid of four levels, each half as large; level l sees structures of about 2^l pixels. Ridges
and spots: eigenvalues of the Hessian (Sato et al., Med. Image Anal. 2:143, 1998). Coherence:
structure tensor (Weickert, 1998). Noise: diagonal differences of 2 x 2 pixels.

Arrays are `[B, C, H, W]` inside, so that neighbours along a row lie side by side.
"""

import jax
import jax.numpy as jnp

CELLS = 32  # along a side
LEVELS = 4
TINY = 1e-3
HALF_NORMAL = 0.8222  # mean root of |x|, x normal of deviation 1
BINOMIAL = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)  # a Gaussian of deviation 1
WHITE = 0.35  # answer of a level's detail to white noise of deviation 1, about

LEVEL_NAMES = (
    *("weber", "over_noise", "ridge_weber", "ridge_share", "bright_ridge", "spot"),
    *("peak_dark", "peak_bright", "coherence", "agreement"),
)
PLAIN_NAMES = (
    *("noise", "noise_weber", "noise_red", "noise_blue", "flat", "steps"),
    *("mean_red", "mean_green", "mean_blue", "red_green", "blue_green", "spread", "spread_weber"),
    *("bright", "dark", "lowest_blue", "lowest_green", "radius", "inside"),
)
NAMES = tuple(f"{n}_{k}" for k in range(LEVELS) for n in LEVEL_NAMES) + PLAIN_NAMES


def measures(image: jax.Array, fov: jax.Array) -> jax.Array:
    """Numbers of every cell.

    Args:
      image: `[B, S, S, 3] float in [0, 1]`, RGB; S a multiple of 256.
      fov: `[B, S, S]`, 1 inside the field, else 0.

    Returns:
      `[B, 32, 32, len(NAMES)] float`, 0 in cells that touch no field.

    Raises:
      ValueError: a side that the pyramid does not divide.
    """
    side = image.shape[1]
    if side % (CELLS << (LEVELS - 1)):
        raise ValueError(f"side {side}: expected a multiple of {CELLS << (LEVELS - 1)} pixels")
    weight = fov.astype(image.dtype)[:, None]
    share = _pool(weight)[:, 0]
    picture = _filled(255 * jnp.moveaxis(image, -1, 1), weight)
    noise = _noise(picture)
    mean = _mean(picture, weight)
    columns: list[jax.Array] = []
    at, inner = picture[:, :2], _eroded(weight)
    for level in range(LEVELS):
        columns += _level(at, inner, level, mean[:, 1], noise[:, 1])
        at, inner = _halved(at), _halved(inner)
    columns += _plain(picture, weight, mean, noise)
    columns += [_radius(weight), share]
    return jnp.where((share > 0)[..., None], jnp.stack(columns, -1), 0.0)


def inside(measured: jax.Array) -> jax.Array:
    """Cells `[B, 32, 32] bool` that lie at least half in the field, from their measures."""
    return measured[..., NAMES.index("inside")] >= 0.5


def _level(
    picture: jax.Array, inner: jax.Array, level: int, mean: jax.Array, noise: jax.Array
) -> list[jax.Array]:
    """`LEVEL_NAMES` of red and green `[B, 2, H, W]`, `[B, 32, 32]` each."""
    red, soft = (_blurred(_bordered(picture[:, k], 3)) for k in range(2))
    red = _laplacian(red)
    middle = _neighbour(soft, 0, 0)
    above, below, left, right = (_neighbour(soft, *d) for d in ((-1, 0), (1, 0), (0, -1), (0, 1)))
    corners = [_neighbour(soft, *d) for d in ((1, 1), (-1, -1), (1, -1), (-1, 1))]
    yy, xx = above - 2 * middle + below, left - 2 * middle + right
    xy = (corners[0] + corners[1] - corners[2] - corners[3]) / 4
    rows, columns, detail = (below - above) / 2, (right - left) / 2, yy + xx
    half, root = detail / 2, jnp.sqrt(((yy - xx) / 2) ** 2 + xy**2 + 1e-12)
    high, low = half + root, half - root
    weight = jnp.where(inner[:, 0] > 0.99, 1.0, TINY)
    values = (
        detail**2,
        jnp.maximum(jnp.maximum(high, 0) - jnp.abs(low), 0),  # a dark line: one curvature, upwards
        jnp.maximum(jnp.maximum(-low, 0) - jnp.abs(high), 0),
        jnp.maximum(low, 0),  # a dark spot: both
        rows**2,
        columns**2,
        rows * columns,
        red * detail,
        red**2,
    )
    total = jnp.maximum(_pool(weight[:, None])[:, 0], 1e-6)
    power, ridge, bright, spot, a, b, c, both, red_power = (
        _pool((v * weight)[:, None])[:, 0] / total for v in values
    )
    dark_peak, bright_peak = (
        jnp.maximum(_most(jnp.where(weight > 0.5, v, 0)), 0) for v in (detail, -detail)
    )
    a, b, c = (_around(v) for v in (a, b, c))
    size = jnp.sqrt(power + 1e-12)
    return [
        jnp.log(size / (mean + 4) + TINY),
        jnp.log((size + TINY) / (noise * WHITE / 2**level + TINY)),
        jnp.log(ridge / (mean + 4) + TINY),
        ridge / (size + 0.05),
        bright / (size + 0.05),
        spot / (size + 0.05),
        jnp.log((dark_peak + TINY) / (size + TINY)),
        jnp.log((bright_peak + TINY) / (size + TINY)),
        jnp.sqrt((a - b) ** 2 + 4 * c**2 + 1e-12) / (a + b + TINY),
        both / jnp.sqrt(red_power * power + TINY**2),
    ]


def _plain(
    picture: jax.Array, weight: jax.Array, mean: jax.Array, noise: jax.Array
) -> list[jax.Array]:
    """`PLAIN_NAMES` up to `lowest_green`."""
    green = picture[:, 1:2]
    spread = jnp.sqrt(jnp.maximum(_mean(green**2, weight) - mean[:, 1:2] ** 2, 0) + 1e-6)[:, 0]
    step = jnp.abs(green - jnp.concatenate([green[..., :1], green[..., :-1]], -1))
    top = picture.max(1, keepdims=True)
    shares = [step < 0.5, step > 12, top > 250, top < 12]
    flat, steps, bright, dark = (_mean(v.astype(picture.dtype), weight)[:, 0] for v in shares)
    red, green_mean, blue = (mean[:, k] + 4 for k in range(3))
    lowest_green, lowest_blue = (-_most(-picture[:, k]) for k in (1, 2))
    return [
        jnp.log(noise[:, 1]),
        jnp.log(noise[:, 1] / green_mean),
        jnp.log(noise[:, 0]),
        jnp.log(noise[:, 2]),
        flat,
        steps,
        jnp.log(red),
        jnp.log(green_mean),
        jnp.log(blue),
        jnp.log(red / green_mean),
        jnp.log(blue / green_mean),
        jnp.log(spread + 0.3),
        jnp.log((spread + 0.3) / green_mean),
        bright,
        dark,
        jnp.log(lowest_blue + 4),
        jnp.log((lowest_green + 4) / green_mean),
    ]


def _pool(values: jax.Array) -> jax.Array:
    """Means `[B, C, 32, 32]` of cells of `[B, C, H, W]`.

    Rows are added in pairs: a reduction would compute what it reduces anew for every number, one at
    a time; sums of slices are computed side by side (XLA on CPUs, a tenth of the time).
    """
    b, c, h, w = values.shape
    while values.shape[2] > CELLS:
        values = values[:, :, 0::2] + values[:, :, 1::2]
    columns = values.reshape(b, c, CELLS, CELLS, w // CELLS).sum(-1)
    return columns * (CELLS * CELLS / (h * w))


def _most(values: jax.Array) -> jax.Array:
    """Maxima `[B, 32, 32]` of cells of `[B, H, W]`, see `_pool`."""
    b, _, w = values.shape
    while values.shape[1] > CELLS:
        values = jnp.maximum(values[:, 0::2], values[:, 1::2])
    return values.reshape(b, CELLS, CELLS, w // CELLS).max(-1)


def _mean(values: jax.Array, weight: jax.Array) -> jax.Array:
    """Means `[B, C, 32, 32]` over the part of each cell inside the field."""
    return _pool(values * weight) / jnp.maximum(_pool(weight), TINY)


def _halved(values: jax.Array) -> jax.Array:
    b, c, h, w = values.shape
    rows = values.reshape(b, c, h // 2, 2, w)
    rows = rows[:, :, :, 0] + rows[:, :, :, 1]
    pairs = rows.reshape(b, c, h // 2, w // 2, 2)
    return (pairs[..., 0] + pairs[..., 1]) / 4


def _filled(picture: jax.Array, weight: jax.Array) -> jax.Array:
    """The picture, its outside continued from the rim: else the rim is its strongest edge."""
    step = picture.shape[-1] // (2 * CELLS)

    def coarse(values: jax.Array) -> jax.Array:
        b, c, _, w = values.shape
        rows = values.reshape(b, c, 2 * CELLS, step, w).mean(3)
        return _blurred(_bordered(rows.reshape(b, c, 2 * CELLS, 2 * CELLS, step).mean(-1), 2))

    mean = coarse(picture * weight) / jnp.maximum(coarse(weight), 0.02)
    return jnp.where(weight > 0, picture, jnp.repeat(jnp.repeat(mean, step, 2), step, 3))


def _eroded(weight: jax.Array) -> jax.Array:
    """The field `[B, 1, S, S]` less a rim of two pixels."""
    padded = _bordered(weight, 2)
    n = weight.shape[-1]
    rows = jnp.minimum(padded[:, :, :n], padded[:, :, 4:])
    return jnp.minimum(jnp.minimum(rows[..., :n], rows[..., 4:]), weight)


def _noise(picture: jax.Array) -> jax.Array:
    """Deviation `[B, 3, 32, 32]` of noise in each cell, grey levels; edges, being few, count little

    by the mean root of the absolute differences.
    """
    rows = picture[:, :, 0::2] - picture[:, :, 1::2]
    diagonal = jnp.abs(rows[..., 0::2] - rows[..., 1::2]) / 2
    return (_pool(jnp.sqrt(diagonal + 1e-6)) / HALF_NORMAL) ** 2 + 0.3


def _bordered(values: jax.Array, width: int) -> jax.Array:
    """`[..., H + 2 width, W + 2 width]`, borders repeated."""
    for axis in (values.ndim - 2, values.ndim - 1):
        n = values.shape[axis]
        first, last = (
            jnp.repeat(jax.lax.slice_in_dim(values, k, k + 1, axis=axis), width, axis)
            for k in (0, n - 1)
        )
        values = jnp.concatenate([first, values, last], axis)
    return values


def _blurred(values: jax.Array) -> jax.Array:
    """Smoothed by `BINOMIAL` along both axes of `[..., H, W]`: `[..., H - 4, W - 4]`."""
    for axis in (values.ndim - 2, values.ndim - 1):
        n = values.shape[axis] - 4
        parts = [jax.lax.slice_in_dim(values, k, k + n, axis=axis) for k in range(5)]
        values = sum((t * v for t, v in zip(BINOMIAL, parts, strict=True)), jnp.zeros(()))
    return values


def _neighbour(values: jax.Array, down: int, across: int) -> jax.Array:
    """The neighbour of every inner pixel of `[B, H, W]`: `[B, H - 2, W - 2]`."""
    h, w = values.shape[1:]
    return values[:, 1 + down : h - 1 + down, 1 + across : w - 1 + across]


def _laplacian(soft: jax.Array) -> jax.Array:
    ends = sum(_neighbour(soft, *d) for d in ((-1, 0), (1, 0), (0, -1), (0, 1)))
    return ends - 4 * _neighbour(soft, 0, 0)


def _around(values: jax.Array) -> jax.Array:
    """Means over each cell and its eight neighbours, `[B, 32, 32]`, borders repeated."""
    wide, n = _bordered(values, 1), values.shape[1]
    rows = wide[:, :n] + wide[:, 1 : n + 1] + wide[:, 2:]
    return (rows[..., :n] + rows[..., 1 : n + 1] + rows[..., 2:]) / 9


def _radius(weight: jax.Array) -> jax.Array:
    """Distance `[B, 32, 32]` from the middle of what is in the field, in half sides."""
    share = _pool(weight)[:, 0]
    place = (jnp.arange(CELLS, dtype=weight.dtype) + 0.5) / CELLS * 2 - 1
    total = jnp.maximum(share.sum((1, 2)), TINY)
    down = (share.sum(2) @ place) / total
    across = (share.sum(1) @ place) / total
    rows = place[None, :, None] - down[:, None, None]
    columns = place[None, None, :] - across[:, None, None]
    return jnp.sqrt(rows**2 + columns**2 + 1e-12)
