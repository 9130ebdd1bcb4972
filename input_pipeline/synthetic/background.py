"""The fundus without vessels: pigment, choroid, macula, nerve fibres and the optic disc."""

import dataclasses

import numpy as np

from input_pipeline.synthetic import fields
from input_pipeline.synthetic.eye import Eye


@dataclasses.dataclass(frozen=True)
class Grid:
    """Where each pixel looks, in degrees of a right eye."""

    x: np.ndarray  # [1, S] or [S, S] float32
    y: np.ndarray  # [S, 1] or [S, S] float32
    scale: float  # pixels per degree
    side: int


def grid(side: int, degrees: float, centre: tuple[float, float], mirror: float) -> Grid:
    """Pixel positions of a field `degrees` wide whose middle looks at `centre` (x, y).

    Args:
      side: pixels.
      degrees: width of the field.
      centre: (x, y) in degrees of a right eye.
      mirror: 1 for a right eye, -1 for a left one.
    """
    y, x = fields.axes(side)
    half = degrees / 2
    return Grid(centre[0] + mirror * x * half, centre[1] + y * half, side / degrees, side)


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(x, -30, 30)))


def paint(
    rng: np.random.Generator, eye: Eye, at: Grid, colour: tuple[float, float, float]
) -> np.ndarray:
    """Paints the fundus without vessels and lesions.

    Pigment acts on logarithms of the three channels: melanin of the epithelium and the choroid
    dims green and blue more than red, the macula's yellow pigment blue and green.

    Args:
      rng: source of randomness.
      eye: disc and fovea.
      at: pixel positions.
      colour: mean grey levels of the field.

    Returns:
      [S, S, 3] float32 grey levels.
    """
    side, degrees = at.side, at.side / at.scale
    log = np.zeros((side, side, 3), np.float32)
    melanin = np.array([0.35, 1.0, 0.9], np.float32)

    shade = rng.uniform(0.02, 0.07) * fields.smooth(rng, side, degrees / 9)
    shade += rng.uniform(0.01, 0.035) * fields.smooth(rng, side, degrees / 3)
    grain = rng.uniform(0.008, 0.03) * fields.smooth(rng, side, degrees / 0.35)
    grain += rng.uniform(0.004, 0.02) * fields.smooth(rng, side, degrees / 0.8)
    log += (shade + grain)[..., None] * melanin
    for channel in (1, 2):  # the hue drifts over the field
        drift = rng.uniform(0.0, 0.08) * fields.smooth(rng, side, side_cells(at, 16.0))
        log[..., channel] += drift

    # two of five eyes are clearly tessellated, the others a little
    tessellated = rng.uniform(0.12, 0.33) if rng.random() < 0.42 else rng.uniform(0.0, 0.12)
    through = np.array([rng.uniform(0.35, 0.9), 1.0, rng.uniform(0.5, 0.9)], np.float32)
    log += (tessellated * _choroid(rng, at))[..., None] * through

    to_fovea = np.hypot(at.y, at.x)
    wide, deep = rng.uniform(1.8, 4.6), rng.uniform(0.1, 0.5)
    pit = rng.uniform(0.05, 0.35) * np.exp(-((to_fovea / rng.uniform(0.5, 0.9)) ** 2))
    macula = deep * np.exp(-((to_fovea / wide) ** 2)) + pit
    log -= macula[..., None] * np.array([0.45, 0.9, 1.0], np.float32)

    picture = np.exp(log)
    picture *= np.array(colour, np.float32)
    young = rng.beta(1.0, 2.5)
    picture += (young * _sheen(rng, eye, at, to_fovea))[..., None] * np.array([22, 30, 22])
    return _disc(rng, eye, at, picture).astype(np.float32)


def _choroid(rng: np.random.Generator, at: Grid) -> np.ndarray:
    """Choroidal vessels between strands of pigment, [S, S], about -1 (pigment) to 1 (vessel).

    They run in bands that bend and fan out from a vortex vein beyond the field, and thin out to a
    network; where and how strongly they show changes over the fundus.
    """
    side = at.side
    phi, far = rng.uniform(0, 2 * np.pi), rng.uniform(36, 60)
    dx, dy = at.x - far * np.cos(phi), at.y - far * np.sin(phi)
    for bump, size in ((8.0, rng.uniform(0.5, 1.3)), (2.5, rng.uniform(0.1, 0.45))):
        dx = dx + size * fields.smooth(rng, side, side_cells(at, bump))
        dy = dy + size * fields.smooth(rng, side, side_cells(at, bump))
    distance, angle = np.hypot(dx, dy), np.arctan2(dy, dx)
    wide = rng.uniform(0.35, 0.95)  # degrees, of a strand
    bands = fields.streaks(rng, distance, angle, rng.uniform(1.2, 4.0), 2 * np.pi * far / wide)
    web = 0.8 - np.abs(fields.smooth(rng, side, side_cells(at, max(1.0, 1.5 * wide))))
    share = rng.uniform(0.35, 0.85)
    where = _sigmoid(1.5 * fields.smooth(rng, side, side_cells(at, 14.0)) + rng.normal(0.8, 1))
    return (share * np.tanh(1.2 * bands) + (1 - share) * web) * where


