"""The sensor and the file: noise and JPEG."""

import io
import math
from collections.abc import Sequence

import numpy as np
from PIL import Image

from input_pipeline.synthetic.effects import Effect, Scene
from input_pipeline.synthetic.plans import Degradation

FLOOR = 6.0  # grey levels: contrast of the thinnest vessels that HRF's annotators drew


def noise(item: Degradation, scene: Scene) -> Effect:
    """Noise that hides what has less contrast: 1 / (1 - severity) times the clutter `FLOOR`."""
    keep = max(1 - item.severity, 0.05)
    sigma = FLOOR * math.sqrt(1 / keep**2 - 1)
    return Effect(
        lambda picture, channels: picture, item.severity * scene.fov.astype(np.float32), sigma
    )


def grain(rng: np.random.Generator, side: int, sigma: float) -> np.ndarray:
    """Noise [S, S, 3] float32 of standard deviation `sigma`, half of it common to the channels."""
    fine = rng.standard_normal((side, side, 4), dtype=np.float32)
    return sigma * math.sqrt(0.5) * (fine[..., :1] + fine[..., 1:])


# measured on synthetic photographs of 256 and 512 px: quality at which the median cell keeps 1 - s
SEVERITY = (0.0, 0.1, 0.2, 0.3, 0.4, 0.55, 0.7, 1.0)
QUALITY = (95.0, 78.0, 55.0, 38.0, 27.0, 17.0, 12.0, 5.0)


def quality_of(severity: float) -> int:
    """JPEG quality (libjpeg's scale) of a severity."""
    return round(float(np.interp(severity, SEVERITY, QUALITY)))


def jpeg(item: Degradation, scene: Scene) -> Effect:
    """Compression, decoded again. Colour at half resolution, as cameras store it."""
    quality = quality_of(item.severity)

    def apply(picture: np.ndarray, channels: Sequence[int]) -> np.ndarray:
        if item.severity == 0:
            return picture
        grey = np.clip(picture, 0, 255).round().astype(np.uint8)
        buffer = io.BytesIO()
        if len(channels) == 3:
            Image.fromarray(grey).save(buffer, "JPEG", quality=quality, subsampling=2)
        else:
            Image.fromarray(grey[..., 0]).save(buffer, "JPEG", quality=quality)
        back = np.asarray(Image.open(buffer), np.float32)
        return back.reshape(picture.shape)

    return Effect(apply, item.severity * scene.fov.astype(np.float32), lossy=True)
