"""Where disc and fovea of one eye lie.

Degrees of visual angle on the retina of a right eye: the fovea is the origin, x points to the nose
(right in the photograph), y down. 1 degree is 0.288 mm on the retina of the average eye.
"""

import dataclasses
import math

import numpy as np


@dataclasses.dataclass(frozen=True)
class Eye:
    """Where disc and fovea lie, in degrees. The fovea is the origin."""

    disc: tuple[float, float]  # x, y of the centre
    radius: float  # of the disc, horizontal
    tortuosity: float  # 1 is usual


def sample_eye(rng: np.random.Generator) -> Eye:
    """Draws disc and fovea.

    The disc's centre lies 15.5 +- 1.1 degrees nasal and 1.5 +- 0.9 degrees above the fovea
    (Rohrschneider, IOVS 45:3257, 2004); 2.65 +- 0.3 disc diameters away (Jonas et al., PLoS One
    10:e0138701, 2015).
    """
    x = float(np.clip(rng.normal(15.5, 1.1), 13.0, 17.9))
    y = -float(np.clip(rng.normal(1.5, 0.9), -0.65, 3.65))
    diameter = math.hypot(x, y) / float(np.clip(rng.normal(2.65, 0.25), 2.1, 3.3))
    return Eye((x, y), diameter / 2, float(min(rng.lognormal(-0.1, 0.35), 1.8)))