def _sheen(rng: np.random.Generator, eye: Eye, at: Grid, to_fovea: np.ndarray) -> np.ndarray:
    """Reflexes of a young retina: nerve fibres above and below the disc, rings at the macula."""
    dx, dy = at.x - eye.disc[0], at.y - eye.disc[1]
    distance, angle = np.hypot(dx, dy), np.arctan2(dy, dx)
    fibres = fields.streaks(rng, distance, angle + 0.012 * distance, 7.0, 320)
    poles = np.abs(np.sin(angle)) ** 2 * np.exp(-np.clip(distance - eye.radius, 0, None) / 6.5)
    out = poles * (0.55 + 0.16 * fibres)
    ring = rng.uniform(1.5, 3.5)
    glow = np.exp(-(((to_fovea - ring) / 0.5) ** 2)) * rng.uniform(0, 0.45)
    out = out + glow * np.clip(0.3 + 0.9 * fields.smooth(rng, at.side, 6), 0, None)
    patches = np.clip(fields.smooth(rng, at.side, side_cells(at, 2.2)) - 1.1, 0, None)
    out += 0.5 * rng.uniform(0, 1) * patches * np.exp(-distance / 14)
    spot = rng.uniform(0.1, 0.22)
    out += 1.6 * rng.uniform(0, 1) * np.exp(-((to_fovea / spot) ** 2))
    return out


def side_cells(at: Grid, bump: float) -> float:
    """Cells across the side for bumps of `bump` degrees, at least 1."""
    return max(1.0, at.side / at.scale / bump)


def _disc(rng: np.random.Generator, eye: Eye, at: Grid, picture: np.ndarray) -> np.ndarray:
    """Paints the optic disc with rim, cup and surroundings over `picture` [S, S, 3]."""
    reach = eye.radius + 6.5
    rows = np.flatnonzero(np.abs(at.y[:, 0] - eye.disc[1]) < reach)
    columns = np.flatnonzero(np.abs(at.x[0] - eye.disc[0]) < reach)
    if not len(rows) or not len(columns):
        return picture
    level = np.clip(picture.mean((0, 1)), 12, 240)
    box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    near = Grid(at.x[:, box[1]], at.y[box[0]], at.scale, at.side)
    picture[box] = _disc_near(rng, eye, near, picture[box], level)
    return picture


def _disc_near(
    rng: np.random.Generator, eye: Eye, at: Grid, picture: np.ndarray, level: np.ndarray
) -> np.ndarray:
    """The disc in a part of the photograph; `level` [3] is the mean of all of it."""
    dx, dy = at.x - eye.disc[0], at.y - eye.disc[1]
    size = max(picture.shape[:2])

    def bumps(cells: float) -> np.ndarray:
        return fields.smooth(rng, size, cells)[: picture.shape[0], : picture.shape[1]]

    tilt = rng.normal(0, 0.15)
    u = dx * np.cos(tilt) + dy * np.sin(tilt)
    v = (-dx * np.sin(tilt) + dy * np.cos(tilt)) / rng.uniform(1.03, 1.16)  # taller than wide
    wobble = 1 + 0.025 * bumps(3)
    r = np.hypot(u, v) * wobble
    toward = np.arctan2(v, -u)  # 0 is temporal
    glow = rng.uniform(0.05, 0.3) * np.clip(
        np.exp(-np.clip(r - eye.radius, 0, None) / 1.6) - 0.02, 0, None
    )
    picture = picture * (1 + glow[..., None] * np.array([0.5, 1.0, 0.9]))

    if rng.random() < 0.4:  # atrophy next to the disc, mostly temporal
        reach = eye.radius * rng.uniform(1.06, 1.35)
        crescent = _sigmoid((reach - r) / 0.12) * np.clip(np.cos(toward + rng.normal(0, 0.4)), 0, 1)
        pale = rng.uniform(0.15, 0.6) * crescent * (0.85 + 0.15 * bumps(16))
        picture = picture + pale[..., None] * (np.array([235, 170, 110]) - picture)
    if rng.random() < 0.35:  # a rim of pigment
        line = np.exp(-(((r - 1.05 * eye.radius) / 0.16) ** 2)) * np.clip(np.cos(toward), 0, 1)
        picture = picture * (1 - rng.uniform(0.1, 0.45) * line[..., None])

    # HRF's discs: the rim 1.1-1.2, 1.6-1.9, 1.5-1.9 times the fundus, the cup up to 3 times
    red = min(248.0, 1.16 * level[0] + 10)
    green = np.clip(rng.uniform(1.6, 1.9) * level[1] + 8, 0.38 * red, 0.82 * red)
    blue = np.clip(rng.uniform(1.5, 1.9) * level[2] + 4, 0.25 * green, 0.75 * green)
    rim = np.array([red, green, blue])
    red = min(253.0, 1.22 * red)
    green = np.clip(rng.uniform(1.35, 1.75) * green, 0.55 * red, 0.9 * red)
    blue = np.clip(rng.uniform(1.5, 2.1) * blue, 0.35 * green, 0.82 * green)
    cup = np.array([red, green, blue])
    ratio = float(np.clip(rng.beta(2.2, 2.8), 0.15, 0.8))  # cup to disc
    shift = rng.uniform(0.0, 0.22) * eye.radius * (1 - ratio)
    inner = np.hypot(u + shift, v) * (2 - wobble)
    edge = rng.uniform(0.12, 0.4)
    nasal = 1 + 0.8 * np.clip(-np.cos(toward), 0, 1)  # the nasal edge is less sharp
    body = _sigmoid((eye.radius - r) / (edge * nasal * 0.6))
    hollow = _sigmoid((ratio * eye.radius - inner) / rng.uniform(0.12, 0.5))
    temporal = 1 + 0.12 * np.cos(toward)
    paint_rim = rim * temporal[..., None] * (1 + 0.03 * bumps(24))[..., None]
    paint_disc = paint_rim + hollow[..., None] * (cup - paint_rim)
    return picture + (0.93 * body)[..., None] * (paint_disc - picture)
