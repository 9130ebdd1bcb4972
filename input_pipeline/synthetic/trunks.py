"""The vessels that leave the disc: four arcades of an artery and a vein each, and smaller ones.

The widest veins measure 0.4 to 0.6 degrees (115-170 micrometres) at the disc, arteries about three
quarters of that. The central equivalents of the six largest (Knudtson et al., Curr Eye Res 27:143,
2003) then come to those of the Beaver Dam Eye Study: veins 225-230 micrometres (Myers et al.,
Ophthalmology 119:2563, 2012).
"""

import math

import numpy as np

from input_pipeline.synthetic.eye import Eye
from input_pipeline.synthetic.steering import Shoot


def trunks(rng: np.random.Generator, eye: Eye) -> list[Shoot]:
    """Draws the vessels that leave the disc, arcades first."""
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
                    Shoot(
                        hilus[0] + side * 0.14 * eye.radius * rng.uniform(0.2, 1),
                        hilus[1] + up * 0.12 * eye.radius * rng.uniform(-0.6, 1),
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


def _small(rng: np.random.Generator, eye: Eye, angle: float, artery: bool, path: str) -> Shoot:
    """A small vessel that leaves the disc by its rim, to the macula or to the nose."""
    r = rng.uniform(0.3, 0.8) * eye.radius
    x, y = eye.disc[0] + r * math.cos(angle), eye.disc[1] + r * math.sin(angle)
    width = rng.uniform(0.05, 0.1) * (0.85 if artery else 1.0)
    return Shoot(x, y, angle, width, artery, path, 0.0, 0.0, 0.0)
