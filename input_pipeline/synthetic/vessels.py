"""Grows the retinal arteries and veins of one eye.

Everything is in degrees of visual angle on the retina of a right eye: the fovea is the origin, x
points to the nose (right in the photograph), y down. 1 degree is 0.29 mm on the retina.

* Trunks leave the disc in four arcades, an artery and a vein each. The temporal ones follow a
  parabola open towards the temporal side, the usual model of the arcades (Foracchia, Grisan and
  Ruggeri, IEEE TMI 23:1189, 2004, who fit parabolas with the vertex at the disc).
* At a fork radii obey Murray's law r0^3 = r1^3 + r2^3 (Murray, PNAS 12:207, 1926) and the angles
  are those of least work, cos(t1) = (r0^4 + r1^4 - r2^4) / (2 r0^2 r1^2) (Murray, J Gen Physiol
  9:835, 1926).
* The widest veins measure 0.36-0.52 degrees (105-150 micrometres) at the disc, arteries about two
  thirds of that; six such veins give a central equivalent near 225 micrometres, as in the Beaver
  Dam Eye Study (Myers et al., Ophthalmology 119:2563, 2012).
* Vessels of one kind never cross each other; arteries and veins may (they do in the eye). Growth
  is blocked at `GAP` from a vessel of the same kind, and `GAP` > `STEP`: two chains whose points
  all keep that distance cannot cross.
"""

import dataclasses
import heapq
import math

import numpy as np

STEP = 0.45  # degrees between points
GAP = 0.6  # degrees kept between vessels of one kind
REACH = 1.3  # degrees over which vessels push each other away
STEP2, GAP2, REACH2 = STEP**2, GAP**2, REACH**2
THINNEST = 0.042  # radius where a vessel ends: 24 micrometres across
AVASCULAR = 1.6  # degrees round the fovea without visible vessels


@dataclasses.dataclass(frozen=True)
class Eye:
    """Where disc and fovea lie, in degrees. The fovea is the origin."""

    disc: tuple[float, float]  # x, y of the centre
    radius: float  # of the disc, horizontal
    tortuosity: float  # 1 is usual


@dataclasses.dataclass(frozen=True)
class Vessel:
    """One vessel from where it leaves its parent to its end."""

    points: np.ndarray  # [n, 2] float64 (x, y) in degrees
    radius: np.ndarray  # [n] float64, degrees
    artery: bool
    parent: int  # index into the list of vessels; -1 for a trunk
    fork: int  # index of the parent's point where it leaves; -1 for a trunk


@dataclasses.dataclass
class _Shoot:
    """A vessel about to grow."""

    x: float
    y: float
    angle: float
    radius: float
    artery: bool
    path: str  # 'arcade' | 'macula' | 'out'
    up: float  # arcade: -1 superior, 1 inferior
    bow: float  # arcade: height 1 degree from the disc; negative: nasal
    power: float  # arcade: height grows with distance to this power; 0.5 is a parabola
    parent: int = -1
    fork: int = -1


def sample_eye(rng: np.random.Generator) -> Eye:
    """Draws disc and fovea.

    The disc's centre lies 15.5 +- 1.1 degrees nasal and 1.5 +- 0.9 degrees above the fovea
    (Rohrschneider, IOVS 45:3257, 2004); 2.65 +- 0.3 disc diameters away (Jonas et al., PLoS One
    10:e0138701, 2015).
    """
    x = float(np.clip(rng.normal(15.5, 1.1), 13.0, 17.9))
    y = -float(np.clip(rng.normal(1.5, 0.9), -0.65, 3.65))
    diameter = math.hypot(x, y) / float(np.clip(rng.normal(2.65, 0.25), 2.1, 3.3))
    return Eye((x, y), diameter / 2, float(min(rng.lognormal(0.0, 0.35), 2.0)))


class _Ground:
    """Finds what has been grown near a point: square cells of `REACH`, with a margin of two."""

    def __init__(self, centre: tuple[float, float], reach: float) -> None:
        margin = 4 + 2 * REACH  # nothing looks further than 4 degrees out of the region
        self.left, self.top = centre[0] - reach - margin, centre[1] - reach - margin
        self.n = int(2 * (reach + margin) / REACH) + 2
        # x, y, artery, vessel, index of each point
        self.cells: list[list[tuple[float, float, bool, int, int]]] = [
            [] for _ in range(self.n * self.n)
        ]
        self.nine = [di * self.n + dj for di in (-1, 0, 1) for dj in (-1, 0, 1)]

    def at(self, x: float, y: float) -> int:
        """Index of the cell of (x, y); `nine` added to it gives the cells round it."""
        return int((y - self.top) / REACH) * self.n + int((x - self.left) / REACH)


