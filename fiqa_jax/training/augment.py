"""Random changes to one example on the device: a geometric map applied once, then the colours.

Geometry is a 3 x 3 matrix from output to input pixels, relative to the image's centre and with the
half side as unit. Operations multiply their matrices, so an image is resampled once however many
there are. Image, field mask, vessels and maps go through the same matrix.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

Matrix = Callable[[jax.Array], jax.Array]
Colour = Callable[[jax.Array, jax.Array], jax.Array]


def flip(horizontal: float = 0.5, vertical: float = 0.5) -> Matrix:
    """Mirrors left-right and up-down with the given probabilities."""

    def draw(key: jax.Array) -> jax.Array:
        u = jax.random.uniform(key, (2,))
        sign = jnp.where(u < jnp.array([horizontal, vertical]), -1.0, 1.0)
        return jnp.diag(jnp.append(sign, 1.0))

    return draw


def rotate(degrees: float = 180.0) -> Matrix:
    """Rotates by an angle uniform in [-degrees, degrees]; black comes in at the corners."""

    def draw(key: jax.Array) -> jax.Array:
        angle = jnp.deg2rad(jax.random.uniform(key, (), minval=-degrees, maxval=degrees))
        c, s = jnp.cos(angle), jnp.sin(angle)
        return jnp.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])

    return draw


def crop(low: float = 0.85, high: float = 1.0, narrow: float = 0.95, wide: float = 1.05) -> Matrix:
    """A box of area uniform in [low, high] and log-uniform width / height ratio, at a random place,
    stretched to the whole image (torchvision's RandomResizedCrop)."""

    def draw(key: jax.Array) -> jax.Array:
        k_area, k_ratio, k_place = jax.random.split(key, 3)
        area = jax.random.uniform(k_area, (), minval=low, maxval=high)
        log = jax.random.uniform(k_ratio, (), minval=jnp.log(narrow), maxval=jnp.log(wide))
        size = jnp.minimum(jnp.sqrt(area * jnp.exp(jnp.stack([log, -log]))), 1.0)
        centre = jax.random.uniform(k_place, (2,), minval=-1.0, maxval=1.0) * (1.0 - size)
        return jnp.diag(jnp.append(size, 1.0)).at[:2, 2].set(centre)

    return draw


def zoom(low: float = 0.85, high: float = 1.0) -> Matrix:
    """Magnifies about the centre by 1 / s, s uniform in [low, high]."""

    def draw(key: jax.Array) -> jax.Array:
        s = jax.random.uniform(key, (), minval=low, maxval=high)
        return jnp.diag(jnp.stack([s, s, jnp.ones_like(s)]))

    return draw


def patch(share: float = 0.5, side: int = 128) -> Matrix:
    """A window of `share` of the side, anywhere, at `side` pixels: the result is a smaller image.

    With share * side of the input equal to `side` no pixel is resampled but by other operations.
    """
    if not 0 < share <= 1 or side < 1:
        raise TypeError(f"share {share} is in ]0, 1] and side {side} at least 1")

    def draw(key: jax.Array) -> jax.Array:
        at = jax.random.uniform(key, (2,), minval=share - 1.0, maxval=1.0 - share)
        return jnp.diag(jnp.array([share, share, 1.0])).at[:2, 2].set(at)

    return draw


def shift(share: float = 0.05) -> Matrix:
    """Moves by up to `share` of the side along each axis; black comes in."""

    def draw(key: jax.Array) -> jax.Array:
        by = jax.random.uniform(key, (2,), minval=-2.0 * share, maxval=2.0 * share)
        return jnp.eye(3).at[:2, 2].set(by)

    return draw


def brightness(amount: float = 0.2) -> Colour:
    """Multiplies by a factor uniform in [1 - amount, 1 + amount]."""

    def change(key: jax.Array, image: jax.Array) -> jax.Array:
        return image * jax.random.uniform(key, (), minval=1 - amount, maxval=1 + amount)

    return change


def contrast(amount: float = 0.2) -> Colour:
    """Stretches each channel about its own mean by a factor in [1 - amount, 1 + amount]."""

    def change(key: jax.Array, image: jax.Array) -> jax.Array:
        factor = jax.random.uniform(key, (), minval=1 - amount, maxval=1 + amount)
        middle = image.mean((0, 1), keepdims=True)
        return middle + (image - middle) * factor

    return change


def gamma(amount: float = 0.3) -> Colour:
    """Raises to a power log-uniform in [1 / (1 + amount), 1 + amount]."""

    def change(key: jax.Array, image: jax.Array) -> jax.Array:
        log = jax.random.uniform(key, (), minval=-jnp.log1p(amount), maxval=jnp.log1p(amount))
        return jnp.maximum(image, 1e-6) ** jnp.exp(log)

    return change


def tint(amount: float = 0.1) -> Colour:
    """Multiplies each channel by its own factor in [1 - amount, 1 + amount]."""

    def change(key: jax.Array, image: jax.Array) -> jax.Array:
        shape = (1, 1, image.shape[-1])
        return image * jax.random.uniform(key, shape, minval=1 - amount, maxval=1 + amount)

    return change


def noise(sigma: float = 0.02) -> Colour:
    """Adds Gaussian noise whose standard deviation is uniform in [0, sigma]."""

    def change(key: jax.Array, image: jax.Array) -> jax.Array:
        k_size, k_noise = jax.random.split(key)
        size = jax.random.uniform(k_size, (), minval=0.0, maxval=sigma)
        return image + size * jax.random.normal(k_noise, image.shape)

    return change


GEOMETRY: dict[str, Callable[..., Matrix]] = {
    "flip": flip,
    "rotate": rotate,
    "crop": crop,
    "zoom": zoom,
    "shift": shift,
    "patch": patch,
}
COLOUR: dict[str, Callable[..., Colour]] = {
    "brightness": brightness,
    "contrast": contrast,
    "gamma": gamma,
    "tint": tint,
    "noise": noise,
}


def warp(
    image: jax.Array, matrix: jax.Array, *, nearest: bool = False, side: int | None = None
) -> jax.Array:
    """Samples an image through a matrix from output to input; black (0) comes in from outside.

    Args:
      image: `[H, W, C]` of any dtype.
      matrix: `[3, 3] float` on (x, y, 1), centre (0, 0), edges at +-1.
      nearest: take the nearest pixel (masks, labels) instead of the bilinear mean.
      side: pixels of the square result; as large as the image by default.

    Returns:
      `[H, W, C]` (or `[side, side, C]`) of the image's dtype.
    """
    height, width, channels = image.shape
    rows, columns = (side, side) if side else (height, width)
    half = jnp.array([width, height], matrix.dtype) / 2.0
    x = (jnp.arange(columns, dtype=matrix.dtype) + 0.5) / (columns / 2) - 1.0
    y = (jnp.arange(rows, dtype=matrix.dtype) + 0.5) / (rows / 2) - 1.0
    # Written out rather than as a matmul: accelerators round matmul inputs to bfloat16.
    px = matrix[0, 0] * x[None, :] + matrix[0, 1] * y[:, None] + matrix[0, 2]
    py = matrix[1, 0] * x[None, :] + matrix[1, 1] * y[:, None] + matrix[1, 2]
    px, py = (px + 1.0) * half[0] - 0.5, (py + 1.0) * half[1] - 0.5
    flat = image.reshape(height * width, channels)

    def at(row: jax.Array, column: jax.Array) -> jax.Array:
        inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
        place = jnp.clip(row, 0, height - 1) * width + jnp.clip(column, 0, width - 1)
        return jnp.where(inside[..., None], flat[place], jnp.zeros((), image.dtype))

    if nearest:
        return at(jnp.round(py).astype(jnp.int32), jnp.round(px).astype(jnp.int32))
    x0, y0 = jnp.floor(px), jnp.floor(py)
    wx, wy = (px - x0)[..., None], (py - y0)[..., None]
    column, row = x0.astype(jnp.int32), y0.astype(jnp.int32)
    top = at(row, column) * (1 - wx) + at(row, column + 1) * wx
    bottom = at(row + 1, column) * (1 - wx) + at(row + 1, column + 1) * wx
    return (top * (1 - wy) + bottom * wy).astype(image.dtype)


def example(
    arrays: dict[str, jax.Array],
    key: jax.Array,
    geometry: tuple[Matrix, ...],
    colours: tuple[Colour, ...],
    side: int | None = None,
) -> dict[str, jax.Array]:
    """Applies one draw of every operation to the arrays of one example.

    Args:
      arrays: `image [H, W, C] float32 in [0, 1]` and any of `fov [H, W] uint8`,
        `vessels [H, W, 3] uint8`, `map [h, w] uint8`, `bad [h, w] uint8`,
        `cause [h, w] uint8`. Maps are taken through
        the same geometry; where nothing was seen they become 0 (background).
      key: this example's key.
      geometry: matrices to multiply, first one first.
      colours: colour operations, in order; black outside the field stays black.
      side: pixels of the result where a `patch` is among them.

    Returns:
      The same keys, dtypes and, without a patch, shapes.
    """
    keys = jax.random.split(key, len(geometry) + len(colours) + 1)
    out = dict(arrays)
    size = arrays["image"].shape[0]
    if geometry:
        matrix = jnp.eye(3)
        for draw, k in zip(geometry, keys, strict=False):
            # HIGHEST: a 3 x 3 product rounded to bfloat16 would bend the picture.
            matrix = jnp.matmul(draw(k), matrix, precision=jax.lax.Precision.HIGHEST)
        out["image"] = warp(out["image"], matrix, side=side)
        for name in ("fov", "map", "bad", "cause"):
            if name in out:
                at = (
                    side if name == "fov" or not side else max(1, out[name].shape[0] * side // size)
                )
                out[name] = warp(out[name][..., None], matrix, nearest=True, side=at)[..., 0]
        if "vessels" in out:
            soft = out["vessels"].astype(out["image"].dtype)
            out["vessels"] = jnp.round(warp(soft, matrix, side=side)).astype(jnp.uint8)
    if colours:
        image = out["image"]
        for change, k in zip(colours, keys[len(geometry) :], strict=False):
            image = change(k, image)
        seen = out["fov"] > 0 if "fov" in out else jnp.any(out["image"] > 0, -1)
        out["image"] = jnp.where(seen[..., None], jnp.clip(image, 0.0, 1.0), 0.0)
    return out
