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

from input_pipeline.photo import circle
from input_pipeline.photo.circle import Circle

SEARCH_SIDE = 256  # pixels on the long side of a picture that is searched, at most
STEPS = (3, 6, 12, 24, 48, 96)  # grey levels above the surround, tried until a circle is certain
STRONG = 0.3  # of the brightness: the step tried first; halos of a bright field lie below
DARK = 40  # grey levels; a brighter border is no dark surround
STEEP = 0.6  # share of the light that is lost across an edge found so; a vignette loses less
SMALLEST = 48  # pixels; a shorter side holds no field
WHITE = 235  # grey levels; a border as bright as this throughout is paper, not a dark surround
NEAR = 3.0  # pixels about the circle that belong to neither side of its edge
LONG_SIDE = 120.0  # degrees of arc that show a circle, wherever they lie
SECOND_LIGHT = 0.2  # light outside the circle, share of its area, that asks for a second field

Frame = tuple[float, float, float, float]  # left, top, right, bottom


@dataclasses.dataclass(frozen=True)
class Field:
    """What was found in one picture, in its pixels (pixel i covers the interval i to i + 1)."""

    circle: Circle | None  # the round field; None where no circle convinces
    frame: Frame  # the photograph inside padding that somebody added; the picture where none is
    surround: int  # grey level of the dark surround, 0 to 255
    second: Circle | None  # another round field beside the first
    seen: str  # one line: what was seen
    inverted: bool  # the surround is white


def find_field(image: np.ndarray, hidden: np.ndarray | None = None) -> Field:
    """Finds the circular field of view.

    Args:
      image: `[h, w, 3] uint8` RGB, long side at most about SEARCH_SIDE pixels.
      hidden: `[h, w] bool`, True where the picture says nothing (erased boxes), or None.
    """
    h, w = image.shape[:2]
    whole: Frame = (0.0, 0.0, float(w), float(h))
    if min(h, w) < SMALLEST:
        seen = f"too small for a field: shorter side below {SMALLEST} pixels"
        return Field(None, whole, 0, None, seen, False)
    level, inverted = _brightness(image)
    calm = _open5(level)
    surround = _surround(calm, hidden)
    dark = surround if surround <= DARK else 0  # else the frame is lit to its border
    window = _uncut(calm > surround + STEPS[1])
    frame = _padding(calm, surround, window)
    veil = None
    if hidden is not None:  # grown, as the edges of an erased box are not the field's
        veil = ndimage.maximum_filter(hidden, 7)
    best = _in_window(calm, level, surround, veil, window)
    if best is None or not best.convincing:
        halves = _halves(calm, level, surround, veil)
        if len(halves) == 2:
            seen = "two round fields side by side"
            return Field(halves[0], frame, surround, halves[1], seen, inverted)
    if best is None:
        seen = "no circular edge against a dark surround"
        return Field(None, frame, dark, None, seen, inverted)
    seen = f"edge along {best.share:.0%} of the circle in the frame, {best.arc:.0f} degrees"
    if not best.convincing or _one_sided(calm, surround, best):
        seen = (
            f"no convincing circle ({seen}; {best.support:.0%} of the edges seen lie on it, "
            f"{best.scatter:.1f} pixels off; light outside along {best.leak:.0%}; its centre "
            f"{best.offset:.0%} from the frame's)"
        )
        return Field(None, frame, dark, None, seen, inverted)
    second = _beside(calm, level, surround, veil, best)
    return Field(best, frame, surround, second, seen, inverted)


def lit(image: np.ndarray, field: Field) -> np.ndarray:
    """Where a picture without a round field shows anything: its frame less the black about it.

    Black counts as surround where it reaches the frame's border and lies outside the ellipse that
    fills what is lit: a cut or squared field holds that ellipse, and what is dark inside it is a
    dark part of the photograph.

    Args:
      image: `[h, w, 3] uint8` RGB, as given to `find_field`.
      field: of this picture.

    Returns:
      `[h, w] bool`; all of the frame where next to nothing is lit.
    """
    h, w = image.shape[:2]
    left, top, right, bottom = field.frame
    y, x = np.ogrid[:h, :w]
    inside = (y + 0.5 > top) & (y + 0.5 < bottom) & (x + 0.5 > left) & (x + 0.5 < right)
    level, _ = _brightness(image)
    light = (_open5(level) > field.surround + STEPS[1]) & inside
    if light.sum() < 0.05 * inside.sum():
        return inside
    rows, columns = np.flatnonzero(light.any(axis=1)), np.flatnonzero(light.any(axis=0))
    across = (2 * x - columns[0] - columns[-1]) / (columns[-1] + 1 - columns[0])
    down = (2 * y - rows[0] - rows[-1]) / (rows[-1] + 1 - rows[0])
    ellipse = across**2 + down**2 <= 1
    dark = inside & ~light & ~ellipse
    label, _ = ndimage.label(dark)
    rim = inside & ~ndimage.binary_erosion(inside)
    touching = np.unique(label[rim & dark])
    return inside & ~np.isin(label, touching[touching > 0])