def fork_angles(parent: float, first: float, second: float) -> tuple[float, float]:
    """Angles of least work between the parent's direction and its two branches.

    Args:
      parent: radius before the fork.
      first: radius of one branch.
      second: radius of the other.

    Returns:
      Radians, both positive; the branches turn to opposite sides (Murray 1926, J Gen Physiol).
    """
    p, a, b = parent**4, first**4, second**4
    one = (p + a - b) / (2 * parent**2 * first**2)
    two = (p + b - a) / (2 * parent**2 * second**2)
    return math.acos(max(-1.0, min(1.0, one))), math.acos(max(-1.0, min(1.0, two)))


def _trunks(rng: np.random.Generator, eye: Eye) -> list[_Shoot]:
    shoots = []
    widest = rng.uniform(0.2, 0.3)
    ratio = rng.uniform(0.66, 0.84)  # artery to vein
    hilus = (eye.disc[0] + 0.15 * eye.radius, eye.disc[1])
    for up in (-1.0, 1.0):
        power = rng.uniform(0.3, 0.48)
        bow = rng.uniform(7.0, 11.5) / 15.5**power  # height above or below the fovea
        nasal = rng.uniform(2.2, 3.6)
        lead = rng.choice((-1.0, 1.0))  # which of the two runs outside
        for artery in (True, False):
            shift = lead * (0.5 if artery else -0.5)
            base = widest * (ratio if artery else 1.0)
            for side, curve, share in ((-1.0, bow, 1.0), (1.0, nasal, 0.72)):
                angle = up * (math.pi / 2 - 0.15 * side) + rng.normal(0, 0.12)
                shoots.append(
                    _Shoot(
                        hilus[0] + side * 0.14 * eye.radius * rng.uniform(0.2, 1),
                        hilus[1] + up * 0.22 * eye.radius * rng.uniform(0.1, 1),
                        angle,
                        base * share * rng.uniform(0.88, 1.1),
                        artery,
                        "arcade",
                        up,
                        -side * (curve * (1 + 0.22 * shift) + rng.normal(0, 0.08)),
                        power if side < 0 else 0.5,
                    )
                )
    for artery in (True, False, True, False, True, False)[: int(rng.integers(3, 7))]:
        toward = math.pi + rng.uniform(-0.7, 0.7)
        shoots.append(_small(rng, eye, toward, artery, "macula"))
    for artery in (True, False, True, False)[: int(rng.integers(2, 5))]:
        shoots.append(_small(rng, eye, rng.uniform(-0.8, 0.8), artery, "out"))
    return shoots


def _small(rng: np.random.Generator, eye: Eye, angle: float, artery: bool, path: str) -> _Shoot:
    """A small vessel that leaves the disc by its rim, to the macula or to the nose."""
    r = rng.uniform(0.3, 0.8) * eye.radius
    x, y = eye.disc[0] + r * math.cos(angle), eye.disc[1] + r * math.sin(angle)
    width = rng.uniform(0.05, 0.1) * (0.85 if artery else 1.0)
    return _Shoot(x, y, angle, width, artery, path, 0.0, 0.0, 0.0)


def grow(
    rng: np.random.Generator, eye: Eye, centre: tuple[float, float], reach: float
) -> list[Vessel]:
    """Grows both trees inside a round region.

    Args:
      rng: source of randomness.
      eye: disc and fovea.
      centre: x, y of the region in degrees.
      reach: its radius in degrees.

    Returns:
      The vessels; a vessel's parent stands before it in the list.
    """
    ground = _Ground(centre, reach)
    todo: list[tuple[float, int, _Shoot]] = []
    for k, shoot in enumerate(_trunks(rng, eye)):
        heapq.heappush(todo, (-shoot.radius, k, shoot))
    count = len(todo)
    tables: list[np.ndarray] = []  # [n, 3] x, y, radius
    grown: list[_Shoot] = []
    fill = int(rng.uniform(0.04, 0.12) * math.pi * reach**2)  # attempts to fill what is bare
    while todo or fill:
        late = not todo
        if todo:
            shoot = heapq.heappop(todo)[2]
        else:
            fill -= 1
            sprout = _sprout(rng, eye, ground, tables, grown)
            if sprout is None:
                continue
            shoot = sprout
        chain, forks = _grow_one(rng, eye, ground, shoot, len(tables), centre, reach)
        if len(chain) < (4 if shoot.parent >= 0 else 2):
            continue
        if late:
            _feed(tables, grown, shoot)
        for k, (x, y, _) in enumerate(chain):
            ground.cells[ground.at(x, y)].append((x, y, shoot.artery, len(tables), k))
        for fork in forks:
            heapq.heappush(todo, (-fork.radius, count, fork))
            count += 1
        tables.append(np.array(chain))
        grown.append(shoot)
    return [
        Vessel(
            table[:, :2],
            table[:, 2] * np.minimum(1.0, 0.5 + np.arange(len(table))[::-1] / 12),  # ends fade
            shoot.artery,
            shoot.parent,
            shoot.fork,
        )
        for table, shoot in zip(tables, grown, strict=True)
    ]


