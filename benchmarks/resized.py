"""Photographs written anew at another size, as cameras of that size write them."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from input_pipeline.photo.decode import decode

GRAIN = 2.0  # grey levels, sd: pixels made by enlarging alone are smooth, and decode too fast
QUALITY = 92  # of JPEG; Kaggle's EyePACS originals are about as good


def jpegs(files: list[Path], side: int) -> list[bytes]:
    """JPEG files of photographs whose longer side is `side` pixels, with a sensor's grain."""
    rng, out = np.random.default_rng(0), []
    for file in files:
        image = decode(file).image
        share = side / max(image.size)
        size = round(image.width * share), round(image.height * share)
        pixels = np.asarray(image.resize(size, Image.Resampling.LANCZOS), np.float32)
        grain = rng.normal(0, GRAIN, pixels.shape[:2]).astype(np.float32)
        noisy = np.clip(np.rint(pixels + grain[..., None]), 0, 255).astype(np.uint8)
        data = io.BytesIO()
        Image.fromarray(noisy).save(data, "JPEG", quality=QUALITY)
        out.append(data.getvalue())
    return out
