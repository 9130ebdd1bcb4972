"""Things in the way: eyelashes, dust, flare at the rim, floaters.

A thing of opacity o and colour J turns I into (1 - o) I + o J, like the artefacts of Shen et al.
(IEEE TMI 40:996, 2021), whose bright spots only add light.
"""

import math

import numpy as np
from scipy import ndimage

from input_pipeline.synthetic import fields, raster
from input_pipeline.synthetic.effects import Effect, Scene, blend
from input_pipeline.synthetic.plans import Degradation


def _veil(where: np.ndarray, colour: np.ndarray) -> Effect:
    """Opacity `where` [S, S] of a thing of a colour [3]."""
    return Effect(
        lambda picture, channels: np.minimum(blend(picture, colour[list(channels)], where), 255),
        where,
    )


def flare(item: Degradation, scene: Scene) -> Effect:
    """A crescent of stray light at the rim."""
    rng = np.random.default_rng(item.seed)
    phi = rng.uniform(0, 2 * np.pi)
    off = rng.uniform(0.25, 0.9)  # centre of the dark disc that the crescent surrounds
    r = np.hypot(scene.y + off * np.sin(phi), scene.x + off * np.cos(phi))
    border = np.quantile(r[scene.fov], 1 - min(item.area, 0.98))
    width = rng.uniform(0.5, 1.0) * max(float(r[scene.fov].max() - border), 0.05)
    shape = np.clip(0.5 + 0.5 * (r - border) / width, 0, 1)  # brightest at the rim
    tints = np.array([(255, 250, 240), (235, 240, 255), (255, 225, 170), (190, 215, 255)])
    tint = tints[rng.integers(len(tints))].astype(np.float32)
    return _veil((item.severity * shape * scene.fov).astype(np.float32), tint)


def eyelash(item: Degradation, scene: Scene) -> Effect:
    """Out-of-focus lashes that reach into the field from above or below."""
    rng = np.random.default_rng(item.seed)
    side = scene.side
    below = 1.0 if rng.random() < 0.7 else -1.0
    thick = rng.uniform(0.008, 0.016) * side
    long = np.clip(2.2 * math.sqrt(item.area), 0.25, 1.1)
    count = int(np.clip(item.area * math.pi / 4 * side / (1.6 * thick * long), 2, 60))
    rim = np.flatnonzero(scene.fov.any(1))[-1 if below > 0 else 0]
    chains = []
    for _ in range(count):
        root = rng.uniform(0.12, 0.88) * side
        lean = rng.normal(0, 0.3) + 0.6 * (root / side - 0.5)
        curl = rng.normal(0, 0.25)
        t = np.linspace(0, 1, 12)
        reach = 0.5 * long * side * rng.uniform(0.5, 1.15)
        x = root + reach * (lean * t + curl * t**2)
        y = rim + below * 2 - below * reach * t
        width = thick * 0.5 * (1 - 0.8 * t) * rng.uniform(0.7, 1.3)
        chains.append((np.stack([x, y], 1), width, np.ones(len(t))))
    cover = raster.paint(chains, side).cover
    soft = ndimage.gaussian_filter(cover, rng.uniform(0.006, 0.018) * side)
    where = item.severity * np.clip(1.35 * soft, 0, 1) * scene.fov
    return _veil(where.astype(np.float32), 0.12 * scene.colour * rng.uniform(0.5, 2.0))


def dust(item: Degradation, scene: Scene) -> Effect:
    """Specks on the lens: round, out of focus, dark or bright."""
    rng = np.random.default_rng(item.seed)
    where, left = np.zeros((scene.side, scene.side), np.float32), item.area * math.pi
    for _ in range(200):  # in half sides, the field's area is near pi
        radius = min(rng.lognormal(math.log(0.035), 0.5), 0.16, 1.2 * math.sqrt(left / math.pi))
        r, phi = math.sqrt(rng.random()), rng.uniform(0, 2 * math.pi)
        d = np.hypot(scene.y - r * math.sin(phi), scene.x - r * math.cos(phi))
        spot = 1 / (1 + np.exp(np.clip((d / radius - 1) / 0.22, -30, 30)))
        where = np.maximum(where, spot * rng.uniform(0.75, 1))
        left -= math.pi * radius**2
        if left < 1e-4:
            break
    pale = rng.random() < 0.4
    colour = np.array([235, 225, 205], np.float32) if pale else 0.25 * scene.colour
    return _veil((item.severity * where * scene.fov).astype(np.float32), colour)


def floater(item: Degradation, scene: Scene) -> Effect:
    """A vitreous opacity: a soft shadow with strands."""
    rng = np.random.default_rng(item.seed)
    r, phi = 0.7 * math.sqrt(rng.random()), rng.uniform(0, 2 * math.pi)
    radius = math.sqrt(item.area)
    dy, dx = scene.y - r * math.sin(phi), scene.x - r * math.cos(phi)
    wobble = 1 + 0.25 * fields.smooth(rng, scene.side, 5 / max(radius, 0.15))
    body = np.exp(-((np.hypot(dy, dx) / (1.15 * radius * wobble.clip(0.4, 2))) ** 4))
    web = np.clip(1.1 - 0.8 * np.abs(fields.smooth(rng, scene.side, 9)), 0, 1)
    where = item.severity * body * (0.7 + 0.3 * web) * scene.fov
    return _veil(where.astype(np.float32), 0.3 * scene.colour)