def _sprout(
    rng: np.random.Generator,
    eye: Eye,
    ground: _Ground,
    tables: list[np.ndarray],
    grown: list[_Shoot],
) -> _Shoot | None:
    """A late twig from a random place on a vessel into bare ground; None where there is none."""
    number = int(rng.integers(len(tables)))
    table = tables[number]
    if len(table) < 6:
        return None
    index = int(rng.integers(3, len(table) - 1))
    (x, y, radius), (px, py, _) = table[index], table[index - 1]
    if math.hypot(x - eye.disc[0], y - eye.disc[1]) < 1.15 * eye.radius:
        return None
    at = (float(x), float(y), math.atan2(y - py, x - px), float(radius))
    fork = _fork(rng, eye, ground, grown[number], at, number, index, (1.0, 2.0, 3.0))
    if fork is None:
        return None
    return fork[0]


def _feed(tables: list[np.ndarray], grown: list[_Shoot], sprout: _Shoot) -> None:
    """Widens all that leads to a late twig, so that r^3 is conserved at every fork."""
    number, index = sprout.parent, sprout.fork
    while number >= 0:
        radius = tables[number][: index + 1, 2]
        radius[:] = np.cbrt(radius**3 + sprout.radius**3)
        number, index = grown[number].parent, grown[number].fork


def _target(eye: Eye, shoot: _Shoot, x: float, y: float) -> tuple[float, float]:
    """Angle a vessel turns to at (x, y), and how strongly it does, per degree."""
    if shoot.path == "arcade":
        toward = -1.0 if shoot.bow > 0 else 1.0  # temporal arcades run to the left
        away = max(0.3, toward * (x - eye.disc[0]))
        bow = abs(shoot.bow)
        height = bow * away**shoot.power
        slope = height * shoot.power / away
        if shoot.bow > 0 and away > 17:  # past the fovea the arcades bend to the raphe
            slope -= 0.03 * (away - 17)
        miss = shoot.up * (y - eye.disc[1]) - height
        return math.atan2(shoot.up * (slope - 0.12 * miss), toward), 0.3 + 0.1 * min(abs(miss), 4.0)
    if shoot.path == "macula":
        return math.atan2(-y, -x), 0.09
    middle = 0.35 * eye.disc[0]
    return math.atan2(y - eye.disc[1] * 0.3, x - middle), 0.05


