"""What every kind acts on, and what it gives back: the way from the eye to the file.

    light from the eye -> `light` -> sensor: noise, full well -> `gain` -> tone curve -> `process`
    -> JPEG at `quality` -> `stamp`

A kind fills in the steps it is about; the others stay as the photograph's own.
"""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from input_pipeline.synthetic.defects.noise_floor import NoiseFloor
from input_pipeline.synthetic.effects import Scene

GREEN = 1
CAUSES = ("illumination", "sharpness", "contrast", "covered")

Light = Callable[[np.ndarray, Sequence[int]], np.ndarray]
Picture = Callable[[np.ndarray], np.ndarray]


@dataclasses.dataclass(frozen=True)
class Base:
    """A good photograph made ready: everything that does not depend on the defect."""

    image: np.ndarray  # [S, S, 3] uint8
    scene: Scene
    light: np.ndarray  # [S, S, 3] float32, linear, with the photograph's noise
    still: np.ndarray  # [S, S, 3] float32, linear, noise removed
    seen: np.ndarray  # [S, S] float32, linear green of `still` with probe vessels
    bare: np.ndarray  # [S, S] float32, linear green of `still` without any vessel
    at: np.ndarray  # [S, S] float32, share of each pixel that is vessel or probe
    free: np.ndarray  # [S, S] bool, inside the field and away from vessels
    floor: NoiseFloor
    quality: int  # of its JPEG
    cells: int
    disc: tuple[float, float, float]  # row, column, radius of the optic disc, half sides

    @property
    def mean(self) -> np.ndarray:
        """[3] float32, mean linear light inside the field."""
        return self.still[self.scene.fov].mean(0)


@dataclasses.dataclass(frozen=True)
class Defect:
    """One kind made ready for one photograph."""

    where: np.ndarray  # [S, S] float32, local severity in [0, 1]
    light: Light | None = None  # ([S, S, C] linear, its channels of RGB) -> the same
    iso: float = 1.0  # factor on the variance of the sensor's noise
    coarse: float = 0.0  # see `noise_floor.grain`
    banding: float = 0.0  # share of the noise that a row of pixels has in common
    gain: float = 1.0  # after the sensor: what exposure does to signal and noise alike
    process: Picture | None = None  # [S, S, C] grey levels -> the same: sharpening, scaling
    quality: tuple[tuple[int, int], ...] = ()  # (JPEG quality, shift of the grid), in turn
    stamp: tuple[np.ndarray, np.ndarray] | None = None  # opacity [S, S], colour [S, S, 3] 0..255
    opacity: np.ndarray | None = None  # [S, S] float32, of things in the way
    extent: np.ndarray | None = None  # [S, S] float32: a whole-field kind acts only here
