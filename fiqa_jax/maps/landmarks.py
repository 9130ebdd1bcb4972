"""Where the optic disc and the macula lie, roughly: enough to say whether a map covers them.

The disc is the spot of its size that stands out most against its surroundings in red and green; the
macula is the darkest spot about five disc radii beside it, on the side with more retina. Made for
photographs of 30 to 60 degrees; where the disc does not stand out, nothing is found. Of 42 drawn
eyes the disc is found in 35, all within one radius.
"""

import dataclasses
import functools
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

SIDE = 192  # pixels at which it is looked for
DISC = 0.065  # radius of the disc as a share of the field's diameter, at 45 degrees
AWAY = (4.2, 6.8)  # distance of the macula from the disc, in such radii
USUAL = 5.3
LEAN = (-0.12, 0.3)  # tangent of its angle below the horizontal
CLEAR = 1.0  # deviations by which one side must be darker, where both are possible
STANDS_OUT = 4.0  # the disc's contrast in deviations of the contrast elsewhere
MACULA = 1.2  # radius of the macula's region in disc radii


@dataclasses.dataclass(frozen=True)
class Landmarks:
    """Centres (y, x) and radii as shares of the picture's side."""

    disc: tuple[float, float]
    macula: tuple[float, float] | None  # None outside the field, or where both sides are alike
    radius: float  # of the disc


