"""Clouded media: cataract, a veil, blood and floaters in the vitreous, asteroid hyalosis."""

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from input_pipeline.synthetic import fields, optics
from input_pipeline.synthetic.defects.defect import GREEN, Base, Defect
from input_pipeline.synthetic.defects.focus import blurred, everywhere

ABSORBED = np.array([0.55, 1.0, 1.7], np.float32)  # optical density of a brown lens, relative


HAZES = np.array([(1.1, 0.9, 0.7), (0.9, 1.0, 0.8), (0.8, 0.95, 1.05), (1.3, 1.0, 0.9)], np.float32)


def cataract(base: Base, severity: float, rng: np.random.Generator) -> Defect:
    """A lens that takes blue more than red, scatters forward and shines back; then re-exposed.

    I = T (w0 I + w1 I * narrow + w2 I * broad) + (1 - T) veil, after Peli and Peli (IEEE TMI
    8:401, 1989) with a transmission per colour and forward scatter in a core and a skirt (Vos and
    van den Berg's glare function in two terms).
    """
    scene = base.scene
    cloud = 1 + 0.25 * fields.smooth(rng, scene.side, 2.5)
    depth = severity * np.clip(cloud, 0.5, 1.5)
    through = np.exp(-1.3 * depth[..., None] * ABSORBED * rng.uniform(0.7, 1.1))
    core = optics.aperture(optics.blur_of(0.55 * severity, scene.side))
    skirt = optics.aperture(0.05 * scene.side)
    scatter = np.clip(0.75 * depth, 0, 0.95)[..., None]
    yellow = np.array([1.0, rng.uniform(0.75, 0.9), rng.uniform(0.4, 0.65)], np.float32)
    veil = yellow * float(base.mean[GREEN]) * rng.uniform(1.0, 2.5)

    def light(picture: np.ndarray, channels: Sequence[int]) -> np.ndarray:
        narrow, broad = blurred(picture, scene.fov, [core, skirt])
        seen = (1 - scatter) * narrow + scatter * broad
        share = through[..., list(channels)]
        return (share * seen + (1 - share) * veil[list(channels)] * severity).astype(np.float32)

    level = float(through[..., GREEN].mean()) * float(base.mean[GREEN]) + float(
        (1 - through[..., GREEN].mean()) * veil[GREEN] * severity
    )
    gain = float(np.clip(base.mean[GREEN] / max(level, 1e-3), 0.6, 4.0)) ** rng.uniform(0.5, 1)
    return Defect(everywhere(base, severity), light, gain=gain, iso=1 + 3 * severity)


def haze(base: Base, severity: float, rng: np.random.Generator) -> Defect:
    """A veil over all of the field: cornea, tear film, a dirty lens. Noise stays."""
    scene = base.scene
    cloud = 1 + 0.12 * fields.smooth(rng, scene.side, 2.5)
    where = np.clip(severity * np.clip(cloud, 0.7, 1.2), 0, 0.93) * scene.fov
    tint = HAZES[rng.integers(len(HAZES))] * rng.uniform(0.9, 1.1, 3).astype(np.float32)
    # the veil's light, by what a severity means: it leaves (1 - s) of the contrast over the mean
    loss = rng.uniform(0.1, 0.5)
    share = where[..., None].astype(np.float32)
    ratio = np.minimum((1 - loss * share) * share / (1 - share), 25)
    veil = float(base.mean[GREEN]) * tint

    def light(picture: np.ndarray, channels: Sequence[int]) -> np.ndarray:
        return picture * (1 - loss * share) + ratio * veil[list(channels)]

    level = 1 - loss * severity + severity / (1 - min(severity, 0.93))  # of the light, at the mean
    gain = float(max(1, level)) ** -rng.uniform(0.2, 0.9)  # the exposure looks at the veil
    return Defect(where.astype(np.float32), light, gain=gain, iso=1 + 2 * severity)


def vitreous(base: Base, severity: float, rng: np.random.Generator) -> Defect:
    """Blood or a floater in the vitreous: dark red clouds with strands, out of focus."""
    scene = base.scene
    r, phi = 0.6 * np.sqrt(rng.random()), rng.uniform(0, 2 * np.pi)
    radius = rng.uniform(0.25, 0.7)
    wobble = 1 + 0.3 * fields.smooth(rng, scene.side, 5)
    d = np.hypot(scene.y - r * np.sin(phi), scene.x - r * np.cos(phi))
    body = np.exp(-((d / (radius * np.clip(wobble, 0.4, 2))) ** 4))
    web = np.clip(1.1 - 0.8 * np.abs(fields.smooth(rng, scene.side, 9)), 0, 1)
    opacity = np.clip(1.15 * severity * body * (0.65 + 0.35 * web), 0, 1) * scene.fov
    soft = ndimage.gaussian_filter(opacity.astype(np.float32), 0.008 * scene.side)
    colour = base.mean * np.array([0.35, 0.22, 0.25], np.float32) * rng.uniform(0.6, 1.4)
    kernel = optics.aperture(optics.blur_of(0.4 * severity, scene.side))

    def light(picture: np.ndarray, channels: Sequence[int]) -> np.ndarray:
        near = picture + (soft[..., None] > 0.05) * (
            blurred(picture, scene.fov, [kernel])[0] - picture
        ) * np.clip(2 * soft[..., None], 0, 1)
        return near + soft[..., None] * (colour[list(channels)] - near)

    return Defect(soft, light, opacity=soft)


def asteroid(base: Base, severity: float, rng: np.random.Generator) -> Defect:
    """Asteroid hyalosis: many bright bodies in the vitreous, at several depths of focus."""
    scene = base.scene
    count = int(40 + 800 * severity)
    side = scene.side
    layers = np.zeros((3, side, side), np.float32)
    rows, columns = rng.integers(0, side, (2, count))
    np.add.at(layers, (rng.integers(0, 3, count), rows, columns), rng.uniform(0.5, 1.5, count))
    patch = np.clip(0.7 + 0.6 * fields.smooth(rng, side, 3), 0, 1.5)
    opacity = np.zeros((side, side), np.float32)
    for layer, width in zip(layers, (0.0016, 0.003, 0.0055), strict=True):
        sigma = width * side
        opacity += ndimage.gaussian_filter(layer, sigma) * (2 * np.pi * sigma**2) * 0.8
    opacity = np.clip(opacity * patch * (0.4 + severity), 0, 0.97) * scene.fov
    colour = np.array([1.0, 0.9, 0.65], np.float32) * rng.uniform(0.6, 1.2)
    share = opacity[..., None].astype(np.float32)

    def light(picture: np.ndarray, channels: Sequence[int]) -> np.ndarray:
        return picture + share * (colour[list(channels)] - picture)

    return Defect(opacity.astype(np.float32), light, opacity=opacity.astype(np.float32))
