"""Too little light, with and without amplification, light in a part only, and too much of it."""

import math
from collections.abc import Sequence

import numpy as np

from input_pipeline.synthetic.defects import linear_light
from input_pipeline.synthetic.defects.defect import GREEN, Base, Defect, Picture
from input_pipeline.synthetic.defects.focus import everywhere
from input_pipeline.synthetic.defects.visibility import CLUTTER
from input_pipeline.synthetic.effects import region


def iso_of(base: Base, severity: float, light: float, grey: float = 1.0) -> float:
    """Factor on the sensor's variance after which noise costs `severity` of visibility.

    Args:
      base: the photograph; severity: in [0, 1].
      light: linear light at the sensor that counts, in green.
      grey: gain in grey levels from there to the file, at least 1.
    """
    wanted = CLUTTER * math.sqrt(1 / max(1 - severity, 0.04) ** 2 - 1) / grey
    return max(1.0, (wanted / max(base.floor.grey_sd(light, GREEN), 1e-3)) ** 2)


def noise(base: Base, severity: float, rng: np.random.Generator) -> Defect:
    """A fast film: noise of the sensor at the usual exposure."""
    iso = iso_of(base, severity, float(base.mean[GREEN]))
    return Defect(everywhere(base, severity), iso=iso, coarse=rng.uniform(0, 0.9))


def dark(base: Base, severity: float, rng: np.random.Generator) -> Defect:
    """Under-exposed and left so; a weak sensor's noise stays where the light is gone."""
    keep = 10 ** (-2.1 * math.sqrt(severity))
    return Defect(
        everywhere(base, severity),
        lambda picture, channels: picture * np.float32(keep),
        iso=1 + 6 * severity * rng.uniform(0.3, 1),
        coarse=rng.uniform(0, 0.6),
    )


def dark_noise(base: Base, severity: float, rng: np.random.Generator) -> Defect:
    """Under-exposed and amplified: the brightness comes back, and the noise with it."""
    keep = 10 ** (-rng.uniform(0.8, 1.5) * severity)
    gain = rng.uniform(0.25, 1.0) / keep
    light = keep * float(base.mean[GREEN])
    after = float(linear_light.encode(np.float32(gain * light)))
    now = float(linear_light.encode(np.float32(base.mean[GREEN])))
    slopes = linear_light.slope(np.array([light, gain * light], np.float32))
    lift = gain * float(slopes[1] / slopes[0])
    # noise is judged against the contrast that is there now
    shown = after / max(now, 1.0)
    return Defect(
        everywhere(base, severity),
        lambda picture, channels: picture * np.float32(keep),
        iso=iso_of(base, severity, light, max(lift / max(shown, 0.2), 1e-2)),
        coarse=rng.uniform(0, 0.9),
        banding=rng.choice((0.0, 0.1, 0.3)),
        gain=gain,
    )


def uneven(base: Base, severity: float, rng: np.random.Generator) -> Defect:
    """A part of the field in the dark: camera off axis, vignetting. Noise does not dim with it."""
    scene = base.scene
    part = region(rng, scene, rng.uniform(0.25, 0.65), 1.0)
    factor = 10 ** (-2.4 * math.sqrt(severity) * part)
    return Defect(
        severity * part,
        lambda picture, channels: picture * factor[..., None],
        iso=1 + 6 * severity * rng.uniform(0.3, 1),
        coarse=rng.uniform(0, 0.6),
    )


def overexposed(base: Base, severity: float, rng: np.random.Generator) -> Defect:
    """More light than the sensor holds: red clips first, then green."""
    top = float(np.quantile(base.still[base.scene.fov][:, GREEN], 0.3))
    gain = max(1.0, (0.35 + 0.75 * severity) / max(top, 1e-3)) ** min(1.0, 1.6 * severity)
    return Defect(
        everywhere(base, severity),
        lambda picture, channels: picture * np.float32(gain),
        process=_shoulder(gain),
    )


def _shoulder(gain: float) -> Picture:
    """The soft end of a film curve, on grey levels: contrast fades before it clips."""
    knee = 255 * 0.86
    strength = min(1.0, 0.15 * (gain - 1))

    def process(grey: np.ndarray) -> np.ndarray:
        over = np.maximum(grey - knee, 0)
        room = 255 - knee
        soft = knee + room * (1 - np.exp(-over / room * 1.6)) * 0.98
        return np.where(grey > knee, (1 - strength) * grey + strength * soft, grey)

    return process


def overexposed_disc(base: Base, severity: float, rng: np.random.Generator) -> Defect:
    """The optic disc, and what is round it, burnt out."""
    scene, (row, column, radius) = base.scene, base.disc
    reach = radius * rng.uniform(1.2, 2.2)
    r = np.hypot(scene.y - row, scene.x - column)
    share = np.exp(-((r / reach) ** 4)) * scene.fov
    here = base.still[..., GREEN][(r < reach) & scene.fov]
    low = float(np.quantile(here, 0.2)) if here.size else 0.2
    gain = max(1.5, (0.4 + 1.0 * severity) / max(low, 1e-3)) ** min(1.0, 1.6 * severity)
    factor = (1 + (gain - 1) * share)[..., None].astype(np.float32)
    return Defect((severity * share).astype(np.float32), lambda picture, channels: picture * factor)


def small_pupil(base: Base, severity: float, rng: np.random.Generator) -> Defect:
    """Iris in the way of light: the rim, or one side of it, dim under a brown or blue veil."""
    scene, phi = base.scene, rng.uniform(0, 2 * np.pi)
    off = rng.uniform(0, 0.5)
    r = np.hypot(scene.y - off * np.sin(phi), scene.x - off * np.cos(phi))
    inner = rng.uniform(0.35, 0.65)
    share = np.clip((r - inner) / rng.uniform(0.4, 0.6), 0, 1) ** 1.5 * scene.fov
    loss = 1 - 0.985 * np.clip(1.15 * severity, 0, 1) * share
    tints = np.array([(0.09, 0.045, 0.02), (0.03, 0.035, 0.06), (0.12, 0.10, 0.09)])
    tint = (tints[rng.integers(len(tints))] * rng.uniform(0.2, 1.0)).astype(np.float32)
    veil = (severity * share).astype(np.float32)[..., None]

    def light(picture: np.ndarray, channels: Sequence[int]) -> np.ndarray:
        return picture * loss[..., None].astype(np.float32) + veil * tint[list(channels)]

    return Defect((severity * share).astype(np.float32), light, iso=1 + 8 * severity)
