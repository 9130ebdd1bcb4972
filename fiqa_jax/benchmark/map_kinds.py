"""Kinds of quality maps that are compared: those of models, and simpler ones beside them."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from fiqa_jax.inference import explainer, model_dir
from fiqa_jax.maps import localisation
from fiqa_jax.recipe.data import Data

SCALES = (4, 8, 16, 32)  # pixels, deviation of the Gaussian window
BATCH = 8
STEPS = 16  # gradients along the path of integrated gradients
HEAD = "ungradable"  # of a classifier, which its maps explain
EXPLAINED = {"Grad-CAM": "grad_cam", "integrated gradients": "integrated_gradients"}
Arrays = dict[str, NDArray[Any]]
Maps = list[NDArray[Any]]


def laplacian(image: NDArray[np.uint8], fov: NDArray[np.uint8], sigma: float) -> NDArray[Any]:
    """Lack of local Laplacian energy in green, `[S, S]`, higher = worse.

    Args:
      image: `[S, S, 3]`; `fov`: `[S, S]`; `sigma`: deviation of the window in pixels.
    """
    inside = ndimage.binary_erosion(fov > 0, iterations=2)
    energy = np.abs(ndimage.laplace(image[..., 1].astype(np.float32)))
    return -windowed(energy, inside, sigma)


def windowed(values: NDArray[Any], inside: NDArray[np.bool_], sigma: float) -> NDArray[Any]:
    """Mean of `values [S, S]` in a Gaussian window over pixels inside the field."""
    weight = ndimage.gaussian_filter(inside.astype(np.float32), sigma)
    mean = ndimage.gaussian_filter(np.where(inside, values, 0).astype(np.float32), sigma)
    return mean / np.maximum(weight, 1e-6)


def photographs(
    data: Data, split: str, in_part: bool = True
) -> tuple[list[Arrays], list[str], list[str]]:
    """Photographs of a split with known pixels, whose they are, and what they are called.

    Args:
      data: with a truth of visibility.
      split: of the data.
      in_part: only those of which a part is bad and a part is not.

    Returns:
      Examples with `known` and `bad [S, S] bool`, see `localisation.truth_pixels`; people; ids.
    """
    kept, people, names = [], [], []
    for row in data.rows(split):
        example = data.source.read(int(row))
        known, bad = localisation.truth_pixels(example["map"], example["fov"])
        if localisation.in_part(known, bad) if in_part else known.any():
            kept.append({**example, "known": known, "bad": bad})
            people.append(str(data.source.table.patient[row]))
            names.append(str(data.source.table.id[row]))
    return kept, people, names


def in_batches(
    run: Callable[[Arrays], Mapping[str, NDArray[Any]]],
    examples: Sequence[Arrays],
    keys: Sequence[str],
) -> list[Arrays]:
    """Some outputs of a function of batches for every photograph; the last batch is filled up."""
    out: list[Arrays] = []
    for first in range(0, len(examples), BATCH):
        part = list(examples[first : first + BATCH])
        filled = part + [part[-1]] * (BATCH - len(part))
        batch = {k: np.stack([p[k] for p in filled]) for k in ("image", "fov")}
        batch["index"] = np.arange(BATCH, dtype=np.int32)
        result = run(batch)
        out += [{k: result[k][i] for k in keys} for i in range(len(part))]
    return out


def of_models(models: Mapping[str, Path], photographs: Sequence[Arrays]) -> dict[str, Maps]:
    """The maps of every model, and its image mean spread over each photograph."""
    maps: dict[str, Maps] = {}
    for name, path in models.items():
        rows = in_batches(model_dir.load(path).predict, photographs, ("map", "score"))
        maps[name] = [r["map"] for r in rows]
        maps[f"{name}, image mean"] = [np.full((2, 2), r["score"], np.float32) for r in rows]
    return maps


def of_classifier(path: Path, photographs: Sequence[Arrays]) -> dict[str, Maps]:
    """Maps that explain why a classifier calls photographs ungradable.

    Raises:
      explainer.ExplainError: a model without that head.
    """
    model = model_dir.load(path)
    maps: dict[str, Maps] = {}
    for name, kind in EXPLAINED.items():
        explain = explainer.explainer(model, HEAD, explainer.Settings(kind, steps=STEPS))
        rows = in_batches(_only_map(explain), photographs, ("map",))
        maps[name] = [r["map"] for r in rows]
    return maps


def _only_map(explain: explainer.Explainer) -> Callable[[Arrays], Arrays]:
    return lambda batch: {"map": explain(batch).map}


def of_recipe(workdir: Path, photographs: Sequence[Arrays]) -> tuple[Maps, dict[str, list[Maps]]]:
    """What needs no adapter: the anomaly of inpainting, and energy and density at every scale.

    Args:
      workdir: of configs/efiqa.py or one that holds its stages.
      found: see `photographs`.

    Returns:
      Maps of anomaly; name -> maps at each of `SCALES`.
    """
    segmentor = model_dir.load(workdir / "segmentor" / "model")
    vessels = [r["vessels"] for r in in_batches(segmentor.predict, photographs, ("vessels",))]
    inpaint = model_dir.load(workdir / "threshold" / "model")
    stored = [
        {"image": np.rint(v * 255).astype(np.uint8), "fov": f["fov"]}
        for v, f in zip(vessels, photographs, strict=True)
    ]
    anomaly = [r["cells"] for r in in_batches(inpaint.predict, stored, ("cells",))]
    scales: dict[str, list[Maps]] = {"Laplacian energy": [], "vessel density": []}
    for sigma in SCALES:
        scales["Laplacian energy"].append(
            [laplacian(f["image"], f["fov"], sigma) for f in photographs]
        )
        scales["vessel density"].append(
            [
                -windowed(v[..., 2], f["fov"] > 0, sigma)
                for v, f in zip(vessels, photographs, strict=True)
            ]
        )
    return anomaly, scales
