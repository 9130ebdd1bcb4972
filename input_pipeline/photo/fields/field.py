"""Where the camera's round field of view lies in a photograph.

EyeQ's preprocessing (Fu et al. 2019, released code) thresholds against the dark surround and takes
centre and radius from the extent of what is left. The same idea here, made robust: points where
scan lines first leave the dark surround, a circle through them by RANSAC, then the edge itself
measured along the circle, which both refines the circle and decides whether to believe it.

What the field shows is no concern of this module; see `scope`.
"""

import dataclasses

import numpy as np
from scipy import ndimage

from input_pipeline.photo.fields import circle, ellipse
from input_pipeline.photo.fields.circle import Circle
from input_pipeline.photo.fields.ellipse import Ellipse
from input_pipeline.photo.fields.surround import (
    LIT,
    Frame,
    Window,
    brightness,
    opened,
    padding,
    surround_of,
    uncut,
)

SEARCH_SIDE = 256  # pixels on the long side of a picture that is searched, at most
STEPS = (3, LIT, 12, 24, 48, 96)  # grey levels above the surround, tried until a circle is certain
STRONG = 0.3  # of the brightness: the step tried first; halos of a bright field lie below
DARK = 40  # grey levels; a brighter border is no dark surround
STEEP = 0.6  # share of the light that is lost across an edge found so; a vignette loses less
SMALLEST = 48  # pixels; a shorter side holds no field
NEAR = 3.0  # pixels about the circle that belong to neither side of its edge
LONG_SIDE = 120.0  # degrees of arc that show a circle, wherever they lie
SECOND_LIGHT = 0.2  # light outside the circle, share of its area, that asks for a second field


@dataclasses.dataclass(frozen=True)
class Field:
    """What was found in one picture, in its pixels (pixel i covers the interval i to i + 1)."""

    circle: Circle | None  # the round field; None where no circle convinces
    frame: Frame  # the photograph inside padding that somebody added; the picture where none is
    surround: int  # grey level of the dark surround, 0 to 255
    second: Circle | None  # another round field beside the first
    seen: str  # one line: what was seen
    inverted: bool  # the surround is white
    light: np.ndarray  # [h, w] bool, above the surround, specks left out
    squeezed: Ellipse | None = None  # the field where proportions were given up


def find_field(image: np.ndarray, hidden: np.ndarray | None = None) -> Field:
    """Finds the circular field of view.

    Args:
      image: `[h, w, 3] uint8` RGB, long side at most about SEARCH_SIDE pixels.
      hidden: `[h, w] bool`, True where the picture says nothing (erased boxes), or None.
    """
    h, w = image.shape[:2]
    level, inverted = brightness(image)
    calm = opened(level)

    def result(
        seen: str, surround: int, one: Circle | None = None, second: Circle | None = None
    ) -> Field:
        return Field(one, frame, surround, second, seen, inverted, calm > surround + LIT)

    frame: Frame = (0.0, 0.0, float(w), float(h))
    if min(h, w) < SMALLEST:
        return result(f"too small for a field: shorter side below {SMALLEST} pixels", 0)
    surround = surround_of(calm, hidden)
    window = uncut(calm > surround + LIT)
    frame = padding(calm, surround, window)
    veil = None
    if hidden is not None:  # grown, as the edges of an erased box are not the field's
        veil = ndimage.maximum_filter(hidden, 7)
    if surround > DARK:
        seen = f"no dark surround: {surround} of 255 grey levels along the border"
        return result(seen, 0)
    best = _in_window(calm, level, surround, veil, window)
    if best is None or not best.convincing:
        halves = _halves(calm, level, surround, veil)
        if halves:
            return result("two round fields side by side", surround, halves[0], halves[1])
    if best is None:
        seen = "no circular edge against a dark surround"
        return _or_squeezed(result(seen, surround), calm, level, veil)
    seen = f"edge along {best.share:.0%} of the circle in the frame, {best.arc:.0f} degrees"
    if not best.convincing or _one_sided(calm, surround, best):
        seen = (
            f"no convincing circle ({seen}; {best.support:.0%} of the edges seen lie on it, "
            f"{best.scatter:.1f} pixels off; light outside along {best.leak:.0%}; its centre "
            f"{best.offset:.0%} from the frame's)"
        )
        return _or_squeezed(result(seen, surround), calm, level, veil)
    if best.scatter > circle.EXACT:  # a part of a squeezed field may pass for one of a circle
        other = _or_squeezed(result(seen, surround), calm, level, veil)
        if other.squeezed is not None and other.squeezed.arc > 1.5 * best.arc:
            return other
    second = _beside(calm, level, surround, veil, best)
    return result(seen, surround, best, second)