def find(image: NDArray[np.uint8], fov: NDArray[np.uint8]) -> Landmarks | None:
    """Disc and macula of a photograph.

    Args:
      image: `[S, S, 3]`; `fov`: `[S, S]`, 1 inside the field.

    Returns:
      None where no disc stands out.
    """
    step = max(1, image.shape[0] // SIDE)
    small, inside = image[::step, ::step], fov[::step, ::step] > 0
    side = small.shape[0]
    if inside.sum() < 0.1 * side * side:
        return None
    radius = DISC * 2 * np.sqrt(inside.sum() / np.pi)
    red, green = (small[..., k].astype(np.float32) for k in (0, 1))
    light = (red + green) / np.float32(2)
    wide = blurred(light, inside, 3 * radius)
    contrast = blurred(light, inside, radius / 2) - wide
    room = _eroded(inside, max(1, round(0.8 * radius)))
    if not room.any():
        return None
    y, x = np.unravel_index(np.argmax(np.where(room, contrast, -np.inf)), room.shape)
    away = _away(side, int(y), int(x))
    elsewhere = contrast[room & (away > 2 * radius)]
    if contrast[y, x] < elsewhere.mean() + STANDS_OUT * elsewhere.std():
        return None
    disc = ((y + 0.5) / side, (x + 0.5) / side)
    macula = _macula(light, wide, inside, room, (int(y), int(x)), away, radius)
    return Landmarks(disc, macula, radius / side)


Sought = Callable[[], Landmarks | None]


def sought(image: NDArray[np.uint8], fov: NDArray[np.uint8]) -> Sought:
    """`find`, done when it is called first and once only; None of pictures without colour."""
    return functools.cache(lambda: find(image, fov) if image.shape[-1] == 3 else None)


def _macula(
    light: NDArray[np.float32],
    wide: NDArray[np.float32],
    inside: NDArray[np.bool_],
    room: NDArray[np.bool_],
    disc: tuple[int, int],
    away: NDArray[np.float64],
    radius: float,
) -> tuple[float, float] | None:
    side = len(light)
    down, across = np.ogrid[-disc[0] : side - disc[0], -disc[1] : side - disc[1]]
    left, right = inside[:, : disc[1]].sum(), inside[:, disc[1] :].sum()
    sides = [across > 0] if right >= left else [across < 0]
    if abs(right - left) < 0.25 * inside.sum():  # the disc in the middle: on either side
        sides = [across > 0, across < 0]
    slope = down / np.maximum(np.abs(across), 1)
    ring = (away > AWAY[0] * radius) & (away < AWAY[1] * radius)
    ring &= (slope > LEAN[0]) & (slope < LEAN[1])
    ring &= room
    rows = np.flatnonzero(ring.any(axis=1))
    if not len(rows):
        return None
    part = slice(rows[0], rows[-1] + 1)  # the others are not asked for
    ring, away = ring[part], away[part]
    flat = blurred(light, inside, 0.6 * radius, part) - wide[part]
    spots = []
    for here in (ring & s for s in sides if (ring & s).any()):
        # As dark as a deviation less, for every disc radius from the usual distance.
        dark = flat / max(float(flat[ring].std()), 1e-6) + np.abs(away / radius - USUAL)
        place = int(np.argmin(np.where(here, dark, np.inf)))
        spots.append((float(dark.flat[place]), place // side + int(rows[0]), place % side))
    spots.sort()
    if not spots or (len(spots) == 2 and spots[1][0] - spots[0][0] < CLEAR):
        return None
    _, y, x = spots[0]
    return (y + 0.5) / side, (x + 0.5) / side


def _away(side: int, y: int, x: int) -> NDArray[np.float64]:
    """Distance of every pixel `[side, side]` from one; numpy's hypot takes longer."""
    down, across = np.arange(-y, side - y), np.arange(-x, side - x)
    return np.sqrt((down * down)[:, None] + (across * across)[None])


def _eroded(inside: NDArray[np.bool_], times: int) -> NDArray[np.bool_]:
    """`scipy.ndimage.binary_erosion` so many times over, by one transform of distances."""
    away = ndimage.distance_transform_cdt(np.pad(inside, 1), "taxicab")
    return np.asarray(away[1:-1, 1:-1] > times)


def blurred(
    values: NDArray[np.float32],
    inside: NDArray[np.bool_],
    sigma: float,
    rows: slice = slice(None),
) -> NDArray[np.float32]:
    """Gaussian mean `[rows, S]` of `[S, S]` over pixels inside the field; `sigma` in pixels."""
    smooth = gaussian(len(inside), sigma)
    weight = smooth[rows] @ inside.astype(np.float32) @ smooth.T
    mean = smooth[rows] @ np.where(inside, values, 0) @ smooth.T
    return mean / np.maximum(weight, 1e-6)


@functools.lru_cache(maxsize=16)  # whole fields have one radius
def gaussian(size: int, sigma: float) -> NDArray[np.float32]:
    """`scipy.ndimage.gaussian_filter1d` of `size` values as a matrix `[size, size]`.

    Two products of matrices take a twentieth of the time of a filter that is wide.
    """
    reach = int(4 * sigma + 0.5)
    weight = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    mirrored = np.pad(np.arange(size), reach, mode="symmetric")
    row = np.arange(size)[:, None]
    place = row * size + mirrored[row + np.arange(2 * reach + 1)]
    sums = np.bincount(place.ravel(), np.tile(weight / weight.sum(), size), size * size)
    out = sums.reshape(size, size).astype(np.float32)
    out.setflags(write=False)
    return out


def shares(
    quality: NDArray[np.floating],
    fov: NDArray[np.uint8],
    landmarks: Landmarks | None,
    threshold: float,
) -> dict[str, float]:
    """Share of each region that is bad.

    Args:
      quality: `[S, S] float` in [0, 1], higher = worse.
      fov: `[S, S] uint8`, 1 inside the field.
      landmarks: landmarks, or None.
      threshold: pixels from here on are bad.

    Returns:
      Region -> share of its pixels inside the field, NaN where it has none: `field`, the quadrants
      as seen in the picture (`upper_left`, ...), `disc` and `macula`.
    """
    inside = fov > 0
    bad = inside & (quality >= threshold)
    place = (np.arange(len(fov)) + 0.5) / len(fov)
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    down, across = (
        np.searchsorted(place, (n[0] + n[-1] + 1) / 2 / len(fov)) if len(n) else 0
        for n in (rows, columns)
    )
    out = {
        "field": _share(bad, inside),
        "upper_left": _share(bad[:down, :across], inside[:down, :across]),
        "upper_right": _share(bad[:down, across:], inside[:down, across:]),
        "lower_left": _share(bad[down:, :across], inside[down:, :across]),
        "lower_right": _share(bad[down:, across:], inside[down:, across:]),
    }
    for name, times in (("disc", 1.0), ("macula", MACULA)):
        centre = getattr(landmarks, name) if landmarks else None
        if landmarks is None or centre is None:
            out[name] = float("nan")
            continue
        reach = times * landmarks.radius
        y0, x0 = (np.searchsorted(place, c - reach) for c in centre)
        y1, x1 = (np.searchsorted(place, c + reach, "right") for c in centre)
        away = np.hypot(place[y0:y1, None] - centre[0], place[x0:x1] - centre[1])
        here = inside[y0:y1, x0:x1] & (away <= reach)
        out[name] = _share(bad[y0:y1, x0:x1] & here, here)
    return out


def _share(bad: NDArray[np.bool_], inside: NDArray[np.bool_]) -> float:
    """Of the pixels inside, those that are bad; NaN where there are none inside."""
    count = np.count_nonzero(inside)
    return np.count_nonzero(bad) / count if count else float("nan")
