"""Stray light: the flash's reflex, ghosts of lens surfaces, crescents and rainbows at the rim.

Stray light adds to the retina's in linear light and takes nothing away; it hides by lifting the
level to where the tone curve is flat, and by clipping.
"""

from collections.abc import Sequence

import numpy as np

from input_pipeline.synthetic import fields
from input_pipeline.synthetic.defects.defect import Base, Defect

TINTS = np.array(
    [(1.0, 0.97, 0.92), (0.75, 0.85, 1.0), (1.0, 0.8, 0.5), (0.95, 0.6, 0.9), (0.6, 0.9, 0.8)],
    np.float32,
)


def _added(base: Base, amount: np.ndarray, loss: float = 0.0) -> Defect:
    """Light `amount` [S, S, 3] on top; `loss` of the retina's own light where it is at most 1."""
    amount = (amount * base.scene.fov[..., None]).astype(np.float32)
    top = amount.max(-1)
    keep = (1 - loss * np.clip(top, 0, 1))[..., None].astype(np.float32)
    # what it costs: contrast over the mean falls as L / (L + amount), and above 1 all is lost
    mean = base.mean[1]
    left = mean / (mean + amount[..., 1])
    where = np.where(amount[..., 1] + mean > 1, 1, 1 - left * keep[..., 0]) * base.scene.fov

    def light(picture: np.ndarray, channels: Sequence[int]) -> np.ndarray:
        return picture * keep + amount[..., list(channels)]

    return Defect(where.astype(np.float32), light)


def _strength(base: Base, severity: float) -> float:
    """Light in green that costs `severity` of the contrast over the mean."""
    return float(base.mean[1]) * (1 / (1 - min(severity, 0.97)) - 1)


def flash_reflex(base: Base, severity: float, rng: np.random.Generator) -> Defect:
    """A soft bright spot near the middle, or a pair of them: the flash on cornea and lens."""
    scene = base.scene
    amount = np.zeros((scene.side, scene.side), np.float32)
    for _ in range(int(rng.integers(1, 3))):
        r, phi = rng.uniform(0, 0.45), rng.uniform(0, 2 * np.pi)
        wide, long = rng.uniform(0.14, 0.34), rng.uniform(1.0, 1.8)
        turn = rng.uniform(0, np.pi)
        dy, dx = scene.y - r * np.sin(phi), scene.x - r * np.cos(phi)
        u = (dx * np.cos(turn) + dy * np.sin(turn)) / (wide * long)
        w = (-dx * np.sin(turn) + dy * np.cos(turn)) / wide
        d = np.hypot(u, w)
        amount += 1 / (1 + np.exp(np.clip((d - 1) / rng.uniform(0.08, 0.3), -30, 30)))
    tint = TINTS[rng.integers(len(TINTS))]
    # the flash is far brighter than the retina: where it is strong it clips
    strong = _strength(base, severity) * (1 + rng.uniform(0, 8) * max(severity - 0.4, 0))
    return _added(base, np.clip(amount, 0, 1)[..., None] * tint * strong)


def ghosts(base: Base, severity: float, rng: np.random.Generator) -> Defect:
    """Crisp images of the aperture: discs or polygons along a line through the middle, tinted."""
    scene = base.scene
    amount = np.zeros((scene.side, scene.side, 3), np.float32)
    phi = rng.uniform(0, 2 * np.pi)
    corners = int(rng.choice((0, 5, 6, 8)))
    strong = _strength(base, severity) * (1 + rng.uniform(0, 6) * max(severity - 0.4, 0))
    for _ in range(int(rng.integers(2, 6))):
        at, radius = rng.uniform(-0.7, 0.7), rng.uniform(0.06, 0.2)
        side_step = rng.normal(0, 0.06)
        cy = at * np.sin(phi) + side_step * np.cos(phi)
        cx = at * np.cos(phi) - side_step * np.sin(phi)
        dy, dx = scene.y - cy, scene.x - cx
        d = np.hypot(dy, dx)
        if corners:
            angle = np.arctan2(dy, dx) + rng.uniform(0, 1)
            step = 2 * np.pi / corners
            d = d * np.cos((angle % step) - step / 2) / np.cos(step / 2)
        edge = rng.uniform(0.004, 0.015)
        inside = 1 / (1 + np.exp(np.clip((d - radius) / edge, -30, 30)))
        rim = np.exp(-(((d - radius) / (3 * edge)) ** 2)) * rng.uniform(0, 0.4)
        tint = TINTS[rng.integers(len(TINTS))]
        amount += ((inside * rng.uniform(0.7, 1.0) + rim)[..., None] * tint * strong).astype(
            np.float32
        )
    return _added(base, amount)


def rim_crescent(base: Base, severity: float, rng: np.random.Generator) -> Defect:
    """A crescent of stray light at the rim: the eye too near, too far or off the axis."""
    scene, phi = base.scene, rng.uniform(0, 2 * np.pi)
    off = rng.uniform(0.25, 0.8)
    r = np.hypot(scene.y + off * np.sin(phi), scene.x + off * np.cos(phi))
    reach = float(r[scene.fov].max())
    width = rng.uniform(0.3, 0.8) * (reach - 0.55)
    shape = np.clip((r - (reach - width)) / (0.7 * width), 0, 1)
    shape = shape * (1 + 0.1 * fields.smooth(rng, scene.side, 4))
    tint = TINTS[rng.integers(3)]
    strong = _strength(base, severity) * (1 + rng.uniform(0, 4) * max(severity - 0.4, 0))
    return _added(base, np.clip(shape, 0, 1.3)[..., None] * tint * strong, loss=0.3)


def rainbow(base: Base, severity: float, rng: np.random.Generator) -> Defect:
    """Bands of dispersed light along the rim, blue outside and red inside or the reverse."""
    scene, phi = base.scene, rng.uniform(0, 2 * np.pi)
    off = rng.uniform(0.0, 0.35)
    r = np.hypot(scene.y - off * np.sin(phi), scene.x - off * np.cos(phi))
    middle, wide = rng.uniform(0.72, 0.95), rng.uniform(0.07, 0.14)
    sign = rng.choice((-1.0, 1.0))
    turn = np.cos(np.arctan2(scene.y, scene.x) - rng.uniform(0, 2 * np.pi))
    arc = np.clip(0.5 + 1.5 * (turn - rng.uniform(-0.6, 0.4)), 0, 1)
    bands = [np.exp(-(((r - middle - sign * k * 0.6 * wide) / wide) ** 2)) for k in (-1, 0, 1)]
    strong = _strength(base, severity) * (1 + rng.uniform(0, 4) * max(severity - 0.4, 0))
    return _added(base, np.stack(bands, -1) * arc[..., None] * strong)
