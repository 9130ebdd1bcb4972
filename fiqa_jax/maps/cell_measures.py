"""What can be measured of a cell by hand: fine detail, noise, ridges, light, colour.

Detail alone does not tell a vessel from noise, a lash or a letter. So every energy stands beside
the local mean (Weber), beside the noise floor, beside its like at other scales (slope of the
spectrum) and beside the other colours (noise differs between them, vessels do not); and beside the
same photograph's other cells, so that a camera's gain drops out.

A pyramid of four levels, each half as large; level l sees structures of about 2^l pixels at
512 px. Ridges: eigenvalues of the Hessian (Sato et al., Med. Image Anal. 2:143, 1998);
bright lines have them on either side. Coherence: structure tensor (Weickert, 1998). Noise: diagonal
differences of 2 x 2 pixels.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

LEVELS = 4
TINY = 1e-3
Floats = NDArray[np.float32]

LEVEL_NAMES = (
    "weber",
    "over_noise",
    "ridge_weber",
    "ridge_share",
    "peak",
    "coherence",
    "agreement",
)
PLAIN_NAMES = (
    *("noise", "noise_weber", "noise_red", "flat", "steps"),
    *("mean_red", "mean_green", "mean_blue", "red_green", "blue_green", "spread", "spread_weber"),
    *("bright", "dark", "lowest_blue", "radius", "to_rim", "inside"),
)
SLOPES = tuple(f"slope_{k}{k + 1}" for k in range(LEVELS - 1))
OWN = tuple(f"{name}_{k}" for k in range(LEVELS) for name in LEVEL_NAMES) + PLAIN_NAMES + SLOPES
# those that are also compared with the neighbours and with the rest of the photograph
COMPARED = (
    *(f"{name}_{k}" for name in ("weber", "over_noise", "ridge_weber") for k in range(LEVELS)),
    *("agreement_0", "agreement_1", "coherence_1", "noise", "mean_green", "red_green"),
    *("blue_green", "spread_weber", "slope_01", "slope_12"),
)
NAMES = (
    OWN
    + tuple(f"{name}, near" for name in COMPARED)
    + tuple(f"{name}, around" for name in COMPARED)
    + tuple(f"{name}, to median" for name in COMPARED)
)


def measures(image: NDArray[np.uint8], fov: NDArray[np.uint8], cell: int = 16) -> Floats:
    """Numbers of every cell.

    Args:
      image: `[S, S, 3] uint8`; S and `cell` divisible by 8.
      fov: `[S, S] uint8`, 1 inside the field.
      cell: edge of a cell in pixels.

    Returns:
      `[S // cell, S // cell, len(NAMES)] float32`, 0 in cells that touch no field.

    Raises:
      ValueError: a size that the pyramid does not divide.
    """
    side = image.shape[0]
    if side % cell or cell % 2 ** (LEVELS - 1):
        raise ValueError(f"side {side} and cell {cell} must be multiples of 8, side of the cell")
    inside = fov > 0
    weight = inside.astype(np.float32)
    share = _pool(weight, cell)
    picture = _filled(image.astype(np.float32), weight)
    noise = _noise(picture, weight, cell)
    columns: dict[str, Floats] = {}
    mean = np.stack([_mean(picture[..., k], weight, cell) for k in range(3)], -1)
    red_green = picture[..., :2]
    for level in range(LEVELS):
        columns |= _level(red_green, weight, level, cell >> level, mean[..., 1], noise[..., 1])
        red_green, weight = _halved(red_green), _halved(weight[..., None])[..., 0]
    columns |= _plain(picture, inside, share, mean, noise, cell)
    for k in range(LEVELS - 1):
        columns[f"slope_{k}{k + 1}"] = columns[f"weber_{k}"] - columns[f"weber_{k + 1}"]
    own = np.stack([columns[name] for name in OWN], -1) * (share > 0)[..., None]
    some = own[..., [OWN.index(name) for name in COMPARED]]
    known = (share >= 0.5).astype(np.float32)[..., None]
    near, around = (_smoothed(some, known, width) for width in (3, 9))
    middle = np.median(some[known[..., 0] > 0], 0) if known.any() else np.zeros(some.shape[-1])
    out = np.concatenate([own, near, around, some - middle.astype(np.float32)], -1)
    return np.where((share > 0)[..., None], out, 0).astype(np.float32)


def _pool(values: Floats, cell: int) -> Floats:
    """Means over cells, of `[S, S]`."""
    n = values.shape[0] // cell
    return values[: n * cell, : n * cell].reshape(n, cell, n, cell).mean((1, 3))


def _mean(values: Floats, weight: Floats, cell: int) -> Floats:
    mean = _pool(values * weight, cell) / np.maximum(_pool(weight, cell), TINY)
    return mean.astype(np.float32)


def _halved(picture: Floats) -> Floats:
    n = picture.shape[0] // 2
    return picture[: 2 * n, : 2 * n].reshape(n, 2, n, 2, -1).mean((1, 3))


def _filled(picture: Floats, weight: Floats) -> Floats:
    """The picture, its outside continued from the rim: else the rim is its strongest edge."""
    sums = ndimage.uniform_filter(picture * weight[..., None], (25, 25, 0), mode="nearest")
    total = ndimage.uniform_filter(weight, 25, mode="nearest")
    mean = sums / np.maximum(total, 0.02)[..., None]
    filled: Floats = np.where(weight[..., None] > 0, picture, mean).astype(np.float32)
    return filled


def _noise(picture: Floats, weight: Floats, cell: int) -> Floats:
    """Standard deviation `[h, w, 3]` of noise in each cell, grey levels."""
    quad = picture.reshape(picture.shape[0] // 2, 2, picture.shape[1] // 2, 2, 3)
    diagonal = np.abs(quad[:, 0, :, 0] - quad[:, 0, :, 1] - quad[:, 1, :, 0] + quad[:, 1, :, 1]) / 2
    n, half = picture.shape[0] // cell, cell // 2
    each = diagonal.reshape(n, half, n, half, 3).transpose(0, 2, 1, 3, 4).reshape(n, n, -1, 3)
    return (np.median(each, 2) / 0.6745 + 0.3).astype(np.float32)


def _level(
    picture: Floats, weight: Floats, level: int, cell: int, mean: Floats, noise: Floats
) -> dict[str, Floats]:
    """Detail of one level of the pyramid in green, and how far red has the same."""
    soft = ndimage.gaussian_filter(picture, (1, 1, 0))
    detail = ndimage.laplace(soft[..., 1])
    red = ndimage.laplace(soft[..., 0])
    inner = ndimage.minimum_filter(weight, 5) if level == 0 else weight
    inner = np.where(inner > 0.99, 1, TINY).astype(np.float32)
    power = _mean(detail**2, inner, cell)
    rows, columns = np.gradient(soft[..., 1])
    yy, yx = np.gradient(rows)
    xx = np.gradient(columns, axis=1)
    root = np.sqrt(((yy - xx) / 2) ** 2 + yx**2)
    ridge = np.maximum((yy + xx) / 2 + root, 0) - np.abs((yy + xx) / 2 - root)
    ridge = _mean(np.maximum(ridge, 0), inner, cell)
    size = np.sqrt(power)
    a, b, c = (_mean(x, inner, cell) for x in (rows**2, columns**2, rows * columns))
    a, b, c = (ndimage.uniform_filter(x, 3, mode="nearest") for x in (a, b, c))
    cross = _mean(red * detail, inner, cell) / np.sqrt(
        np.maximum(_mean(red**2, inner, cell) * power, TINY**2)
    )
    n = detail.shape[0] // cell
    strong = np.abs(detail * (inner > 0.5))[: n * cell, : n * cell]
    peak = strong.reshape(n, cell, n, cell).max((1, 3))
    white = noise * 0.35 / 2**level  # a level's answer to white noise of deviation 1, about
    values = (
        np.log(size / (mean + 4) + TINY),
        np.log((size + TINY) / (white + TINY)),
        np.log(ridge / (mean + 4) + TINY),
        ridge / (size + 0.05),
        np.log((peak + TINY) / (size + TINY)),
        np.sqrt((a - b) ** 2 + 4 * c**2) / (a + b + TINY),
        np.where(np.isfinite(cross), cross, 0),
    )
    return {f"{k}_{level}": v.astype(np.float32) for k, v in zip(LEVEL_NAMES, values, strict=True)}


def _plain(
    picture: Floats,
    inside: NDArray[np.bool_],
    share: Floats,
    mean: Floats,
    noise: Floats,
    cell: int,
) -> dict[str, Floats]:
    """Noise, level, colour, clipping and place of every cell."""
    weight = inside.astype(np.float32)
    green = picture[..., 1]
    spread = np.sqrt(np.maximum(_mean(green**2, weight, cell) - mean[..., 1] ** 2, 0))
    flat = np.zeros_like(green)
    flat[:, 1:] = np.abs(np.diff(green, axis=1)) < 0.5
    steps = np.zeros_like(green)
    steps[:, 1:] = np.abs(np.diff(green, axis=1)) > 12
    top = picture.max(-1)
    distance = ndimage.distance_transform_edt(np.pad(inside[::4, ::4], 1))[1:-1, 1:-1]
    y, x = np.nonzero(inside[::4, ::4])
    middle = (y.mean(), x.mean()) if len(y) else (0.0, 0.0)
    reach = max(float(distance.max()), 1.0)
    rows, columns = np.indices(distance.shape, np.float32)
    radius = np.hypot(rows - middle[0], columns - middle[1]) / reach
    n = cell // 4
    values = (
        np.log(noise[..., 1]),
        np.log(noise[..., 1] / (mean[..., 1] + 4)),
        np.log(noise[..., 0]),
        _mean(flat, weight, cell),
        _mean(steps, weight, cell),
        *(np.log(mean[..., k] + 4) for k in range(3)),
        np.log((mean[..., 0] + 4) / (mean[..., 1] + 4)),
        np.log((mean[..., 2] + 4) / (mean[..., 1] + 4)),
        np.log(spread + 0.3),
        np.log((spread + 0.3) / (mean[..., 1] + 4)),
        _mean((top > 250).astype(np.float32), weight, cell),
        _mean((top < 12).astype(np.float32), weight, cell),
        np.log(_lowest(picture[..., 2], cell) + 4),
        _pool(radius, n),
        _pool((distance / reach).astype(np.float32), n),
        share,
    )
    return {name: v.astype(np.float32) for name, v in zip(PLAIN_NAMES, values, strict=True)}


def _lowest(values: Floats, cell: int) -> Floats:
    n = values.shape[0] // cell
    return values[: n * cell, : n * cell].reshape(n, cell, n, cell).min((1, 3))


def _smoothed(values: Floats, known: Floats, width: int) -> Floats:
    sums = ndimage.uniform_filter(values * known, (width, width, 0), mode="constant")
    total = ndimage.uniform_filter(known, (width, width, 0), mode="constant")
    return sums / np.maximum(total, TINY)
