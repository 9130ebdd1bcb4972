"""One good photograph, one or several defects: the photograph that comes of it, and the truth."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from input_pipeline.synthetic import effects, truth
from input_pipeline.synthetic.defects import (
    compression,
    linear_light,
    noise_floor,
    render,
    visibility,
)
from input_pipeline.synthetic.defects.defect import CAUSES, GREEN, Base, Defect
from input_pipeline.synthetic.defects.kinds import CONTROLS, KINDS
from input_pipeline.synthetic.effects import region

CELL = 16  # pixels
NONE = -1  # no cause


@dataclasses.dataclass(frozen=True)
class Prepared:
    """A good photograph made ready, and what can be measured in it before anything happens."""

    base: Base
    before: tuple[np.ndarray, np.ndarray, np.ndarray]  # see `visibility.measured`


@dataclasses.dataclass(frozen=True)
class Item:
    """One defect of a photograph."""

    kind: str  # key of `KINDS` or `CONTROLS`
    severity: float  # in [0, 1]
    seed: int  # where and in which shape
    area: float = 1.0  # share of the field where a kind acts that acts everywhere by nature


@dataclasses.dataclass(frozen=True)
class Degraded:
    """A degraded photograph and what can be seen in it. h = w = S // cells."""

    image: np.ndarray  # [S, S, 3] uint8, black outside the field
    visibility: np.ndarray  # [h, w] float32 in [0, 1], nan outside the field
    contrast: np.ndarray  # [h, w] float32 in [0, 1]: share of contrast left, noise not counted
    cause: np.ndarray  # [h, w] int8, index into `CAUSES` where v < 0.6, else -1
    mask: np.ndarray  # [S, S] uint8, local severity, 255 is 1


def prepare(
    image: np.ndarray, fov: np.ndarray, vessels: np.ndarray | None = None, cells: int = CELL
) -> Prepared:
    """Measures a good photograph once for any number of defects.

    Args:
      image: [S, S, 3] uint8.
      fov: [S, S] uint8, 1 inside the field.
      vessels: [S, S] or [S, S, 3] uint8 coverage 0..255 (the last channel counts), or None: then
        every cell gets a probe.
      cells: edge of a cell of the truth in pixels.

    Raises:
      ValueError: shapes or types that do not fit, an empty field, cells that do not fit.
    """
    side = image.shape[0]
    if image.shape != (side, side, 3) or image.dtype != np.uint8 or fov.shape != (side, side):
        raise ValueError(
            f"expected image [S, S, 3] uint8 and fov [S, S], got {image.shape} {image.dtype} "
            f"and {fov.shape}: read photographs by read_photo"
        )
    if not 4 <= cells <= side:
        raise ValueError(f"cells of {cells} pixels do not fit a side of {side}: give 4..{side}")
    scene = effects.scene_of(image, fov)
    floor = noise_floor.measure(image, scene.fov)
    grey = noise_floor.beneath(image, floor)
    still = linear_light.decode(grey)
    green = still[..., GREEN]
    cover: np.ndarray = np.zeros((side, side), np.float32)
    without: np.ndarray = green
    if vessels is not None:
        wide = vessels[..., -1] if vessels.ndim == 3 else vessels
        cover = wide.astype(np.float32) / 255
        filled = truth.remove_vessels(grey[..., GREEN:2].round().astype(np.uint8), wide, fov)
        changed = ndimage.maximum_filter(wide > 30, 5)
        without = np.where(changed, linear_light.decode(filled[..., 0]), green)
    seen, at = visibility.probe(green, without, cover, scene.fov, cells)
    free = (ndimage.maximum_filter(np.maximum(cover, at), 3) < 0.05) & scene.fov
    base = Base(
        image=image,
        scene=scene,
        light=linear_light.decode(image),
        still=still,
        seen=seen,
        bare=without,
        at=at,
        free=free,
        floor=floor,
        quality=compression.quality_of(image),
        cells=cells,
        disc=_disc(grey, scene),
    )
    way = render.Way(base, ())
    return Prepared(base, visibility.measured(way, seen, without, np.random.default_rng(0)))


