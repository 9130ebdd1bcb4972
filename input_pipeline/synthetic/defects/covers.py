"""Things between camera and retina: lid, lashes, a blink that cut the picture."""

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from input_pipeline.synthetic import fields, raster
from input_pipeline.synthetic.defects.defect import Base, Defect

DEPTHS = (0.0015, 0.006, 0.016)  # blur of a lash in focus, near it and far from it / side


def veiled(where: np.ndarray, colour: np.ndarray) -> Defect:
    """A thing of opacity `where` [S, S] and light `colour` [3] or [S, S, 3]."""
    share = where.astype(np.float32)[..., None]

    def light(picture: np.ndarray, channels: Sequence[int]) -> np.ndarray:
        return picture + share * (colour[..., list(channels)] - picture)

    return Defect(where.astype(np.float32), light, opacity=where.astype(np.float32))


def _strands(
    rng: np.random.Generator, side: int, edge: np.ndarray, below: bool, count: int, long: float
) -> np.ndarray:
    """Coverage [S, S] of lashes that rise from a border.

    Args:
      rng: source of randomness; side: pixels.
      edge: [S] row of the border at every column; below: it is the lower one.
      count: lashes; long: their length in pixels.
    """
    sign = -1.0 if below else 1.0
    chains = []
    for _ in range(count):
        root = rng.uniform(0.05, 0.95) * side
        lean, curl = rng.normal(0, 0.3) + 0.7 * (root / side - 0.5), rng.normal(0, 0.3)
        reach, thick = long * rng.uniform(0.5, 1.2), rng.uniform(0.0025, 0.006) * side
        for branch in range(1 + (rng.random() < 0.35)):  # lashes stick together in tufts
            t = np.linspace(0, 1, 14)
            bend = lean + branch * rng.normal(0, 0.18)
            x = root + reach * (bend * t + curl * t**2)
            y = edge[int(root)] + sign * (reach * t - 3)
            width = np.maximum(thick * (1 - 0.85 * t), 0.35)
            chains.append((np.stack([x, y], 1), width, np.ones(len(t))))
    return raster.paint(chains, side).cover


def _border(base: Base, rng: np.random.Generator, share: float, below: bool) -> np.ndarray:
    """Row [S] of a curved border that cuts off about `share` of the field's height."""
    rows = np.flatnonzero(base.scene.fov.any(1))
    top, height = float(rows[0]), float(rows[-1] - rows[0])
    x = base.scene.x[0]
    curve = rng.uniform(-0.25, 0.15) * (x - rng.uniform(-0.4, 0.4)) ** 2
    tilt = rng.normal(0, 0.12) * x
    level = np.clip(share + curve + tilt, -0.1, 1.1) * height
    return (top + height - level) if below else (top + level)


def lid(base: Base, severity: float, rng: np.random.Generator) -> Defect:
    """The edge of a lid with its skin, lit or in the dark, out of focus; often with lashes."""
    scene, side = base.scene, base.scene.side
    below = bool(rng.random() < 0.6)
    edge = _border(base, rng, 0.08 + 0.45 * severity * rng.uniform(0.6, 1.1), below)
    row = np.arange(side, dtype=np.float32)[:, None]
    inside = (row > edge[None, :]) if below else (row < edge[None, :])
    where = ndimage.gaussian_filter(inside.astype(np.float32), rng.uniform(0.008, 0.05) * side)
    skin = np.array([0.42, 0.2, 0.13], np.float32) * rng.uniform(0.6, 1.4)
    look = rng.random()
    if look < 0.3:  # out of the light
        skin = skin * rng.uniform(0.02, 0.15)
    elif look < 0.65:  # whitened by the flash, which is near
        skin = np.array([1.0, 0.9, 0.78], np.float32) * rng.uniform(0.6, 2.0)
    pores = fields.smooth(rng, side, 90) * 0.10 + fields.smooth(rng, side, 30) * 0.10
    folds = 0.15 * np.sin(60 * (row / side) + 2 * fields.smooth(rng, side, 4))
    relief = np.exp(pores + folds * rng.uniform(0, 1) + 0.25 * fields.smooth(rng, side, 3))
    near = np.abs(row - edge[None, :]) / side
    shade = 1 - 0.35 * np.exp(-((near / 0.05) ** 2))
    texture: np.ndarray = (relief * shade)[..., None].astype(np.float32) * skin
    if rng.random() < 0.7:
        lashes = _strands(rng, side, edge, below, int(rng.integers(8, 30)), 0.22 * side)
        sigma = DEPTHS[rng.integers(3)] * side
        soft = np.clip(1.2 * ndimage.gaussian_filter(lashes, sigma), 0, 1)
        texture = np.minimum(texture, 1.3) * (1 - 0.93 * soft[..., None])
        where = np.maximum(where, soft * rng.uniform(0.4, 0.95))
    return veiled(np.clip(where, 0, 1) * scene.fov, texture.astype(np.float32))


def lashes(base: Base, severity: float, rng: np.random.Generator) -> Defect:
    """Lashes over the retina at one of three depths of focus, dark or lit by the flash."""
    scene, side = base.scene, base.scene.side
    below = bool(rng.random() < 0.65)
    edge = _border(base, rng, 0.0, below)
    count = int(8 + 50 * severity * rng.uniform(0.6, 1.2))
    long = side * (0.2 + 0.45 * severity) * rng.uniform(0.7, 1.2)
    cover = _strands(rng, side, edge, below, count, long)
    depth = int(rng.integers(3))
    thick = ndimage.maximum_filter(cover, 1 + 2 * round(DEPTHS[depth] * side * 0.3))
    soft = ndimage.gaussian_filter(thick, DEPTHS[depth] * side)
    opacity = np.clip((1.2, 1.7, 2.6)[depth] * soft, 0, 1) * np.clip(0.45 + 0.6 * severity, 0, 0.97)
    colour: np.ndarray = base.mean * rng.uniform(0.02, 0.2)
    if rng.random() < 0.25:
        colour = np.array([0.4, 0.24, 0.18], np.float32) * rng.uniform(0.2, 0.8)
    return veiled(opacity * scene.fov, colour.astype(np.float32))


def cut_frame(base: Base, severity: float, rng: np.random.Generator) -> Defect:
    """A frame of which a part never arrived: black, grey, or the row before it over and over."""
    scene, side = base.scene, base.scene.side
    share = 0.1 + 0.55 * severity
    axis = int(rng.random() < 0.25)
    first = bool(rng.random() < 0.5)
    line = np.arange(side) / side
    gone = (line < share) if first else (line > 1 - share)
    mask = np.broadcast_to(gone[:, None] if axis == 0 else gone[None, :], (side, side))
    where = (mask & scene.fov).astype(np.float32)
    style = int(rng.integers(3))
    grey = np.full((side, side, 3), (0.0, 128.0, 0.0)[style], np.float32)
    if style == 2:
        at = int(np.flatnonzero(gone)[-1] + 1 if first else np.flatnonzero(gone)[0] - 1)
        at = min(max(at, 0), side - 1)
        line_of = base.image[at] if axis == 0 else base.image[:, at]
        grey += line_of[None] if axis == 0 else line_of[:, None]
    return Defect(where, stamp=(where, grey))
