"""Grows the retinal arteries and veins of one eye, in degrees (see `eye`).

* Trunks leave the disc (`trunks`) and turn as `steering` says. The widest grow first; each sheds
  twigs and forks; at last twigs sprout into ground that is still bare.
* At a fork radii obey Murray's law r0^3 = r1^3 + r2^3 (Murray, PNAS 12:207, 1926) and the angles
  are those of least work, cos(t1) = (r0^4 + r1^4 - r2^4) / (2 r0^2 r1^2) (Murray, J Gen Physiol
  9:835, 1926).
* Vessels of one kind never cross each other off the disc; arteries and veins may, as in the eye.
  Growth is blocked at `GAP` from a vessel of the same kind, and `GAP` > `STEP`: two chains whose
  points all keep that distance cannot cross.
"""

import dataclasses
import heapq
import math

import numpy as np

from input_pipeline.synthetic.eye import Eye
from input_pipeline.synthetic.steering import STEP, Ground, Shoot, push, target
from input_pipeline.synthetic.trunks import trunks

THINNEST = 0.042  # radius where a vessel ends: 24 micrometres across
OUTSIDE = 12.0  # degrees that a temporal arcade may leave the field to come back
AVASCULAR = 1.6  # degrees round the fovea without visible vessels
LONGEST = 140  # points of a vessel: 63 degrees
TAPER = 0.0008  # radius lost per degree


@dataclasses.dataclass(frozen=True)
class Vessel:
    """One vessel from where it leaves its parent to its end."""

    points: np.ndarray  # [n, 2] float64 (x, y) in degrees
    radius: np.ndarray  # [n] float64, degrees
    artery: bool
    parent: int  # index into the list of vessels; -1 for a trunk
    fork: int  # index of the parent's point where it leaves; -1 for a trunk


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
    ground = Ground(centre, reach + OUTSIDE)
    todo: list[tuple[float, int, Shoot]] = []
    for k, shoot in enumerate(trunks(rng, eye)):
        heapq.heappush(todo, (-shoot.radius, k, shoot))
    count = len(todo)
    tables: list[np.ndarray] = []  # [n, 3] x, y, radius
    grown: list[Shoot] = []
    leaves: list[bool] = []
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
        chain, forks, cut = _grow_one(rng, eye, ground, shoot, len(tables), centre, reach)
        if len(chain) < (4 if shoot.parent >= 0 else 2):
            if shoot.parent >= 0 and not late:
                _give_back(tables, shoot)
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
        leaves.append(cut)
    return [
        Vessel(
            table[:, :2],
            table[:, 2] if cut else table[:, 2] * _fade(len(table)),
            shoot.artery,
            shoot.parent,
            shoot.fork,
        )
        for table, shoot, cut in zip(tables, grown, leaves, strict=True)
    ]


def _fade(count: int) -> np.ndarray:
    """Factor on the radius [count]: a vessel that ends in sight grows thin first."""
    return np.minimum(1.0, 0.5 + np.arange(count)[::-1] / 12)


def _sprout(
    rng: np.random.Generator,
    eye: Eye,
    ground: Ground,
    tables: list[np.ndarray],
    grown: list[Shoot],
) -> Shoot | None:
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
    return None if fork is None else fork[0]


def _give_back(tables: list[np.ndarray], stunted: Shoot) -> None:
    """A twig found no room: its parent keeps behind the fork what it would have taken."""
    radius = tables[stunted.parent][stunted.fork + 1 :, 2]
    radius[:] = np.cbrt(radius**3 + stunted.radius**3)


def _feed(tables: list[np.ndarray], grown: list[Shoot], sprout: Shoot) -> None:
    """Widens all that leads to a late twig, so that r^3 is conserved at every fork."""
    number, index = sprout.parent, sprout.fork
    while number >= 0:
        radius = tables[number][: index + 1, 2]
        radius[:] = np.cbrt(radius**3 + sprout.radius**3)
        number, index = grown[number].parent, grown[number].fork


def _grow_one(
    rng: np.random.Generator,
    eye: Eye,
    ground: Ground,
    shoot: Shoot,
    number: int,
    centre: tuple[float, float],
    reach: float,
) -> tuple[list[tuple[float, float, float]], list[Shoot], bool]:
    """Chain of (x, y, radius) of a vessel, what forks off it, and whether it leaves the region."""
    x, y, angle, radius = shoot.x, shoot.y, shoot.angle, shoot.radius
    sigma = 0.028 * eye.tortuosity * (1.0 if shoot.artery else 1.15)
    if shoot.path != "arcade":
        sigma *= 1.4
    normal = rng.standard_normal(LONGEST + 1).tolist()
    uniform = rng.random(LONGEST).tolist()
    bend = normal[-1] * sigma
    chain = [(x, y, radius)]
    forks: list[Shoot] = []
    since = 0.4
    leaves = False
    spacing = 1.7 if shoot.path == "arcade" else 2.6  # degrees between forks, on average
    for k in range(LONGEST):
        want, pull = target(eye, shoot, x, y)
        bend = 0.82 * bend + sigma * normal[k]
        angle += bend + pull * STEP * math.sin(want - angle)
        outside = math.hypot(x - eye.disc[0], y - eye.disc[1]) > 1.05 * eye.radius
        if not outside and shoot.parent >= 0:  # nothing grows back onto the disc
            break
        turn = push(ground, shoot, x, y, angle, len(chain), not outside)
        if turn is None and k > 0:
            break
        angle += max(-0.25, min(0.25, turn or 0.0))
        x += STEP * math.cos(angle)
        y += STEP * math.sin(angle)
        radius -= TAPER * STEP
        far = math.hypot(x - centre[0], y - centre[1])
        inside = far < reach
        leaves = not inside and not (shoot.bow > 0 and x > 0 and far < reach + OUTSIDE)
        if (
            leaves
            or radius < THINNEST
            or abs(angle - shoot.angle) > 2.2  # a vessel that turns no further cannot meet itself
            or math.hypot(x, y) < AVASCULAR
            or (shoot.path == "macula" and math.hypot(x, y) < AVASCULAR + 12 * radius)
        ):
            break
        chain.append((x, y, radius))
        since += STEP
        if inside and outside and since > 0.9 and uniform[k] < STEP / spacing:
            fork = _fork(rng, eye, ground, shoot, (x, y, angle, radius), number, len(chain) - 1)
            if fork is not None:
                forks.append(fork[0])
                angle, radius = fork[1], fork[2]
                since = 0.0
    return chain, forks, leaves


def _fork(
    rng: np.random.Generator,
    eye: Eye,
    ground: Ground,
    shoot: Shoot,
    at: tuple[float, float, float, float],
    number: int,
    index: int,
    probes: tuple[float, ...] = (1.2, 2.2),
) -> tuple[Shoot, float, float] | None:
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
        if any(
            ground.taken(x + far * math.cos(way), y + far * math.sin(way), shoot.artery)
            for far in probes  # degrees ahead that must be free of its own kind
        ):
            continue
        inward = math.cos(way - math.atan2(-y, -x))
        path = "macula" if inward > 0.3 and math.hypot(x, y) < 14 and x < eye.disc[0] else "out"
        child = Shoot(x, y, way, small, shoot.artery, path, 0.0, 0.0, 0.0, number, index)
        damp = 0.35 if shoot.path == "arcade" else 0.8
        return child, angle - side * theta * damp, main
    return None
