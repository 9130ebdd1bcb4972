"""The method of a model directory's config.json, and what it is given of a photograph."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from fiqa_jax import methods
from fiqa_jax.defaults import METHODS, base
from fiqa_jax.training.method import DataSpec, Method, Run


def build(
    config: Mapping[str, Any], *, trust: Collection[str] = (), apart: Path | None = None
) -> Method:
    """The method of a config.json, to predict with; `trust` and `apart` as in `methods.build`."""
    data = config["data"]
    spec = DataSpec(
        side=data["side"],
        channels=1 if data["modality"] == "slice" else 3,
        quality_names=tuple(data["quality_names"]),
        detail_names=tuple(data["detail_names"]),
        diagnosis_names=tuple(data["diagnosis_names"]),
        class_counts={k: tuple(v) for k, v in data["class_counts"].items()},
        mean=tuple(data["mean"]),
        std=tuple(data["std"]),
        features=tuple(data.get("features", ())),
    )
    # A setting that came after the model was made takes its default, which is what the model did.
    known = METHODS.get(config["method"], {})
    method = {**known, **config["settings"]["method"]}
    # Nothing is trained: optimiser and augmentation, patterns to match among them, are not used.
    training = base()
    training.augment.train = ""
    stage = ConfigDict(
        {
            "model": config["model"],
            **config["settings"],
            "method": method,
            "optim": training.optim,
            "augment": training.augment,
        }
    )
    return methods.build(config["method"], stage, spec, Run(), trust=trust, apart=apart)


def inputs(config: Mapping[str, Any]) -> dict[str, tuple[tuple[int, ...], Any]]:
    """Name -> shape of one photograph and dtype, as `Predictor` gives them to the model."""
    data = config["data"]
    side, channels = data["side"], 1 if data["modality"] == "slice" else 3
    return {
        "image": ((side, side, channels), np.uint8),
        "fov": ((side, side), np.uint8),
        "field_px": ((), np.float32),
    }
