"""Where a patch is: learnt tables resized to other grids, sines and cosines, rotary angles."""

import numpy as np

ROPE_BASE = 100.0  # DINOv3's; lower than language models' because coordinates lie in [-1, 1]


def resized(table: np.ndarray, grid: int, shape: tuple[int, int], antialias: bool) -> np.ndarray:
    """A learnt table for another grid, by PyTorch's bicubic resampling (align_corners off).

    Args:
      table: `[grid * grid, C]` float array, numpy or JAX, in reading order.
      grid: rows and columns it was learnt for.
      shape: rows and columns wanted.
      antialias: as PyTorch's argument of that name; it also changes the kernel's constant.

    Returns:
      `[rows * columns, C]`.
    """
    if shape == (grid, grid):
        return table
    rows, columns = (cubic_weights(grid, n, antialias).astype(table.dtype) for n in shape)
    channels = table.shape[-1]
    down = rows @ table.reshape(grid, grid * channels)
    down = down.reshape(shape[0], grid, channels).transpose(1, 0, 2).reshape(grid, -1)
    across = (columns @ down).reshape(shape[1], shape[0], channels)
    return across.transpose(1, 0, 2).reshape(-1, channels)


def cubic_weights(size: int, wanted: int, antialias: bool) -> np.ndarray:
    """`[wanted, size] float64`: each new sample as weights of the old ones; rows sum to 1.

    Keys's cubic (1981) at half-pixel centres. PyTorch takes a = -0.75 and repeats the border;
    with antialiasing a = -0.5, a kernel stretched by the reduction, and weights that stop at the
    border and are normalised.
    """
    scale = size / wanted
    stretch = max(scale, 1.0) if antialias else 1.0
    a = -0.5 if antialias else -0.75
    centre = (np.arange(wanted) + 0.5) * scale - 0.5
    reach = int(np.ceil(2 * stretch)) + 1
    places = np.floor(centre)[:, None].astype(int) + np.arange(-reach, reach + 1)
    weights = _cubic((places - centre[:, None]) / stretch, a)
    if antialias:
        weights = np.where((places >= 0) & (places < size), weights, 0.0)
    out = np.zeros((wanted, size))
    rows = np.broadcast_to(np.arange(wanted)[:, None], places.shape)
    np.add.at(out, (rows, places.clip(0, size - 1)), weights)
    return out / out.sum(1, keepdims=True)


def _cubic(x: np.ndarray, a: float) -> np.ndarray:
    x = np.abs(x)
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = a * (((x - 5) * x + 8) * x - 4)
    return np.where(x <= 1, near, np.where(x < 2, far, 0.0))


def sines(shape: tuple[int, int], channels: int) -> np.ndarray:
    """Fixed table `[rows * columns, channels] float64` of He et al. 2022 (released code).

    Half of the channels tell the column, half the row; each half has sines, then cosines, of the
    index times 10000^-(k / (channels / 4)).

    Raises:
      ValueError: channels that do not divide by 4.
    """
    if channels % 4:
        raise ValueError(f"sines need channels that divide by 4, not {channels}")
    rate = 10000.0 ** -(np.arange(channels // 4) / (channels / 4))
    row, column = np.meshgrid(*(np.arange(n) for n in shape), indexing="ij")
    angles = [place.reshape(-1, 1) * rate for place in (column, row)]
    return np.concatenate([f(x) for x in angles for f in (np.sin, np.cos)], -1)


def rope_angles(shape: tuple[int, int], channels: int) -> np.ndarray:
    """Rotary angles `[rows * columns, channels] float64` of DINOv3 (released code).

    Coordinates of patch centres in [-1, 1], times 2 pi times 100^-(4 k / channels); a quarter of
    the channels for rows, a quarter for columns, then both again, for a rotation of halves.
    """
    rate = ROPE_BASE ** -(np.arange(channels // 4) / (channels / 4))
    axes = [(np.arange(n) + 0.5) / n * 2 - 1 for n in shape]
    place = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 2, 1)
    angles = (2 * np.pi * place * rate).reshape(len(place), -1)
    return np.tile(angles, 2)
