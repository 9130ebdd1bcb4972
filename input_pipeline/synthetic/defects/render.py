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
        for defect in self.defects:
            if defect.light is not None:
                picture = _within(defect, picture, defect.light(picture, channels))
        return picture

    def variance(self, light: np.ndarray, channel: int) -> np.ndarray:
        """Variance of the sensor's noise [S, S] where light [S, S] falls on it."""
        variance = self.base.floor.variance(light, channel)
        for defect in self.defects:
            if defect.iso != 1:
                variance = variance * _share(defect, defect.iso)
        return variance

    def noise(self, rng: np.random.Generator, channels: int) -> np.ndarray:
        """Noise of deviation 1, [S, S, C] float32."""
        side = self.base.scene.side
        coarse = max([defect.coarse for defect in self.defects], default=0.0)
        out = noise_floor.grain(rng, side, channels, coarse)
        banding = max([defect.banding for defect in self.defects], default=0.0)
        if banding:
            rows = rng.standard_normal((side, 1, channels), dtype=np.float32)
            out = np.sqrt(1 - banding) * out + np.sqrt(banding) * rows
        return out

    def develop(self, light: np.ndarray, compress: bool = True) -> np.ndarray:
        """Grey levels [S, S, C] float32 of light at the sensor, its noise included."""
        gain: np.ndarray | float = 1.0
        for defect in self.defects:
            if defect.gain != 1:
                gain = gain * _share(defect, defect.gain)[..., None]
        grey = linear_light.encode(np.minimum(light, 1) * gain)
        for defect in self.defects:
            if defect.process is not None:
                grey = _within(defect, grey, defect.process(grey))
        if compress:
            for defect in self.defects:
                for quality, shift in defect.quality:
                    grey = _within(defect, grey, _saved(grey, quality, shift))
        for defect in self.defects:
            if defect.stamp is not None:
                opacity, colour = defect.stamp
                ink = colour if grey.shape[-1] == 3 else colour[..., GREEN : GREEN + 1]
                grey = grey + opacity[..., None] * (ink - grey)
        return _saved(grey, self.base.quality, 0) if compress else grey

    def opacity(self) -> np.ndarray:
        """[S, S] float32, of all things in the way."""
        left = np.ones(self.base.scene.fov.shape, np.float32)
        for defect in self.defects:
            if defect.opacity is not None:
                left = left * (1 - defect.opacity)
            if defect.stamp is not None:
                left = left * (1 - defect.stamp[0])
        return 1 - left


def photograph(
    process: Way, shot: np.ndarray, still: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """The photograph as the defects leave it, with as much noise as its sensor would add.

    A defect acts on the photograph's noise, too, and blur takes it away; what is missing of the
    sensor's noise is added.

    Args:
      process: what happens.
      shot: [S, S, 3] linear, `way.light` of the photograph with its noise.
      still: [S, S] linear, `way.light` of its green without noise.
      rng: of the noise.

    Returns:
      [S, S, 3] uint8, black outside the field.
    """
    base = process.base
    before = ndimage.uniform_filter((base.light - base.still)[..., GREEN] ** 2, WINDOW)
    after = ndimage.uniform_filter((shot[..., GREEN] - still) ** 2, WINDOW)
    kept = after / np.maximum(before, 1e-12)
    noise = process.noise(rng, 3)
    out = np.empty_like(shot)
    for k in range(3):
        variance = base.floor.variance(base.light[..., k], k) * kept
        missing = np.maximum(process.variance(shot[..., k], k) - variance, 0)
        out[..., k] = shot[..., k] + np.sqrt(missing) * noise[..., k]
    grey = np.clip(process.develop(out), 0, 255).round().astype(np.uint8)
    grey[~base.scene.fov] = 0  # a rim left as it was would give the defect away
    return grey


def noisy(process: Way, light: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Grey levels [S, S] of green light [S, S] without noise, given noise [S, S] of deviation 1."""
    shot = light + np.sqrt(process.variance(light, GREEN)) * noise
    return np.rint(process.develop(shot[..., None])[..., 0])


def clean(process: Way, light: np.ndarray) -> np.ndarray:
    """Grey levels [S, S] of green light [S, S] without noise or compression."""
    return process.develop(light[..., None], compress=False)[..., 0]


def _share(defect: Defect, factor: float) -> np.ndarray:
    if defect.extent is None:
        return np.full((1, 1), factor, np.float32)
    return 1 + defect.extent * np.float32(factor - 1)


def _within(defect: Defect, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    if defect.extent is None:
        return after
    return before + defect.extent[..., None] * (after - before)


def _saved(grey: np.ndarray, quality: int, shift: int) -> np.ndarray:
    if grey.shape[-1] == 3:
        return compression.jpeg(grey, quality, shift)
    return compression.jpeg(grey[..., 0], quality, shift)[..., None]
