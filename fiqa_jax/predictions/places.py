"""How much of the field a map calls bad, and where, in words.

The place comes from the share of each region that is bad: the centre (half of the radius) and eight
parts of the rim. A mean position would call a blurred rim "centre".
"""

import numpy as np
from numpy.typing import NDArray

CENTRE = 0.5  # of the field's radius
NAMED = 0.5  # a region is named from this share of the worst region's on, and
AT_LEAST = 0.2  # from this share of its own area on, if any region is
ALL_OVER = 0.8  # of the field
# Clockwise from the right, 45 degrees each, rows growing downwards.
PARTS = (
    *("right", "lower right", "lower part", "lower left"),
    *("left", "upper left", "upper part", "upper right"),
)


def bad_area(
    quality_map: NDArray[np.floating], fov: NDArray[np.uint8] | None, threshold: float
) -> tuple[float, str]:
    """How much of the field of view is bad, and where.

    Args:
      quality_map: [h, w] float in [0, 1], 1 = bad.
      fov: [S, S] uint8, 1 inside the field; None: everything is inside.
      threshold: cells from here on count.

    Returns:
      (share of the field's cells in [0, 1], place in words: '' | 'all over' | 'centre' | 'rim' |
      parts of the rim such as 'upper left', joined by 'and'). NaN and '' where no cell lies inside.
    """
    h, w = quality_map.shape
    inside = np.ones((h, w), bool)
    if fov is not None:
        rows = ((np.arange(h) + 0.5) * fov.shape[0] / h).astype(np.int64)
        columns = ((np.arange(w) + 0.5) * fov.shape[1] / w).astype(np.int64)
        inside = fov[np.ix_(rows, columns)] > 0
    if not inside.any():
        return float("nan"), ""
    bad = inside & (quality_map >= threshold)
    share = float(bad.sum() / inside.sum())
    if not bad.any():
        return share, ""
    return share, "all over" if share > ALL_OVER else _place(bad, inside)


def by_cause(
    quality_map: NDArray[np.floating],
    causes: NDArray[np.floating],
    fov: NDArray[np.uint8] | None,
    threshold: float,
) -> list[tuple[int, float, str]]:
    """How much of the field each cause takes, and where: the largest first.

    Args:
      quality_map: [h, w] float in [0, 1], 1 = bad; threshold: cells from here on count.
      causes: [h, w, K] float, of every cell; the largest is its cause.
      fov: see `bad_area`.

    Returns:
      (index of the cause, share of the field's cells, place in words) of every cause with a cell.
    """
    most = causes.argmax(-1)
    out = []
    for cause in range(causes.shape[-1]):
        values = np.where(most == cause, quality_map, -1.0)
        share, place = bad_area(values, fov, threshold)
        if share > 0:
            out.append((cause, share, place))
    return sorted(out, key=lambda one: -one[1])


def _place(bad: NDArray[np.bool_], inside: NDArray[np.bool_]) -> str:
    h, w = bad.shape
    y = ((np.arange(h) + 0.5) / h * 2 - 1)[:, None]
    x = ((np.arange(w) + 0.5) / w * 2 - 1)[None, :]
    centre = np.hypot(y, x) < CENTRE
    part = np.rint(np.arctan2(y, x) / (np.pi / 4)).astype(int) % 8
    sizes = [int((inside & ~centre & (part == k)).sum()) for k in range(8)]
    there = [size > 0.6 * max(sizes) for size in sizes]  # a field may be cut
    shares = [_share(bad, inside & ~centre & (part == k)) for k in range(8)]
    middle = _share(bad, inside & centre)
    limit = NAMED * max(*shares, middle)
    limit = max(limit, min(AT_LEAST, limit / NAMED))
    named = [share >= limit for share in shares]
    if sum(named) >= max(sum(there) - 1, 4) and _opposite(named):
        return "all over" if middle >= limit else "rim"
    words = [PARTS[_middle(run)] for run in _runs(named)]
    if middle >= limit:
        words.insert(0, "centre")
    return " and ".join(words) if len(words) < 3 else ", ".join(words[:-1]) + " and " + words[-1]


def _opposite(named: list[bool]) -> bool:
    """Whether parts on both sides of the centre are named, in two directions at least."""
    return sum(named[k] and named[k + 4] for k in range(4)) >= 2


def _share(bad: NDArray[np.bool_], region: NDArray[np.bool_]) -> float:
    return float(bad[region].mean()) if region.any() else 0.0


def _runs(named: list[bool]) -> list[list[int]]:
    """Neighbouring parts together, around the circle: lists of part numbers, which may pass 7."""
    if not any(named):
        return []
    start = next(k for k in range(8) if named[k] and not named[k - 1])
    runs: list[list[int]] = []
    for k in range(start, start + 8):
        if named[k % 8]:
            if not named[(k - 1) % 8] or not runs:
                runs.append([])
            runs[-1].append(k)
    return runs


def _middle(run: list[int]) -> int:
    """The part in the middle of a run; of two in the middle the one along an axis."""
    low, high = run[(len(run) - 1) // 2] % 8, run[len(run) // 2] % 8
    return low if low % 2 == 0 else high
