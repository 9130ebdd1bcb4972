"""A circle through points, refined to sub-pixel on the edge itself and weighed by what supports it.

Coordinates are pixels of the picture searched, pixel i covering the interval from i to i + 1.
"""

import dataclasses
import functools
from collections.abc import Iterator

import numpy as np
from scipy import ndimage

TRIPLES = 200  # RANSAC samples of 3 points; with half of the points wrong 25 of them are good
MIN_STEP = 4.0  # grey levels between surround and field below which an edge is not seen
MIN_SUPPORT = 0.85  # share of the edge seen that must lie on the circle
# A halo about the field is an edge, too. So much of the edge seen on the circle will do where the
# circle is met exactly (root mean square, pixels) along a long arc, or is in the frame's middle.
HALO_SUPPORT, EXACT, LONG_ARC = 0.6, 0.6, 90.0
MAX_LEAK = 0.12  # share of the circle that may run through light on both sides
MIN_ARC = 5.0  # degrees of edge that must lie on the circle,
MIN_SHARE = 0.15  # and their share of the circumference inside the frame
# A circle known by short arcs only, as where the frame cuts the field on all sides, must be met
# exactly and lie in the middle: corners of anything round-ish pass for such arcs otherwise.
SHORT_ARC = 60.0  # degrees
MAX_SCATTER = 0.8  # pixels, root mean square of edge minus circle
MAX_OFFSET = 0.2  # of the centre from the frame's, share of the frame's width and height
CENTRE_PRIOR = 0.02  # sd of the field's centre about the frame's, share of the frame's long side
EDGE_NOISE = 0.3  # pixels, sd of an edge position

_COS, _SIN = np.cos(np.arange(1440) * np.pi / 720), np.sin(np.arange(1440) * np.pi / 720)


@dataclasses.dataclass(frozen=True)
class Circle:
    """A circle and the evidence for it."""

    x: float
    y: float
    radius: float
    arc: float  # degrees of circumference with a clear edge on the circle
    share: float  # that as a share of the circumference inside the frame, 0 to 1
    support: float  # share of the edge seen that lies on the circle, 0 to 1
    leak: float  # share of the circumference in the frame with light on both sides, 0 to 1
    scatter: float  # root mean square of edge minus circle, pixels
    offset: float  # of the centre from the frame's, share of its width or height, the larger
    drop: float = 1.0  # light lost across the edge, median share of the light inside

    @property
    def convincing(self) -> bool:
        """Whether to believe it."""
        if self.arc < SHORT_ARC and (self.scatter > MAX_SCATTER or self.offset > MAX_OFFSET):
            return False
        if self.leak > MAX_LEAK or self.share < MIN_SHARE or self.arc < MIN_ARC:
            return False
        long = self.arc >= LONG_ARC and self.scatter <= EXACT
        middle = self.arc >= 20 and self.scatter <= EXACT / 2 and self.offset <= 0.03
        if self.support >= MIN_SUPPORT:
            return True
        return (long or middle) and min(self.support, self.share) >= HALO_SUPPORT

    @property
    def certain(self) -> bool:
        """Whether to stop looking for a better one."""
        return self.convincing and self.support >= 0.9 and self.leak <= 0.05 and self.arc >= 15

    @property
    def rank(self) -> tuple[bool, float]:
        """The larger, the better the circle."""
        return self.convincing, self.arc * (self.support - self.leak)


