"""Light: too little, too much, unevenly spread, washed out; haze of the media.

Haze is the model of a cataract by Peli and Peli (IEEE Trans Med Imaging 8:401, 1989),
I = a L t R + L (1 - t): a clouded lens of transmission t dims the retina R and adds its own
scattered light L (1 - t). Uneven light follows Shen et al. (IEEE TMI 40:996, 2021): a smooth
local factor on the photograph.
"""

from collections.abc import Sequence

import numpy as np

from input_pipeline.synthetic import fields, optics
from input_pipeline.synthetic.effects import Effect, Scene, blend, region
from input_pipeline.synthetic.plans import Degradation


def dark(item: Degradation, scene: Scene) -> Effect:
    """Under-exposure: every grey level times 1 - severity."""
    keep = 1 - item.severity
    return Effect(
        lambda picture, channels: picture * keep, item.severity * scene.fov.astype(np.float32)
    )


def bright(item: Degradation, scene: Scene) -> Effect:
    """Over-exposure: more light, pressed against the sensor's ceiling.

    Gain k = 1 + 1.2 s, then a share c towards white with k (1 - c) = 1 - s, then clipping.
    """
    gain = 1 + 1.2 * item.severity
    press = 1 - (1 - item.severity) / gain
    pale, white = np.array([255, 200, 125], np.float32), np.array([255, 250, 235], np.float32)
    white = pale + item.severity * (white - pale)  # red saturates first, then green

    def apply(picture: np.ndarray, channels: Sequence[int]) -> np.ndarray:
        up = picture * gain
        return np.minimum(up + press * (white[list(channels)] - up), 255)

    return Effect(apply, item.severity * scene.fov.astype(np.float32))


def uneven(item: Degradation, scene: Scene) -> Effect:
    """A part of the field in the dark: small pupil, camera off axis."""
    where = item.severity * region(np.random.default_rng(item.seed), scene, item.area, 1.0)
    return Effect(lambda picture, channels: picture * (1 - where[..., None]), where)


def low_contrast(item: Degradation, scene: Scene) -> Effect:
    """Grey levels pressed towards the mean colour of the field, somewhat desaturated."""
    rng = np.random.default_rng(item.seed)
    grey = float(scene.colour @ np.array([0.299, 0.587, 0.114], np.float32))
    aim = scene.colour + rng.uniform(0.0, 0.5) * (grey - scene.colour)
    aim = aim * rng.uniform(0.85, 1.2)
    share = np.full((1, 1, 1), item.severity, np.float32)
    return Effect(
        lambda picture, channels: blend(picture, aim[list(channels)], share),
        item.severity * scene.fov.astype(np.float32),
    )


def haze(item: Degradation, scene: Scene) -> Effect:
    """A clouded lens: transmission 1 - severity, a little blur, a grey veil."""
    rng = np.random.default_rng(item.seed)
    cloud = np.clip(
        1 + 0.12 * fields.smooth(rng, scene.side, 2.5), 0.6, 1.0 / max(item.severity, 1)
    )
    where = np.clip(item.severity * cloud, 0, 1) * scene.fov
    level = np.clip(scene.colour[0] * rng.uniform(0.65, 1.05), 60, 225)
    veil = level * np.array([1.0, rng.uniform(0.78, 0.95), rng.uniform(0.6, 0.95)], np.float32)
    r = np.hypot(scene.y, scene.x)
    light = (1.06 - 0.25 * r**2)[..., None]
    kernel = optics.aperture(0.2 * optics.blur_of(item.severity, scene.side))

    def apply(picture: np.ndarray, channels: Sequence[int]) -> np.ndarray:
        soft = optics.convolve(picture, scene.fov, kernel)
        return np.minimum(blend(soft, veil[list(channels)] * light, where), 255)

    return Effect(apply, where)
