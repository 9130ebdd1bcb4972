"""What a photograph shows beside a model's outputs, as limits on its decision."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fiqa_jax.maps import landmarks
from fiqa_jax.predictions import advice
from fiqa_jax.predictions.advice import Finding
from input_pipeline.photo.reader import Photo


def of(photo: Photo, quality: NDArray[np.floating] | None, threshold: float) -> list[Finding]:
    """Findings about one photograph.

    Args:
      photo: as it was judged.
      quality: its map `[h, w]` in [0, 1], 1 = bad, or None.
      threshold: of the map; a place is bad from here on.
    """
    macula = float("nan")
    if quality is not None and photo.image.shape[-1] == 3 and not photo.empty:
        side = len(photo.fov)
        large = Image.fromarray(np.asarray(quality, np.float32)).resize(
            (side, side), Image.Resampling.BILINEAR
        )
        found = landmarks.find(photo.image, photo.fov)
        macula = landmarks.shares(np.asarray(large), photo.fov, found, threshold)["macula"]
    every = (
        advice.nothing_seen(photo.empty),
        advice.too_few_pixels(photo.across),
        advice.cut_field(photo.shown),
        advice.macula_lost(macula),
    )
    return [finding for finding in every if finding is not None]


def worst(outputs: Mapping[str, NDArray[Any]], empty: NDArray[np.bool_]) -> dict[str, NDArray[Any]]:
    """Outputs with the worst grade, score and map where nothing of a retina can be seen.

    A model has not learned from such pictures; what it says of them is chance.

    Args:
      outputs: of a method, [N, ...]; `empty`: [N].
    """
    out = {key: np.array(value) for key, value in outputs.items()}
    if not empty.any():
        return out
    for key in ("score", "map", "p_ungradable"):
        if key in out:
            out[key][empty] = 1
    if "p_quality" in out:
        out["p_quality"][empty] = np.eye(out["p_quality"].shape[-1])[-1]
    return out