def guess(points: np.ndarray, shape: tuple[int, int]) -> Iterator[np.ndarray]:
    """Circles worth measuring: RANSAC's best, then the best that is centred in the frame.

    Args:
      points: `[n, 2] float64` (x, y) on the suspected edge, any share of them wrong.
      shape: height and width of the frame.

    Yields:
      At most two circles, `[3] float64` (x, y, radius), radius between a quarter of the frame's
      short side and three quarters of its diagonal, centre inside the frame. The samples are
      drawn from a fixed seed: the same points give the same circles.
    """
    if len(points) < 12:
        return
    h, w = shape
    points = points[:: max(1, len(points) // 160)]
    low, high = 0.25 * min(h, w), 0.75 * np.hypot(h, w)
    a, b, c = points[_triples(len(points))]
    u, v = b - a, c - a
    cross = 2 * (u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0])
    keep = np.abs(cross) > 1e-6  # three different points, not on one line
    a, u, v, cross = a[keep], u[keep], v[keep], cross[keep]
    uu, vv = (u**2).sum(axis=1), (v**2).sum(axis=1)
    dx = (v[:, 1] * uu - u[:, 1] * vv) / cross
    dy = (u[:, 0] * vv - v[:, 0] * uu) / cross
    x, y, r = a[:, 0] + dx, a[:, 1] + dy, np.hypot(dx, dy)
    keep = (r > low) & (r < high) & (x > 0) & (x < w) & (y > 0) & (y < h)
    if keep.any():
        yield _fullest(points, np.stack([x[keep], y[keep], r[keep]], axis=1))
    r = np.hypot(points[:, 0] - w / 2, points[:, 1] - h / 2)
    r = r[(r > low) & (r < high)]
    if len(r):
        middle = np.full((len(r), 2), (w / 2, h / 2))
        yield _fullest(points, np.concatenate([middle, r[:, None]], axis=1))


@functools.lru_cache(maxsize=256)  # there are at most 320 points
def _triples(count: int) -> np.ndarray:
    """Three of `count` points for each sample, `[3, TRIPLES]`."""
    return np.random.default_rng(0).integers(0, count, (TRIPLES, 3)).T


def measure(level: np.ndarray, circle: np.ndarray, hidden: np.ndarray | None) -> Circle | None:
    """Refines a circle on the edge and counts what speaks for it.

    Args:
      level: `[h, w] float32` brightness.
      circle: `[3]` x, y, radius, right to about a twentieth of the radius.
      hidden: `[h, w] bool`, True where the picture says nothing, or None.

    Returns:
      The refined circle, or None where there is no edge near it.
    """
    for share in (0.05, 0.03):
        edge = _edge(level, circle, share, hidden)
        good = edge.sharp & (np.abs(edge.offset) < 0.8 * edge.reach)
        if good.sum() < 4:
            return None
        place = circle[:2] + edge.direction * (circle[2] + edge.offset)[:, None]
        circle = _fit(place[good], circle, level.shape)
        if not 0.2 * min(level.shape) < circle[2] < 0.8 * np.hypot(*level.shape):
            return None
    off = np.hypot(*(place - circle[:2]).T) - circle[2]
    good = edge.sharp & (np.abs(off) < 2.0)
    if not good.any():
        return None
    h, w = level.shape
    x, y, radius = circle.tolist()
    return Circle(
        x=x,
        y=y,
        radius=radius,
        arc=float(good.sum() * edge.degrees),
        share=float(good.mean()),
        support=float(good.sum() / edge.lit.sum()),
        leak=float((edge.leaky & ~good).mean()),
        scatter=float(np.sqrt(np.mean(off[good] ** 2))),
        offset=max(abs(x / w - 0.5), abs(y / h - 0.5)),
        drop=float(np.median(edge.drop[good])),
    )


def _fullest(points: np.ndarray, circles: np.ndarray) -> np.ndarray:
    """The circle `[3]` of `[m, 3]` that passes within 3 pixels of most points, near ones more."""
    p, c = points.astype(np.float32), circles.astype(np.float32)
    square = (p[:, 0] - c[:, :1]) ** 2 + (p[:, 1] - c[:, 1:2]) ** 2
    away = np.abs(np.sqrt(square) - c[:, 2:])
    return circles[np.maximum(3 - away, 0).sum(axis=1).argmax()]


@dataclasses.dataclass(frozen=True)
class _Edge:
    """The rim of a circle, one entry per direction in which it lies inside the frame."""

    direction: np.ndarray  # [n, 2] unit vectors
    degrees: float  # degrees of circumference per entry
    reach: int  # pixels looked at on either side
    offset: np.ndarray  # [n] pixels from circle to edge, outward positive
    lit: np.ndarray  # [n] there is a step down from inside to outside
    sharp: np.ndarray  # [n] there is, and it is a step rather than a slope
    leaky: np.ndarray  # [n] there is light outside
    drop: np.ndarray  # [n] light lost from inside to outside, share of that inside


def _edge(level: np.ndarray, circle: np.ndarray, share: float, hidden: np.ndarray | None) -> _Edge:
    """Looks at the picture across the circle, `share` of the radius to either side."""
    h, w = level.shape
    x, y, radius = circle
    with np.errstate(divide="ignore", invalid="ignore"):
        room = np.minimum(
            (np.where(_COS >= 0, w - 1, 1) - x) / _COS, (np.where(_SIN >= 0, h - 1, 1) - y) / _SIN
        )
    seen = np.flatnonzero(room > radius + 3)
    stride = max(1, len(seen) // 180)
    visible = len(seen) / len(_COS)
    seen = seen[::stride]
    cos, sin, room = _COS[seen], _SIN[seen], room[seen]
    reach = int(np.ceil(max(5.0, share * radius)))
    # Beyond the frame a profile holds its last value: the corners of a cut field are only so deep.
    along = np.minimum(radius + np.arange(-reach, reach + 1), room[:, None])
    row, column = y + sin[:, None] * along - 0.5, x + cos[:, None] * along - 0.5
    value = ndimage.map_coordinates(level, (row, column), order=1, mode="nearest")
    around = np.concatenate([value[-1:], value, value[:1]])  # the directions are a circle
    value = (around[:-2] + value + around[2:]) / 3
    clear = np.ones(len(seen), bool)
    if hidden is not None:
        row = np.clip(np.rint(row).astype(int), 0, h - 1)
        column = np.clip(np.rint(column).astype(int), 0, w - 1)
        clear = ~hidden[row, column].any(axis=1)
    third = (2 * reach + 1) // 3
    inner, outer = _middle(value[:, :third]), _middle(value[:, -third:])
    step = inner - outer
    lit = clear & (step > np.maximum(MIN_STEP, 0.1 * inner))
    low, high, half = _crossing(
        value, np.stack([outer + 0.2 * step, inner - 0.2 * step, inner - 0.5 * step])
    )
    # A whole circle may be soft, as behind a hand-held lens; a few corners must be sharp, or every
    # vignetted snapshot would do.
    limit = 1 + (0.012 + 0.03 * visible) * radius
    return _Edge(
        direction=np.stack([cos, sin], axis=1),
        degrees=stride / 4,
        reach=reach,
        offset=half - reach,
        lit=lit,
        sharp=lit & (low - high <= limit),
        leaky=clear & (outer > level.min() + 8) & (outer > 0.5 * inner),
        drop=step / np.maximum(inner, 1),
    )


def _middle(value: np.ndarray) -> np.ndarray:
    """Median of each row of `[n, k]`; numpy's own takes ten times as long for so few columns."""
    ranked = np.sort(value, axis=1)
    k = value.shape[1]
    return (ranked[:, (k - 1) // 2] + ranked[:, k // 2]) / 2


def _crossing(value: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Outermost place (fractional column) where profiles `[n, k]` rise above `[t, n]` inward."""
    n, k = value.shape
    above = value[:, ::-1] > target[..., None]
    column = np.clip(k - 1 - above.argmax(axis=-1), 0, k - 2)
    at = column + np.arange(n) * k
    flat = value.ravel()
    high, low = flat[at], flat[at + 1]
    fall = np.where(high > low, high - low, 1)
    return column + np.clip((high - target) / fall, 0, 1)


def _fit(place: np.ndarray, circle: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Geometric circle fit through edge points `[n, 2]` by Gauss-Newton steps with Huber weights.

    A weak prior puts the centre near the frame's, where cameras have it: it decides only where the
    arcs seen leave the circle open, as a single corner does. Not scipy's general solver, which
    takes longer than the whole of the rest.
    """
    middle = np.array([shape[1] / 2, shape[0] / 2])
    prior = (EDGE_NOISE / (CENTRE_PRIOR * max(shape))) ** 2
    centre, radius = circle[:2].copy(), float(circle[2])
    slope = np.ones((3, len(place)))  # of the distance from the circle, the sign turned
    hold, pull = np.diag([prior, prior, 1e-9]), np.zeros(3)
    for _ in range(8):
        x, y = place[:, 0] - centre[0], place[:, 1] - centre[1]
        distance = np.sqrt(x * x + y * y)
        error = distance - radius
        slope[0], slope[1] = x / distance, y / distance
        weighted = slope / np.maximum(1, np.abs(error) / EDGE_NOISE)
        pull[:2] = prior * (middle - centre)
        move = np.linalg.solve(weighted @ slope.T + hold, pull + weighted @ error)
        centre, radius = centre + move[:2], radius + float(move[2])
        if np.abs(move).max() < 1e-3:
            break
    return np.array([*centre, radius])
