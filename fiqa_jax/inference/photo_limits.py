"""What a photograph shows beside a model's outputs, as limits on its decision."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fiqa_jax.maps import landmarks
from fiqa_jax.maps.resizing import resized
from fiqa_jax.predictions import triage
from fiqa_jax.predictions.triage import Finding
from input_pipeline.photo.reader import Photo


def findings(
    photo: Photo,
    quality: NDArray[np.floating] | None,
    threshold: float,
    places: landmarks.Sought | None = None,
    *,
    frames: bool = False,
) -> list[Finding]:
    """Findings about one photograph.

    Args:
      photo: as it was judged.
      quality: its map `[h, w]` in [0, 1], 1 = bad, or None.
      threshold: of the map; a place is bad from here on.
      places: its landmarks, where others want them, too.
      frames: photographs without a round edge are expected.
    """
    out = field_findings(photo.across, photo.shown, photo.empty, frames=frames)
    if quality is not None and not photo.empty:
        out += picture_findings(photo.image, photo.fov, quality, threshold, places)
    return out


def field_findings(across: float, shown: float, empty: str, *, frames: bool) -> list[Finding]:
    """Findings about a field; the arguments are those of `Photo` and of `findings`."""
    asked = not (math.isnan(shown) and (frames or empty))
    every = (
        triage.nothing_seen(empty),
        triage.too_few_pixels(across),
        triage.cut_field(shown) if asked else None,
    )
    return [finding for finding in every if finding is not None]


def picture_findings(
    image: NDArray[np.uint8],
    fov: NDArray[np.uint8],
    quality: NDArray[np.floating],
    threshold: float,
    places: landmarks.Sought | None = None,
) -> list[Finding]:
    """Findings where the field is too dark, and where too much of the macula is bad.

    Args:
      image: `[S, S, C]` uint8; only a photograph in colour shows where its macula is, and only of
        one is known how bright it should be.
      fov: `[S, S]` uint8, 1 inside; `quality`, `threshold`, `places`: see `findings`.
    """
    if image.shape[-1] != 3 or not fov.any():
        return []
    dark = triage.too_dark(brightest(image, fov))
    lost = None
    if (quality >= threshold).any():
        known = (places or landmarks.sought(image, fov))()
        share = landmarks.shares(resized(quality, *fov.shape), fov, known, threshold)
        lost = triage.macula_lost(share["macula"])
    return [finding for finding in (dark, lost) if finding]


def brightest(image: NDArray[np.uint8], fov: NDArray[np.uint8]) -> float:
    """Where the brightest twentieth of a field begins, of 255: of every pixel its largest channel.

    Args:
      image: `[S, S, C]` uint8; `fov`: `[S, S]` uint8, 1 inside, somewhere.
    """
    # Channel by channel: numpy takes five times as long for the largest along a short last axis.
    largest = np.maximum.reduce([image[..., channel] for channel in range(image.shape[-1])])
    return float(np.percentile(largest[fov > 0], 95))


def ungradable_where(
    outputs: Mapping[str, NDArray[Any]], empty: NDArray[np.bool_]
) -> dict[str, NDArray[Any]]:
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
    for key in ("causes", "p_details"):
        if key in out:
            out[key][empty] = 0  # nothing is seen: no telling what is in the way
    if "p_quality" in out:
        out["p_quality"][empty] = np.eye(out["p_quality"].shape[-1])[-1]
    return out
