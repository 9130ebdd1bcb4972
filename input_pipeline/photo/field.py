"""Where the camera's round field of view lies in a photograph.

EyeQ's preprocessing (Fu et al. 2019, released code) thresholds against the dark surround and takes
centre and radius from the extent of what is left. The same idea here, made robust: points where
scan lines first leave the dark surround, a circle through them by RANSAC, then the edge itself
measured along the circle, which both refines the circle and decides whether to believe it.
"""

import dataclasses

import numpy as np
from scipy import ndimage

from input_pipeline.photo import circle, retina

SEARCH_SIDE = 512  # pixels; pictures with a long side of 340 to 770 are searched best
STEPS = (3, 6, 12, 24, 48, 96)  # grey levels above the surround, tried until a circle is certain
SMALLEST = 48  # pixels; a shorter side holds no field


def find_field(
    image: np.ndarray, hidden: np.ndarray | None = None
) -> tuple[circle.Circle | None, str]:
    """Finds the circular field of view.

    Args:
      image: `[h, w, 3] uint8` RGB, best about SEARCH_SIDE pixels on its long side.
      hidden: `[h, w] bool`, True where the picture says nothing (erased boxes), or None.

    Returns:
      The field, or None where no circle convinces or what it shows is not the inside of an eye,
      and one line saying what was seen.
    """
    if min(image.shape[:2]) < SMALLEST:
        return None, f"too small for a field: shorter side below {SMALLEST} pixels"
    level = np.maximum(np.maximum(image[..., 0], image[..., 1]), image[..., 2])
    calm = _open5(level)
    surround = _surround(calm, hidden)
    window = _uncut(calm > surround + STEPS[1])
    calm, level = calm[window], level[window].astype(np.float32)
    veil = None
    if hidden is not None:  # grown, as the edges of an erased box are not the field's
        veil = ndimage.maximum_filter(hidden, 7)[window]
    best = _best(calm, level, surround, veil)
    if best is None:
        return None, "no circular edge against a dark surround"
    seen = f"edge along {best.share:.0%} of the circle in the frame, {best.arc:.0f} degrees"
    if not best.convincing:
        return None, (
            f"no convincing circle ({seen}; {best.support:.0%} of the edges seen lie on it, "
            f"{best.scatter:.1f} pixels off; light outside along {best.leak:.0%}; its centre "
            f"{best.offset:.0%} from the frame's)"
        )
    best = dataclasses.replace(best, x=best.x + window[1].start, y=best.y + window[0].start)
    content = retina.look(image, best, surround + STEPS[0])
    if content is not None and not content.retina:
        return None, (
            f"a round field ({seen}), but not the inside of an eye in it (fine detail in blue "
            f"shared by all colours {content.shared:.3f} > {retina.MAX_SHARED})"
        )
    return best, seen


def _best(
    calm: np.ndarray, level: np.ndarray, surround: int, veil: np.ndarray | None
) -> circle.Circle | None:
    best: circle.Circle | None = None
    for step in STEPS:
        if surround + step >= 255:
            break
        points = _scan(calm > surround + step, veil)
        for guess in circle.guess(points, level.shape):
            found = circle.measure(level, guess, veil)
            if found is not None and (best is None or found.rank > best.rank):
                best = found
            if best is not None and best.certain:
                return best
    return best


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
    """The part of the picture that was the photograph before someone padded it with black.

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