def _or_squeezed(
    found: Field, calm: np.ndarray, level: np.ndarray, veil: np.ndarray | None
) -> Field:
    """A field without a circle, with the ellipse that its edge makes where there is one."""
    bright = _bright(calm) - found.surround
    for step in (STEPS[2], int(STRONG * bright)):
        if step < STEPS[1] or found.surround + step >= 255:
            continue
        one = ellipse.measure(level, _scan(calm > found.surround + step, veil), veil)
        if one is not None:
            seen = (
                f"a field squeezed to {one.across / one.down:.2f} times its width, edge along "
                f"{one.arc:.0f} degrees"
            )
            return dataclasses.replace(found, squeezed=one, seen=seen)
    return found


def _in_window(
    calm: np.ndarray,
    level: np.ndarray,
    surround: int,
    veil: np.ndarray | None,
    window: Window,
) -> circle.Circle | None:
    """The best circle inside a window of the picture, in the picture's pixels."""
    calm, light = calm[window], level[window].astype(np.float32)
    if min(calm.shape) < SMALLEST // 2:
        return None
    best = _best(calm, light, surround, None if veil is None else veil[window])
    if best is None:
        return None
    return dataclasses.replace(best, x=best.x + window[1].start, y=best.y + window[0].start)


def _best(
    calm: np.ndarray, level: np.ndarray, surround: int, veil: np.ndarray | None
) -> circle.Circle | None:
    best: circle.Circle | None = None
    bright = _bright(calm) - surround
    first = int(STRONG * bright)
    for step in (*((first,) if first > STEPS[0] else ()), *STEPS):
        if surround + step >= 255:
            break
        points = _scan(calm > surround + step, veil)
        for guess in circle.guess(points, level.shape):
            found = circle.measure(level, guess, veil)
            if step == first and found is not None and found.drop < STEEP:
                continue
            if found is not None and (best is None or found.rank > best.rank):
                best = found
            if best is not None and best.certain:
                return best
    return best


def _bright(level: np.ndarray) -> int:
    """90th percentile of `[h, w] uint8`, nearly; by counting, which is faster than numpy's."""
    count = np.bincount(level[::2, ::2].ravel(), minlength=256).cumsum()
    return int(np.searchsorted(count, 0.9 * count[-1]))


def _square_away(shape: tuple[int, ...], one: Circle) -> np.ndarray:
    """Square of the distance of pixel centres from a circle's centre, `[h, w] float32`."""
    y = np.arange(shape[0], dtype=np.float32) + np.float32(0.5 - one.y)
    x = np.arange(shape[1], dtype=np.float32) + np.float32(0.5 - one.x)
    return (y * y)[:, None] + (x * x)[None, :]


def _one_sided(calm: np.ndarray, surround: int, found: circle.Circle) -> bool:
    """Whether a circle known by an arc on one side holds much black: that of a squeezed field."""
    if found.arc >= LONG_SIDE or found.offset <= circle.MAX_OFFSET:
        return False
    inside = _square_away(calm.shape, found) < max(found.radius - NEAR, 0) ** 2
    return bool((calm[inside] > surround + STEPS[1]).mean() < 0.9)


