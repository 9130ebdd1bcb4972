"""The maps that are compared on spoilt photographs: simple ones, fitted ones, those of models."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from fiqa_jax.benchmark import defect_fit, defect_scores
from fiqa_jax.benchmark.defect_copies import Copies
from fiqa_jax.benchmark.defect_scores import Score
from fiqa_jax.benchmark.map_kinds import in_batches
from fiqa_jax.inference import model_dir
from fiqa_jax.maps.resizing import resized
from fiqa_jax.models import cell_measures

PLACE = {name: k for k, name in enumerate(cell_measures.NAMES)}
LEVELS = (0, 1, 2)  # of the pyramid
WINDOWS = (0.5, 1.0, 2.0)  # cells, deviation


def _column(copies: Copies, k: int, name: str) -> NDArray[np.float32]:
    return copies.cells[k][..., PLACE[name]].astype(np.float32)


def windowed(copies: Copies, k: int, values: NDArray[Any], sigma: float) -> NDArray[np.float32]:
    """Minus the mean `[h, w]` in a Gaussian window over cells of the field: little is bad."""
    known = (_column(copies, k, "inside") >= 0.5).astype(np.float32)
    mean = ndimage.gaussian_filter(values * known, sigma)
    total = np.maximum(ndimage.gaussian_filter(known, sigma), 1e-3)
    return np.asarray(-mean / total, np.float32)


def _scaled(name: str, level: int, sigma: float) -> Score:
    def score(copies: Copies, k: int) -> NDArray[Any]:
        value = np.exp(_column(copies, k, f"{name}_{level}"))
        if name != "over_noise":  # as it stands in the picture, not over the mean
            value = value * np.exp(_column(copies, k, "mean_green"))
        return windowed(copies, k, value, sigma)

    return score


def simple() -> dict[str, list[Score]]:
    """Name -> the same map at several scales; training cameras choose among them."""
    scales = [(level, sigma) for level in LEVELS for sigma in WINDOWS]
    kinds = {
        "Laplacian energy": "weber",
        "LoG over the noise floor": "over_noise",
        "ridges (Sato)": "ridge_weber",
    }
    out = {name: [_scaled(kind, *scale) for scale in scales] for name, kind in kinds.items()}
    out["brightness"] = [lambda copies, k: -_column(copies, k, "mean_green")]
    out["distance from the centre"] = [lambda copies, k: _column(copies, k, "radius")]
    return out


def truth(copies: Copies, k: int) -> NDArray[Any]:
    """The known truth as a map: the ceiling."""
    return 1 - np.nan_to_num(copies.visibility[k], nan=1.0)


def chosen(sets: Sequence[Copies], scales: Sequence[Score]) -> Score:
    """For every camera the scale that is best on the other cameras.

    Args:
      sets: copies of all photographs; scales: the same map at several scales.
    """
    cameras = sorted({one.camera for one in sets})
    rows_by_scale = (
        [defect_scores.rows(sets, scale) for scale in scales] if len(scales) > 1 else [[]]
    )

    def mean(rows: Sequence[defect_scores.Row], without: str) -> float:
        kinds = defect_scores.by_kind([r for r in rows if r.camera != without])
        return float(np.mean(list(kinds.values())))

    best = {
        camera: max(range(len(scales)), key=lambda k: mean(rows_by_scale[k], camera))
        if len(scales) > 1
        else 0
        for camera in cameras
    }
    return lambda copies, k: scales[best[copies.camera]](copies, k)


def fitted(
    sets: Sequence[Copies], settings: defect_fit.Settings, without: Sequence[str] = ()
) -> dict[str, Score]:
    """Map and causes of the network of cells, for every camera fitted to the other cameras.

    Args:
      sets: copies of all photographs; settings: of the fit.
      without: copies with any of these kinds are left out of training.

    Raises:
      ValueError: one camera only.
    """
    return held_out(
        sets, lambda other: defect_fit.fit(defect_fit.gathered(other, without), settings)
    )


def held_out(
    sets: Sequence[Copies], fit: Callable[[Sequence[Copies]], defect_fit.Fitted]
) -> dict[str, Score]:
    """Map and causes of every tested copy, by what `fit` makes of the other cameras' copies.

    Raises:
      ValueError: one camera only.
    """
    cameras = sorted({one.camera for one in sets})
    if len(cameras) < 2:
        raise ValueError("one camera only: nothing to train on that is not tested; give another")
    found: dict[str, dict[tuple[Path, int], NDArray[Any]]] = {"map": {}, "causes": {}}
    for camera in cameras:
        mapped = fit([one for one in sets if one.camera != camera])
        for one in (one for one in sets if one.camera == camera):
            tested = np.flatnonzero(one.test)
            made = mapped(one.cells[tested])
            for name, values in found.items():
                pairs = zip(tested, made[name], strict=True)
                values |= {(one.file, int(k)): value for k, value in pairs}
    return {name: _kept(values) for name, values in found.items()}


def of_models(models: Mapping[str, Path], sets: Sequence[Copies]) -> dict[str, Score]:
    """Maps of models, and the lack of vessels that segmentors find, for the tested copies."""
    maps: dict[str, dict[tuple[Path, int], NDArray[Any]]] = {name: {} for name in models}
    for name, path in models.items():
        model = model_dir.load(path)
        side = int(model.config["data"]["side"])
        key = "vessels" if model.config["method"] == "vessels" else "map"
        for copies in sets:
            image, fov = copies.images()
            tested = np.flatnonzero(copies.test)
            field = _resized(fov, side, Image.Resampling.NEAREST)
            examples = [
                {"image": _resized(image[k], side, Image.Resampling.LANCZOS), "fov": field}
                for k in tested
            ]
            h = copies.visibility.shape[1]
            for k, out in zip(tested, in_batches(model.predict, examples, (key,)), strict=True):
                value = out[key].astype(np.float32)
                value = (
                    ndimage.gaussian_filter(-value[..., 2], side / h) if value.ndim == 3 else value
                )
                maps[name][copies.file, int(k)] = resized(value, h, h)
    return {name: _kept(predicted) for name, predicted in maps.items()}


def _kept(cached: Mapping[tuple[Path, int], NDArray[Any]]) -> Score:
    return lambda copies, k: cached[copies.file, k]


def _resized(picture: NDArray[np.uint8], side: int, how: Image.Resampling) -> NDArray[np.uint8]:
    return np.asarray(Image.fromarray(picture).resize((side, side), how))
