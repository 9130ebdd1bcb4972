"""Where a growing vessel turns: to its arcade, to the macula, outwards, away from its neighbours.

The temporal arcades run at a height b d^p above or below the disc's centre, d the distance from it
towards the fovea. p = 1/2 is the parabola with its vertex at the disc that is the usual model of
the arcades (Foracchia, Grisan and Ruggeri, IEEE TMI 23:1189, 2004); HRF's arcades are rounder, so
p is drawn below that.
"""

import dataclasses
import math

from input_pipeline.synthetic.eye import Eye

STEP = 0.45  # degrees between points
GAP = 0.6  # degrees kept between vessels of one kind
REACH = 1.3  # degrees over which vessels push each other away
STEP2, GAP2, REACH2 = STEP**2, GAP**2, REACH**2


@dataclasses.dataclass
class Shoot:
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


class Ground:
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

    def taken(self, x: float, y: float, artery: bool) -> bool:
        """Whether a vessel of that kind grows within `GAP` of (x, y)."""
        cell = self.at(x, y)
        for offset in self.nine:
            for px, py, kind, _, _ in self.cells[cell + offset]:
                if kind == artery and (px - x) * (px - x) + (py - y) * (py - y) < GAP2:
                    return True
        return False


def target(eye: Eye, shoot: Shoot, x: float, y: float) -> tuple[float, float]:
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
    return math.atan2(y - eye.disc[1] * 0.3, x - middle), 0.07


def push(
    ground: Ground, shoot: Shoot, x: float, y: float, angle: float, grown: int, on_disc: bool
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