def _beside(
    calm: np.ndarray,
    level: np.ndarray,
    surround: int,
    veil: np.ndarray | None,
    first: circle.Circle,
) -> circle.Circle | None:
    """A second round field of like size in what is lit outside the first."""
    h, w = calm.shape
    out = _square_away(calm.shape, first) > (first.radius + NEAR) ** 2
    light = out & (calm > surround + STEPS[2])
    inside = h * w - np.count_nonzero(out)
    if np.count_nonzero(light) < SECOND_LIGHT * min(np.pi * first.radius**2, inside):
        return None
    rows, columns = np.flatnonzero(light.any(axis=1)), np.flatnonzero(light.any(axis=0))
    window = (
        slice(max(0, rows[0] - 4), min(h, rows[-1] + 5)),
        slice(max(0, columns[0] - 4), min(w, columns[-1] + 5)),
    )
    dimmed = np.where(out, level, surround).astype(np.uint8)
    rest = np.where(out, calm, surround).astype(np.uint8)
    found = _in_window(rest, dimmed, surround, veil, window)
    if found is None or not found.convincing or found.arc < circle.SHORT_ARC:
        found = _blurred(rest, surround, window)
    if found is None:
        return None
    if not 0.6 < found.radius / first.radius < 1.6:
        return None
    return found if _apart(found, first) else None


def _apart(one: Circle, other: Circle) -> bool:
    """Whether two circles lie beside each other, rather than being one circle seen twice."""
    return bool(np.hypot(one.x - other.x, one.y - other.y) > 0.8 * (one.radius + other.radius))


def _blurred(calm: np.ndarray, surround: int, window: Window) -> Circle | None:
    """A field without a sharp edge, as that of a blurred photograph: its outline is round."""
    part = calm[window]
    points = _scan(part > surround + max(STEPS[2], int(STRONG * _bright(part))), None)
    for x, y, radius in circle.guess(points, (part.shape[0], part.shape[1])):
        off = np.abs(np.hypot(points[:, 0] - x, points[:, 1] - y) - radius)
        near = float((off < NEAR).mean())
        if len(points) >= 40 and near >= circle.MIN_SUPPORT:
            left, top = window[1].start, window[0].start
            return Circle(x + left, y + top, radius, 0.0, 0.0, near, 0.0, float(off.mean()), 0.0)
    return None


def _halves(
    calm: np.ndarray, level: np.ndarray, surround: int, veil: np.ndarray | None
) -> list[circle.Circle]:
    """Round fields in the two halves of a long picture, where each half holds one of its own."""
    h, w = calm.shape
    if max(h, w) < 1.5 * min(h, w):
        return []
    middle = max(h, w) // 2
    found = []
    for part in (slice(0, middle), slice(middle, max(h, w))):
        window = (slice(0, h), part) if w > h else (part, slice(0, w))
        one = _in_window(calm, level, surround, veil, window)
        if one is not None and one.convincing and one.arc >= circle.SHORT_ARC:
            found.append(one)
    return found if len(found) == 2 and _apart(*found) else []


def _scan(light: np.ndarray, veil: np.ndarray | None) -> np.ndarray:
    """Where scan lines from each side of the frame first meet light, `[n, 2]` (x, y).

    Lines that begin in light (the field is cut there) and points in the veil are left out.
    """
    found = []
    for turned in (False, True):
        rows = np.ascontiguousarray(light.T) if turned else light
        line = np.flatnonzero(rows.any(axis=1))
        width = rows.shape[1]
        first = rows.argmax(axis=1)[line]
        last = width - 1 - rows[:, ::-1].argmax(axis=1)[line]
        for pixel, edge, keep in ((first, first, first > 1), (last, last + 1, last < width - 2)):
            if veil is not None:
                keep = keep & ~(veil.T if turned else veil)[line, pixel]
            pair = (edge[keep], line[keep] + 0.5)
            found.append(np.stack(pair[::-1] if turned else pair, axis=1))
    return np.concatenate(found).astype(np.float64)
