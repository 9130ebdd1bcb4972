"""What every degradation acts on and what it gives back."""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from input_pipeline.synthetic import fields

Apply = Callable[[np.ndarray, Sequence[int]], np.ndarray]


@dataclasses.dataclass(frozen=True)
class Scene:
    """What the degradations need to know of the photograph. Computed once."""

    side: int
    fov: np.ndarray  # [S, S] bool
    colour: np.ndarray  # [3] float32, mean grey levels inside the field
    y: np.ndarray  # [S, 1] float32, rows in half sides from the middle of the field
    x: np.ndarray  # [1, S] float32


@dataclasses.dataclass(frozen=True)
class Effect:
    """A degradation made ready for one photograph."""

    apply: Apply  # (picture [S, S, C] float32 grey levels, its channels of RGB) -> the same
    where: np.ndarray  # [S, S] float32, local severity in [0, 1], 0 outside the field
    sigma: float = 0.0  # standard deviation of noise that is added after `apply`, grey levels
    lossy: bool = False  # what `apply` changes counts as noise (compression)


def scene_of(image: np.ndarray, fov: np.ndarray) -> Scene:
    """Measures a photograph [S, S, 3] uint8 with field [S, S] uint8."""
    inside = fov > 0
    if not inside.any():
        raise ValueError("the field of view is empty: nothing to degrade")
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    y, x = fields.axes(len(image))
    middle = y[[rows[0], rows[-1]], 0].mean(), x[0, [columns[0], columns[-1]]].mean()
    colour = image[inside].mean(0).astype(np.float32)
    return Scene(len(image), inside, colour, y - middle[0], x - middle[1])


def region(rng: np.random.Generator, scene: Scene, area: float, soft: float = 0.25) -> np.ndarray:
    """A part of the field: a side of it, its rim, or patches.

    Args:
      rng: source of randomness.
      scene: the photograph.
      area: share of the field that lies inside the region.
      soft: width of the edge, in half sides.

    Returns:
      [S, S] float32 in [0, 1], 0 outside the field; `area` of the field is above 0.5.
    """
    shape = rng.choice(3, p=(0.45, 0.2, 0.35))
    phi = rng.uniform(0, 2 * np.pi)
    if shape == 0:  # one side, with a curved border
        far = rng.uniform(1.2, 3.0)
        height = np.hypot(scene.y - far * np.sin(phi), scene.x - far * np.cos(phi))
    elif shape == 1:  # the rim, off centre
        off = rng.uniform(0, 0.35)
        height = np.hypot(scene.y - off * np.sin(phi), scene.x - off * np.cos(phi))
    else:
        height = 0.5 * fields.smooth(rng, scene.side, rng.uniform(2.0, 4.0))
    height = height + 0.06 * fields.smooth(rng, scene.side, 6)
    border = np.quantile(height[scene.fov], 1 - area)
    # the edge may be no wider than lets the middle of the region come near 1
    width = min(0.25 * soft, max(float(height[scene.fov].max() - border), 0.02) / 3)
    inside = 1 / (1 + np.exp(-np.clip((height - border) / width, -30, 30)))
    return (inside * scene.fov).astype(np.float32)


def blend(picture: np.ndarray, towards: np.ndarray | float, share: np.ndarray) -> np.ndarray:
    """picture + share * (towards - picture), share [S, S] or [S, S, 1]."""
    share = share[..., None] if share.ndim == 2 else share
    return picture + share * (towards - picture)
