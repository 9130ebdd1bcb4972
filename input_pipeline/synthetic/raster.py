"""Paints vessels on a pixel grid: coverage, optical density and light reflex of every pixel."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from input_pipeline.synthetic.vascular_tree import Vessel


@dataclasses.dataclass(frozen=True)
class Tree:
    """All vessels of one kind on the pixel grid."""

    cover: np.ndarray  # [S, S] float32, share of the pixel that is vessel
    chord: np.ndarray  # [S, S] float32, mean of the relative path length sqrt(1 - (d / r)^2)
    radius: np.ndarray  # [S, S] float32, pixels, of the vessel that covers most; 0 where none
    offset: np.ndarray  # [S, S] float32, distance from its centre line / radius; 0 where none
    strength: np.ndarray  # [S, S] float32, factor on its optical density; 0 where none


def _resample(
    points: np.ndarray, values: np.ndarray, starts: np.ndarray, lengths: np.ndarray, pitch: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Catmull-Rom splines through many chains at once.

    Args:
      points: [n, 2] all chains after one another.
      values: [n, k] carried along linearly.
      starts: [c] first row of each chain.
      lengths: [c] rows of each chain, at least 2.
      pitch: distance between samples, in units of `points`.

    Returns:
      Samples [m, 2], unit tangents [m, 2] and values [m, k].
    """
    ends = starts + lengths - 1
    first = np.ones(len(points), bool)
    first[ends] = False
    b = np.flatnonzero(first)  # segment from row b to row b + 1
    c = b + 1
    opening, closing = np.zeros(len(points), bool), np.zeros(len(points), bool)
    opening[starts], closing[ends] = True, True
    before = np.where(opening[b], b, b - 1)
    after = np.where(closing[c], c, np.minimum(c + 1, len(points) - 1))
    span = np.hypot(*(points[c] - points[b]).T)
    count = np.maximum(1, np.ceil(span / pitch)).astype(int)
    which = np.repeat(np.arange(len(b)), count)
    order = np.arange(len(which)) - np.repeat(np.cumsum(count) - count, count)
    t = ((order + 0.5) / count[which])[:, None]
    p0, p1, p2, p3 = (points[i][which] for i in (before, b, c, after))
    curve = 0.5 * (
        2 * p1
        + (p2 - p0) * t
        + (2 * p0 - 5 * p1 + 4 * p2 - p3) * t**2
        + (3 * p1 - p0 - 3 * p2 + p3) * t**3
    )
    slope = (
        (p2 - p0) + 2 * (2 * p0 - 5 * p1 + 4 * p2 - p3) * t + 3 * (3 * p1 - p0 - 3 * p2 + p3) * t**2
    )
    slope /= np.maximum(np.hypot(*slope.T), 1e-9)[:, None]
    return curve, slope, values[b][which] * (1 - t) + values[c][which] * t


def _box(d: np.ndarray, r: np.ndarray) -> np.ndarray:
    """Coverage of a pixel at distance d from the centre line of a strip of half-width r."""
    return np.clip(d + 0.5, -r, r) - np.clip(d - 0.5, -r, r)


def _half_disc(x: np.ndarray, r: np.ndarray) -> np.ndarray:
    """Integral from 0 to x of sqrt(1 - (t / r)^2)."""
    u = np.clip(x / r, -1, 1)
    return 0.5 * r * (u * np.sqrt(1 - u * u) + np.arcsin(u))


