"""From light to the file: sensor, exposure, tone curve, processing and JPEG of several defects."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from input_pipeline.synthetic.defects import compression, linear_light, noise_floor
from input_pipeline.synthetic.defects.defect import GREEN, Base, Defect

WINDOW = 15  # pixels over which the photograph's own noise is compared before and after


@dataclasses.dataclass(frozen=True)
class Way:
    """Several defects in a row, on one photograph."""

    base: Base
    defects: tuple[Defect, ...]

    def light(self, picture: np.ndarray, channels: Sequence[int]) -> np.ndarray:
        """Light at the sensor of light from the eye, [S, S, C] linear each."""
        for one in self.defects:
            if one.light is not None:
                picture = _within(one, picture, one.light(picture, channels))
        return picture

    def variance(self, light: np.ndarray, channel: int) -> np.ndarray:
        """Variance of the sensor's noise [S, S] where light [S, S] falls on it."""
        variance = self.base.floor.variance(light, channel)
        for one in self.defects:
            if one.iso != 1:
                variance = variance * _share(one, one.iso)
        return variance

    def noise(self, rng: np.random.Generator, channels: int) -> np.ndarray:
        """Noise of deviation 1, [S, S, C] float32."""
        side = self.base.scene.side
        coarse = max([one.coarse for one in self.defects], default=0.0)
        out = noise_floor.grain(rng, side, channels, coarse)
        banding = max([one.banding for one in self.defects], default=0.0)
        if banding:
            rows = rng.standard_normal((side, 1, channels), dtype=np.float32)
            out = np.sqrt(1 - banding) * out + np.sqrt(banding) * rows
        return out

    def develop(self, light: np.ndarray, compress: bool = True) -> np.ndarray:
        """Grey levels [S, S, C] float32 of light at the sensor, its noise included."""
        gain: np.ndarray | float = 1.0
        for one in self.defects:
            if one.gain != 1:
                gain = gain * _share(one, one.gain)[..., None]
        grey = linear_light.encode(np.minimum(light, 1) * gain)
        for one in self.defects:
            if one.process is not None:
                grey = _within(one, grey, one.process(grey))
        if compress:
            for one in self.defects:
                for quality, shift in one.quality:
                    grey = _within(one, grey, _saved(grey, quality, shift))
        for one in self.defects:
            if one.stamp is not None:
                opacity, colour = one.stamp
                ink = colour if grey.shape[-1] == 3 else colour[..., GREEN : GREEN + 1]
                grey = grey + opacity[..., None] * (ink - grey)
        return _saved(grey, self.base.quality, 0) if compress else grey

    def opacity(self) -> np.ndarray:
        """[S, S] float32, of all things in the way."""
        left = np.ones(self.base.scene.fov.shape, np.float32)
        for one in self.defects:
            if one.opacity is not None:
                left = left * (1 - one.opacity)
            if one.stamp is not None:
                left = left * (1 - one.stamp[0])
        return 1 - left


def photograph(
    way: Way, shot: np.ndarray, still: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """The photograph as the defects leave it, with as much noise as its sensor would add.

    A defect acts on the photograph's noise, too, and blur takes it away; what is missing of the
    sensor's noise is added.

    Args:
      way: what happens.
      shot: [S, S, 3] linear, `way.light` of the photograph with its noise.
      still: [S, S] linear, `way.light` of its green without noise.
      rng: of the noise.

    Returns:
      [S, S, 3] uint8, black outside the field.
    """
    base = way.base
    before = ndimage.uniform_filter((base.light - base.still)[..., GREEN] ** 2, WINDOW)
    after = ndimage.uniform_filter((shot[..., GREEN] - still) ** 2, WINDOW)
    kept = after / np.maximum(before, 1e-12)
    noise = way.noise(rng, 3)
    out = np.empty_like(shot)
    for k in range(3):
        own = base.floor.variance(base.light[..., k], k) * kept
        missing = np.maximum(way.variance(shot[..., k], k) - own, 0)
        out[..., k] = shot[..., k] + np.sqrt(missing) * noise[..., k]
    grey = np.clip(way.develop(out), 0, 255).round().astype(np.uint8)
    grey[~base.scene.fov] = 0  # a rim left as it was would give the defect away
    return grey


def noisy(way: Way, light: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Grey levels [S, S] of green light [S, S] without noise, given noise [S, S] of deviation 1."""
    shot = light + np.sqrt(way.variance(light, GREEN)) * noise
    return np.rint(way.develop(shot[..., None])[..., 0])


def clean(way: Way, light: np.ndarray) -> np.ndarray:
    """Grey levels [S, S] of green light [S, S] without noise or compression."""
    return way.develop(light[..., None], compress=False)[..., 0]


def _share(one: Defect, factor: float) -> np.ndarray:
    if one.extent is None:
        return np.full((1, 1), factor, np.float32)
    return 1 + one.extent * np.float32(factor - 1)


def _within(one: Defect, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    if one.extent is None:
        return after
    return before + one.extent[..., None] * (after - before)


def _saved(grey: np.ndarray, quality: int, shift: int) -> np.ndarray:
    if grey.shape[-1] == 3:
        return compression.jpeg(grey, quality, shift)
    return compression.jpeg(grey[..., 0], quality, shift)[..., None]
