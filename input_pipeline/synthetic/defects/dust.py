"""Dust and drops on the lens: discs with diffraction rings, at one place over a camera's series."""

import math
from collections.abc import Sequence

import numpy as np
from scipy import special

from input_pipeline.synthetic.defects.defect import Base, Defect
from input_pipeline.synthetic.defects.focus import blurred
from input_pipeline.synthetic.optics import aperture, blur_of


def ring(d: np.ndarray, radius: float, turns: float) -> np.ndarray:
    """A speck out of focus: 1 inside, bright and dark rings about its edge (Fresnel's fringes).

    Args:
      d: distance from its middle; radius: of its edge, same unit.
      turns: rings within a radius; the more, the nearer to focus.

    Returns:
      Opacity, about 0 far away and 1 inside, overshooting at the edge.
    """
    s, c = special.fresnel(np.clip((radius - d) / radius * turns, -40, 40))
    return ((c + 0.5) ** 2 + (s + 0.5) ** 2) / 2


def dust(base: Base, severity: float, rng: np.random.Generator) -> Defect:
    """Specks that take light, with rings; a few near focus, most far from it.

    Positions and shapes come from the seed alone: one seed over many photographs is one camera.
    """
    scene = base.scene
    through = np.ones((scene.side, scene.side), np.float32)
    cover = np.zeros_like(through)
    for _ in range(int(3 + 22 * severity * rng.uniform(0.5, 1.2))):
        radius = float(np.clip(rng.lognormal(math.log(0.055), 0.5), 0.015, 0.18))
        r, phi = 0.95 * math.sqrt(rng.random()), rng.uniform(0, 2 * math.pi)
        squeeze, turn = rng.uniform(0.8, 1.0), rng.uniform(0, math.pi)
        turns, depth = rng.uniform(1.2, 6.0), severity * rng.uniform(0.75, 1.15)
        dy, dx = scene.y - r * math.sin(phi), scene.x - r * math.cos(phi)
        rows, columns = (np.flatnonzero(np.abs(x.ravel()) < 2.2 * radius) for x in (dy, dx))
        if not (len(rows) and len(columns)):
            continue
        box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
        dy, dx = dy[box[0]], dx[:, box[1]]
        u = dx * math.cos(turn) + dy * math.sin(turn)
        w = (-dx * math.sin(turn) + dy * math.cos(turn)) / squeeze
        d = np.hypot(u, w)
        fade = np.clip((2.2 - d / radius) / 0.6, 0, 1)  # rings die away
        shape = fade * ring(d, radius, turns)
        depth = min(depth, 0.97)
        through[box] = through[box] * np.clip(1 - depth * shape, 0.01, 1.6)
        cover[box] = np.maximum(cover[box], depth * np.clip(shape, 0, 1))
    where = (np.clip(cover, 0, 1) * scene.fov).astype(np.float32)
    pale = rng.random() < 0.35
    glow = base.mean * np.array([1.6, 2.4, 3.0], np.float32) * rng.uniform(0.6, 1.5)
    factor = through[..., None].astype(np.float32)

    def light(picture: np.ndarray, channels: Sequence[int]) -> np.ndarray:
        out = picture * factor
        return out + where[..., None] * glow[list(channels)] if pale else out

    return Defect(where, light, opacity=where)


def drops(base: Base, severity: float, rng: np.random.Generator) -> Defect:
    """Drops of tear or cleaner: what lies behind is smeared, their rim shines and casts a shade."""
    scene = base.scene
    inside: np.ndarray = np.zeros((scene.side, scene.side), np.float32)
    shine: np.ndarray = np.zeros_like(inside)
    for _ in range(int(2 + 7 * severity * rng.uniform(0.6, 1.2))):
        radius = rng.uniform(0.07, 0.24)
        r, phi = 0.85 * math.sqrt(rng.random()), rng.uniform(0, 2 * math.pi)
        dy, dx = scene.y - r * math.sin(phi), scene.x - r * math.cos(phi)
        d = np.hypot(dy * rng.uniform(0.8, 1.2), dx) / radius
        edge = rng.uniform(0.06, 0.2)
        inside = np.maximum(inside, 1 / (1 + np.exp(np.clip((d - 1) / edge * 3, -30, 30))))
        lit = 0.5 + 0.5 * np.cos(np.arctan2(dy, dx) - rng.uniform(0, 2 * math.pi))
        shine = shine + np.exp(-(((d - 1) / edge) ** 2)) * (1.6 * lit - 0.5)
    share = (inside * scene.fov)[..., None].astype(np.float32)
    kernel = aperture(blur_of(min(0.5 + 0.6 * severity, 0.97) * min(1, 2 * severity), scene.side))
    bright = (severity * 0.6 * shine)[..., None].astype(np.float32)

    def light(picture: np.ndarray, channels: Sequence[int]) -> np.ndarray:
        soft = blurred(picture, scene.fov, [kernel])[0]
        mean = base.mean[list(channels)]
        return (
            np.maximum(picture + share * (soft - picture), 0) * np.exp(0.3 * bright)
            + np.maximum(bright, 0) * mean
        )

    return Defect((severity * share[..., 0]).astype(np.float32), light)