def paint(chains: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]], side: int) -> Tree:
    """Paints vessels of one kind.

    The profile across a vessel is that of a cylinder of blood, averaged over the pixel: chord
    length in closed form, so that vessels thinner than a pixel fade instead of breaking up.

    Args:
      chains: for each vessel points [n, 2] (x, y) in pixels (0 is the middle of the first pixel),
        radius [n] in pixels and strength [n] (factor on optical density).
      side: pixels.

    Returns:
      Tree. Where vessels overlap the one that covers more of the pixel counts.
    """
    size = side * side
    cover = np.zeros(size, np.float32)
    winner = np.zeros(size, np.int64)
    chains = [chain for chain in chains if len(chain[0]) > 1]
    if not chains:
        blank = np.zeros((side, side), np.float32)
        return Tree(blank, blank, blank, blank, blank)
    lengths = np.array([len(chain[0]) for chain in chains])
    points = np.concatenate([chain[0] for chain in chains])
    values = np.stack([np.concatenate([chain[k] for chain in chains]) for k in (1, 2)], 1)
    at, tangent, carried = _resample(points, values, np.cumsum(lengths) - lengths, lengths, 0.5)
    radius = carried[:, 0].astype(np.float32)
    reach = np.ceil(radius + 0.5).astype(int)
    hits: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    for k in range(1, int(reach.max()) + 1):
        mine = np.flatnonzero(reach == k)
        if not len(mine):
            continue
        corner = np.round(at[mine]).astype(int)
        step = np.arange(-k, k + 1)
        x = corner[:, 0, None, None] + step[None, None, :]
        y = corner[:, 1, None, None] + step[None, :, None]
        dx = (x - at[mine, 0, None, None]).astype(np.float32)
        dy = (y - at[mine, 1, None, None]).astype(np.float32)
        tx, ty = (tangent[mine, i, None, None].astype(np.float32) for i in (0, 1))
        d = np.abs(dx * ty - dy * tx)  # from the centre line, not from the sample on it
        beside = np.abs(dx * tx + dy * ty) < 0.6
        r = np.broadcast_to(radius[mine][:, None, None], d.shape)
        here = _box(d, r)
        good = beside & (here > 0.02) & (x >= 0) & (x < side) & (y >= 0) & (y < side)
        flat = (y * side + x)[good]
        sample = np.broadcast_to(mine[:, None, None], d.shape)[good]
        np.maximum.at(cover, flat, here[good])
        hits.append((flat, here[good], sample))
    for flat, here, sample in hits:
        best = here >= cover[flat]
        winner[flat[best]] = sample[best]
    seen = cover > 0
    sample = winner[seen]
    yx = np.flatnonzero(seen)
    dx, dy = yx % side - at[sample, 0], yx // side - at[sample, 1]
    d = np.abs(dx * tangent[sample, 1] - dy * tangent[sample, 0]).astype(np.float32)
    r = np.maximum(radius[sample], 0.05)
    chord = _half_disc(d + 0.5, r) - _half_disc(d - 0.5, r)

    def spread(values: np.ndarray) -> np.ndarray:
        out = np.zeros(size, np.float32)
        out[seen] = values
        return out.reshape(side, side)

    strength = carried[sample, 1].astype(np.float32)
    return Tree(
        cover.reshape(side, side), spread(chord), spread(r), spread(d / r), spread(strength)
    )


def to_chains(
    vessels: Sequence[Vessel],
    artery: bool,
    mirror: float,
    centre: tuple[float, float],
    scale: float,
    side: int,
    strength: Sequence[float],
) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Vessels of one kind in pixels.

    Args:
      vessels: from `vessels.grow`, in degrees of a right eye.
      artery: which kind.
      mirror: 1 for a right eye, -1 for a left one.
      centre: (x, y) in degrees at the photograph's middle.
      scale: pixels per degree.
      side: pixels.
      strength: one factor on optical density per vessel.

    Returns:
      Chains as `paint` takes them.
    """
    out = []
    middle = side / 2 - 0.5
    for vessel, factor in zip(vessels, strength, strict=True):
        if vessel.artery == artery:
            points = (vessel.points - np.array(centre)) * np.array([mirror, 1.0]) * scale + middle
            fade = np.full(len(points), factor)
            if vessel.parent < 0:  # it rises from the depth of the disc
                fade[:4] *= (0.45, 0.65, 0.85, 0.95)[: len(fade)]
            out.append((points, vessel.radius * scale, fade))
    return out