def _disc(grey: np.ndarray, scene: effects.Scene) -> tuple[float, float, float]:
    """Row, column and radius in half sides of the brightest spot as large as an optic disc."""
    radius = 0.13
    inside = scene.fov[::4, ::4].astype(np.float32)
    small = (grey[::4, ::4, 0] + 2 * grey[::4, ::4, 1]) * inside
    near, far = (
        ndimage.gaussian_filter(small, sigma)
        / np.maximum(ndimage.gaussian_filter(inside, sigma), 0.1)
        for sigma in (radius * scene.side / 16, radius * scene.side / 3)
    )
    spot = np.log((near + 1) / (far + 1))
    deep = ndimage.binary_erosion(inside > 0, iterations=max(1, scene.side // 45))
    row, column = np.unravel_index(np.argmax(np.where(deep, spot, -np.inf)), spot.shape)
    return float(scene.y[4 * row, 0]), float(scene.x[0, 4 * column]), radius


def apply(prepared: Prepared, plan: Sequence[Item], seed: int) -> Degraded:
    """Does things to a photograph and says what can still be seen.

    Args:
      prepared: the good photograph, see `prepare`.
      plan: what happens, in the order in which light meets it. Empty: the same photograph, saved
        again.
      seed: of the noise.

    Raises:
      ValueError: a kind that does not exist, a severity or an area out of range.
    """
    base = prepared.base
    defects = [_made(base, item) for item in plan]
    way = render.Way(base, tuple(defects))
    stack = np.stack([base.still[..., GREEN], base.seen, base.bare], -1)
    lit = way.light(np.concatenate([base.light, stack], -1), (0, 1, 2, GREEN, GREEN, GREEN))
    one, two = np.random.SeedSequence(seed).spawn(2)
    image = render.photograph(way, lit[..., :3], lit[..., 3], np.random.default_rng(one))
    after = visibility.measured(way, lit[..., 4], lit[..., 5], np.random.default_rng(two))
    count = truth.pool(base.scene.fov.astype(np.float32), base.cells)
    inside = count >= base.cells**2 / 2
    seen, share = visibility.of(prepared.before, after, inside)
    return Degraded(image, seen, share, _causes(base, plan, defects, seen), _mask(base, defects))


def degrade(
    image: np.ndarray,
    fov: np.ndarray,
    vessels: np.ndarray | None,
    kind: str,
    severity: float,
    seed: int,
    area: float = 1.0,
) -> Degraded:
    """One defect on one photograph: `prepare` and `apply` in a row.

    Args:
      image, fov, vessels: see `prepare`.
      kind: key of `KINDS` or `CONTROLS`.
      severity: in [0, 1]; about the share of visibility that is lost where it acts most.
      seed: decides where and in which shape, and the noise.
      area: share of the field where a kind acts that acts everywhere by nature.
    """
    return apply(prepare(image, fov, vessels), [Item(kind, severity, seed, area)], seed)


def _made(base: Base, item: Item) -> Defect:
    kind = KINDS.get(item.kind) or CONTROLS.get(item.kind)
    if kind is None:
        raise ValueError(f"defect {item.kind!r} is none of {sorted({**KINDS, **CONTROLS})}")
    if not (0 <= item.severity <= 1 and 0 < item.area <= 1):
        raise ValueError(
            f"{item.kind}: severity {item.severity} must lie in [0, 1], area {item.area} in (0, 1]"
        )
    shape, place = np.random.SeedSequence(item.seed).spawn(2)
    made = kind.make(base, item.severity, np.random.default_rng(shape))
    if kind.local or item.area == 1:
        return made
    extent = region(np.random.default_rng(place), base.scene, item.area, 0.2)
    return dataclasses.replace(made, extent=extent, where=made.where * extent)


def _causes(
    base: Base, plan: Sequence[Item], defects: Sequence[Defect], seen: np.ndarray
) -> np.ndarray:
    """[h, w] int8: the cause of the kind that is strongest in each cell that is not good."""
    out = np.full(seen.shape, NONE, np.int8)
    names = [(KINDS[item.kind].cause if item.kind in KINDS else "") for item in plan]
    if not any(names):
        return out
    strength = np.stack(
        [
            visibility.levels(base, one.where) if name else np.full(seen.shape, -1.0)
            for name, one in zip(names, defects, strict=True)
        ]
    )
    index = np.array([CAUSES.index(name) if name else NONE for name in names], np.int8)
    lost = np.nan_to_num(seen, nan=1.0) < truth.USABLE
    return np.where(lost, index[strength.argmax(0)], out).astype(np.int8)


def _mask(base: Base, defects: Sequence[Defect]) -> np.ndarray:
    left = np.ones(base.scene.fov.shape, np.float32)
    for one in defects:
        left = left * (1 - np.clip(one.where, 0, 1))
    return (255 * (1 - left) * base.scene.fov).round().astype(np.uint8)