def _grow_one(
    rng: np.random.Generator,
    eye: Eye,
    ground: _Ground,
    shoot: _Shoot,
    number: int,
    centre: tuple[float, float],
    reach: float,
) -> tuple[list[tuple[float, float, float]], list[_Shoot]]:
    """The chain of (x, y, radius) of one vessel and the vessels that leave it."""
    x, y, angle, radius = shoot.x, shoot.y, shoot.angle, shoot.radius
    sigma = 0.028 * eye.tortuosity * (1.0 if shoot.artery else 1.15)
    if shoot.path != "arcade":
        sigma *= 1.6
    normal = rng.standard_normal(256).tolist()
    uniform = rng.random(256).tolist()
    bend = normal[-1] * sigma
    chain = [(x, y, radius)]
    forks: list[_Shoot] = []
    since = 0.4
    spacing = 1.7 if shoot.path == "arcade" else 2.6  # degrees between forks, on average
    for k in range(250):
        want, pull = _target(eye, shoot, x, y)
        bend = 0.82 * bend + sigma * normal[k]
        angle += bend + pull * STEP * math.sin(want - angle)
        outside = math.hypot(x - eye.disc[0], y - eye.disc[1]) > 1.05 * eye.radius
        if not outside and shoot.parent >= 0:  # nothing grows back onto the disc
            break
        turn = _push(ground, shoot, x, y, angle, len(chain), not outside)
        if turn is None and k > 0:
            break
        angle += max(-0.25, min(0.25, turn or 0.0))
        x += STEP * math.cos(angle)
        y += STEP * math.sin(angle)
        radius -= 0.0008 * STEP
        if (
            math.hypot(x - centre[0], y - centre[1]) > reach
            or radius < THINNEST
            or abs(angle - shoot.angle) > 2.9  # a vessel that turns no further cannot meet itself
            or math.hypot(x, y) < AVASCULAR
            or (shoot.path == "macula" and math.hypot(x, y) < AVASCULAR + 12 * radius)
        ):
            break
        chain.append((x, y, radius))
        since += STEP
        if outside and since > 0.9 and uniform[k] < STEP / spacing:
            fork = _fork(rng, eye, ground, shoot, (x, y, angle, radius), number, len(chain) - 1)
            if fork is not None:
                forks.append(fork[0])
                angle, radius = fork[1], fork[2]
                since = 0.0
    return chain, forks


def _push(
    ground: _Ground, shoot: _Shoot, x: float, y: float, angle: float, grown: int, on_disc: bool
) -> float | None:
    """Turn, in radians, away from what grows near; None where the way is blocked."""
    hx, hy = math.cos(angle), math.sin(angle)
    nx, ny = x + STEP * hx, y + STEP * hy
    mine, parent, fork = shoot.artery, shoot.parent, shoot.fork
    turn = 0.0
    cells, cell = ground.cells, ground.at(nx, ny)
    for offset in ground.nine:
        for px, py, artery, vessel, index in cells[cell + offset]:
            dx, dy = nx - px, ny - py
            d2 = dx * dx + dy * dy
            if d2 >= REACH2:
                continue
            if vessel == parent and -5 < index - fork < 5:  # it starts there, but must not return
                if grown > 2 and d2 < STEP2:
                    return None
                continue
            if artery == mine:
                if d2 < GAP2 and not on_disc:
                    return None
                weight = 0.05
            else:
                weight = 0.022
            if d2 < 0.04:
                d2 = 0.04
            turn += weight * (hx * dy - hy * dx) * (1 / d2 - 1 / REACH2)
    return turn


def _fork(
    rng: np.random.Generator,
    eye: Eye,
    ground: _Ground,
    shoot: _Shoot,
    at: tuple[float, float, float, float],
    number: int,
    index: int,
    probes: tuple[float, ...] = (1.2, 2.2),
) -> tuple[_Shoot, float, float] | None:
    """A side branch at `at`, with angle and radius of the vessel behind the fork."""
    x, y, angle, radius = at
    if shoot.path == "arcade" and rng.random() < 0.9:  # twigs; now and then a real fork
        small = max(radius * rng.uniform(0.2, 0.5), rng.uniform(1.2, 2.3) * THINNEST)
    else:
        small = max(radius * rng.uniform(0.55, 0.9), 1.15 * THINNEST)
    rest = radius**3 - small**3
    if rest <= 0 or rest ** (1 / 3) < THINNEST:
        return None
    main = rest ** (1 / 3)
    theta, phi = fork_angles(radius, main, small)
    first = 1.0 if rng.random() < 0.5 else -1.0
    for side in (first, -first):
        way = angle + side * phi * rng.uniform(0.85, 1.15)
        clear = True
        for far in probes:  # degrees ahead that must be free of its own kind
            px, py = x + far * math.cos(way), y + far * math.sin(way)
            cell = ground.at(px, py)
            clear = clear and not any(
                artery == shoot.artery and (qx - px) ** 2 + (qy - py) ** 2 < GAP2
                for offset in ground.nine
                for qx, qy, artery, _, _ in ground.cells[cell + offset]
            )
        if not clear:
            continue
        inward = math.cos(way - math.atan2(-y, -x))
        path = "macula" if inward > 0.3 and math.hypot(x, y) < 14 and x < eye.disc[0] else "out"
        child = _Shoot(x, y, way, small, shoot.artery, path, 0.0, 0.0, 0.0, number, index)
        damp = 0.35 if shoot.path == "arcade" else 0.8
        return child, angle - side * theta * damp, main
    return None
