"""Where the optic disc and the macula lie, roughly: enough to say whether a map covers them.

The disc is the spot of its size that stands out most against its surroundings in red and green; the
macula is the darkest spot about five disc radii beside it, on the side with more retina. Made for
photographs of 30 to 60 degrees; where the disc does not stand out, nothing is found. Of 42 drawn
eyes the disc is found in 35, all within one radius.
"""

import dataclasses

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
    light = small[..., :2].astype(np.float32).mean(-1)
    near = blurred(light, inside, radius / 2)
    contrast = near - blurred(light, inside, 3 * radius)
    room = ndimage.binary_erosion(inside, iterations=max(1, round(0.8 * radius)))
    if not room.any():
        return None
    y, x = np.unravel_index(np.argmax(np.where(room, contrast, -np.inf)), room.shape)
    away = np.hypot(*np.ogrid[-y : side - y, -x : side - x])
    elsewhere = contrast[room & (away > 2 * radius)]
    if contrast[y, x] < elsewhere.mean() + STANDS_OUT * elsewhere.std():
        return None
    disc = ((y + 0.5) / side, (x + 0.5) / side)
    return Landmarks(disc, _macula(light, inside, (int(y), int(x)), radius), radius / side)


def _macula(
    light: NDArray[np.float32], inside: NDArray[np.bool_], disc: tuple[int, int], radius: float
) -> tuple[float, float] | None:
    side = len(light)
    down, across = np.ogrid[-disc[0] : side - disc[0], -disc[1] : side - disc[1]]
    away = np.hypot(down, across)
    left, right = inside[:, : disc[1]].sum(), inside[:, disc[1] :].sum()
    sides = [across > 0] if right >= left else [across < 0]
    if abs(right - left) < 0.25 * inside.sum():  # the disc in the middle: on either side
        sides = [across > 0, across < 0]
    slope = down / np.maximum(np.abs(across), 1)
    ring = (away > AWAY[0] * radius) & (away < AWAY[1] * radius)
    ring &= (slope > LEAN[0]) & (slope < LEAN[1])
    ring &= ndimage.binary_erosion(inside, iterations=max(1, round(0.8 * radius)))
    flat = blurred(light, inside, 0.6 * radius) - blurred(light, inside, 3 * radius)
    spots = []
    for here in (ring & s for s in sides if (ring & s).any()):
        # As dark as a deviation less, for every disc radius from the usual distance.
        dark = flat / max(float(flat[ring].std()), 1e-6) + np.abs(away / radius - USUAL)
        place = int(np.argmin(np.where(here, dark, np.inf)))
        spots.append((float(dark.flat[place]), *divmod(place, side)))
    spots.sort()
    if not spots or (len(spots) == 2 and spots[1][0] - spots[0][0] < CLEAR):
        return None
    _, y, x = spots[0]
    return (y + 0.5) / side, (x + 0.5) / side


def blurred(
    values: NDArray[np.float32], inside: NDArray[np.bool_], sigma: float
) -> NDArray[np.float32]:
    """Gaussian mean `[S, S]` over pixels inside the field; `sigma` in pixels."""
    weight = ndimage.gaussian_filter(inside.astype(np.float32), sigma)
    mean = ndimage.gaussian_filter(np.where(inside, values, 0), sigma)
    return mean / np.maximum(weight, 1e-6)


def shares(
    quality: NDArray[np.floating],
    fov: NDArray[np.uint8],
    found: Landmarks | None,
    threshold: float,
) -> dict[str, float]:
    """Share of each region that is bad.

    Args:
      quality: `[S, S] float` in [0, 1], higher = worse.
      fov: `[S, S] uint8`, 1 inside the field.
      found: landmarks, or None.
      threshold: pixels from here on are bad.

    Returns:
      Region -> share of its pixels inside the field, NaN where it has none: `field`, the quadrants
      as seen in the picture (`upper_left`, ...), `disc` and `macula`.
    """
    side = len(fov)
    y, x = ((np.arange(side) + 0.5) / side)[:, None], ((np.arange(side) + 0.5) / side)[None]
    rows, columns = np.nonzero(fov)
    middle_y = (rows.min() + rows.max() + 1) / 2 / side if len(rows) else 0.5
    middle_x = (columns.min() + columns.max() + 1) / 2 / side if len(rows) else 0.5
    upper, left = y < middle_y, x < middle_x
    regions = {
        "field": np.ones((side, side), bool),
        "upper_left": upper & left,
        "upper_right": upper & ~left,
        "lower_left": ~upper & left,
        "lower_right": ~upper & ~left,
    }
    for name in ("disc", "macula"):
        centre = getattr(found, name) if found else None
        if found is None or centre is None:
            regions[name] = np.zeros((side, side), bool)
            continue
        reach = found.radius * (1.0 if name == "disc" else MACULA)
        regions[name] = np.hypot(y - centre[0], x - centre[1]) <= reach
    bad = quality >= threshold
    out = {}
    for name, region in regions.items():
        here = region & (fov > 0)
        out[name] = float(bad[here].mean()) if here.any() else float("nan")
    return out