def _brightness(image: np.ndarray) -> tuple[np.ndarray, bool]:
    """Brightness `[h, w] uint8`, dark surround; and whether a white surround was turned dark."""
    rim = np.concatenate([image[:2].reshape(-1, 3), image[-2:].reshape(-1, 3)])
    rim = np.concatenate([rim, image[:, :2].reshape(-1, 3), image[:, -2:].reshape(-1, 3)])
    if np.quantile(rim.min(axis=1), 0.25) >= WHITE:
        darkest = np.minimum(np.minimum(image[..., 0], image[..., 1]), image[..., 2])
        return np.uint8(255) - darkest, True
    return np.maximum(np.maximum(image[..., 0], image[..., 1]), image[..., 2]), False


def _in_window(
    calm: np.ndarray,
    level: np.ndarray,
    surround: int,
    veil: np.ndarray | None,
    window: tuple[slice, slice],
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
    bright = float(np.quantile(calm, 0.9)) - surround
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


def _one_sided(calm: np.ndarray, surround: int, found: circle.Circle) -> bool:
    """Whether a circle known by an arc on one side holds much black: that of a squeezed field."""
    if found.arc >= LONG_SIDE or found.offset <= circle.MAX_OFFSET:
        return False
    y, x = np.ogrid[: calm.shape[0], : calm.shape[1]]
    inside = np.hypot(x + 0.5 - found.x, y + 0.5 - found.y) < found.radius - NEAR
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
    y, x = np.ogrid[:h, :w]
    away = np.hypot(x + 0.5 - first.x, y + 0.5 - first.y)
    out = away > first.radius + NEAR
    light = out & (calm > surround + STEPS[2])
    if light.sum() < SECOND_LIGHT * min(np.pi * first.radius**2, h * w - out.sum()):
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
    apart = np.hypot(found.x - first.x, found.y - first.y)
    return found if apart > 0.8 * (found.radius + first.radius) else None


def _blurred(calm: np.ndarray, surround: int, window: tuple[slice, slice]) -> Circle | None:
    """A field without a sharp edge, as that of a blurred photograph: its outline is round."""
    part = calm[window]
    points = _scan(
        part > surround + max(STEPS[2], int(STRONG * float(np.quantile(part, 0.9)))), None
    )
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
    """Round fields in the two halves of a long picture, where each half holds one."""
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
    return found


def _open5(level: np.ndarray) -> np.ndarray:
    """Grey opening by a 5 x 5 square: removes specks and the thin strokes of burned-in text."""
    for op, fill in ((np.minimum, 255), (np.maximum, 0)):
        for axis in (0, 1):
            pad = [(2, 2) if a == axis else (0, 0) for a in (0, 1)]
            wide = np.moveaxis(np.pad(level, pad, constant_values=fill), axis, 0)
            two = op(wide[:-1], wide[1:])
            four = op(two[:-2], two[2:])
            level = np.moveaxis(op(four[:-1], wide[4:]), 0, axis)
    return level


def _surround(calm: np.ndarray, hidden: np.ndarray | None) -> int:
    """Level of the dark surround: nearly the darkest along the frame's border, 0 to 255."""
    rim = np.ones(calm.shape, bool)
    rim[3:-3, 3:-3] = False
    if hidden is not None:
        rim &= ~hidden
    return int(np.quantile(calm[rim], 0.03)) if rim.any() else 0


def _uncut(light: np.ndarray) -> tuple[slice, slice]:
    """The part of the picture in which to search: what was there before somebody padded it.

    Where a field cut by the frame was padded, light ends in a straight line, much longer than the
    flat of a circle; that line is the frame's true border.
    """
    window = []
    for axis in (0, 1):
        count = light.sum(axis=1 - axis)
        place = np.flatnonzero(count)
        start, stop = 0, len(count)
        if len(place) > 8:
            flat = 0.3 * count.max()
            start = int(place[0]) if count[place[0] + 1] > flat else 0
            stop = int(place[-1]) + 1 if count[place[-1] - 1] > flat else len(count)
        window.append(slice(start, stop))
    return window[0], window[1]


def _padding(calm: np.ndarray, surround: int, window: tuple[slice, slice]) -> Frame:
    """The true frame: a line of `_uncut` counts where the picture breaks off there at once.

    A shadow, too, can end in a long line, but over many pixels: it is a dark part of the field.
    """
    ends = []
    for axis in (0, 1):
        lines = calm if axis == 0 else calm.T
        across = window[1 - axis]
        start, stop = window[axis].start, window[axis].stop
        size = len(lines)
        if start and not _breaks_off(lines[start:, across], surround):
            start = 0
        if stop < size and not _breaks_off(lines[:stop, across][::-1], surround):
            stop = size
        ends.append((start, stop))
    (top, bottom), (left, right) = ends
    return float(left), float(top), float(right), float(bottom)


def _breaks_off(lines: np.ndarray, surround: int) -> bool:
    """Whether lines `[n, k]`, from the outermost inward, are as bright near the end as deeper."""
    if len(lines) < 16:
        return False
    deep = lines[12].astype(np.float32) - surround
    columns = deep > STEPS[1]
    if columns.sum() < 8:
        return False
    near = lines[3].astype(np.float32) - surround
    return bool(np.median(near[columns] / deep[columns]) > 0.5)


def _scan(light: np.ndarray, veil: np.ndarray | None) -> np.ndarray:
    """Where scan lines from each side of the frame first meet light, `[n, 2]` (x, y).

    Lines that begin in light (the field is cut there) and points in the veil are left out.
    """
    found = []
    for turned in (False, True):
        rows = light.T if turned else light
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
