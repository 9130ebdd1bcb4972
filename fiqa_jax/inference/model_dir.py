"""The model directory: config.json and model.safetensors, the one thing that is used afterwards.

predict, evaluate, export and later stages load it; none of them needs a checkpoint.
"""

import dataclasses
import json
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import jax
import numpy as np
from ml_collections import ConfigDict

from fiqa_jax import methods
from fiqa_jax.defaults import METHODS
from fiqa_jax.pretrained import encoders, tensors
from fiqa_jax.pretrained.shipped import CONFIG as CONFIG
from fiqa_jax.pretrained.shipped import find, lacking
from fiqa_jax.training.devices import Axis
from fiqa_jax.training.method import DataSpec, Method
from input_pipeline import atomic

SCHEMA = 1
WEIGHTS = "model.safetensors"
ENCODER = "encoder.safetensors"  # a frozen encoder in front of the model, where it has one
PACKAGES = ("fiqa-jax", "jax", "flax", "optax", "orbax-checkpoint", "numpy", "pillow")


class ModelError(ValueError):
    """A directory that holds no usable model; says what is missing and what to do."""


@dataclasses.dataclass(frozen=True)
class Model:
    """A trained model, ready to use.

    Attributes:
      config: config.json as a dict.
      variables: weights and running statistics, numpy.
      predict: batch of numpy arrays (`image [B, S, S, C] uint8`, `fov [B, S, S] uint8`, ...) ->
        outputs as numpy arrays, before any temperature; compiled once per batch shape.
    """

    config: dict[str, Any]
    variables: Any
    predict: Callable[[Mapping[str, np.ndarray]], dict[str, np.ndarray]]


def save(
    directory: Path,
    name: str,
    uses: str,
    stage: Mapping[str, Any],
    data: DataSpec,
    variables: Any,
    extra: Mapping[str, Any],
) -> None:
    """Writes a model directory; config.json comes last, so half a directory never loads.

    Args:
      directory: made if absent.
      name: shown in prediction rows.
      uses: the method's name.
      stage: the resolved config of the stage (sections model, method, data, ...).
      data: names, sides and counts the model was trained with.
      variables: {'params': ..., 'batch_stats': ...}, host arrays.
      extra: further entries: thresholds, temperature, provenance.
    """
    config = {
        "schema": SCHEMA,
        "name": name,
        "method": uses,
        "model": dict(stage["model"]),
        "settings": {k: stage[k] for k in ("method", "loss", "optim", "augment")},
        "data": {
            "side": data.side,
            "modality": stage["data"]["modality"],
            "crop": stage["data"]["crop"],
            "resample": stage["data"]["resample"],
            "mean": list(data.mean),
            "std": list(data.std),
            "erase": [list(b) for b in stage["data"]["erase"]],
            "quality_names": list(data.quality_names),
            "detail_names": list(data.detail_names),
            "diagnosis_names": list(data.diagnosis_names),
            "class_counts": {k: list(v) for k, v in data.class_counts.items()},
            "features": list(data.features),
        },
        "thresholds": {},
        "temperature": {},
        "versions": versions(),
        **extra,
    }
    directory.mkdir(parents=True, exist_ok=True)
    tensors.save(directory / WEIGHTS, variables, {"model": name, "method": uses})
    write_config(directory, config)


def write_config(directory: Path, config: Mapping[str, Any]) -> None:
    """Replaces config.json in whole."""
    text = json.dumps(config, indent=1, default=list) + "\n"
    atomic.write(directory / CONFIG, text.encode())


def copy(source: Path, target: Path, config: Mapping[str, Any]) -> None:
    """The weights of one model directory with another config.json, in a directory of their own."""
    target.mkdir(parents=True, exist_ok=True)
    atomic.write(target / WEIGHTS, (source / WEIGHTS).read_bytes())
    write_config(target, config)


def read_config(directory: Path | str) -> dict[str, Any]:
    """config.json of a model directory.

    Raises:
      ModelError: no such directory or file, or another schema.
    """
    if wrong := lacking(directory):
        raise ModelError(wrong)
    path = Path(directory) / CONFIG
    try:
        config = json.loads(path.read_text())
    except json.JSONDecodeError as error:
        raise ModelError(f"{path} is not JSON ({error}); copy the model directory again") from None
    if config.get("schema") != SCHEMA:
        raise ModelError(f"{path} has schema {config.get('schema')!r}; this version reads {SCHEMA}")
    return config


def load(directory: Path | str) -> Model:
    """Loads a model for use on this machine's default device; see `shipped.find`.

    Raises:
      ModelError: not a model directory.
      ValueError: weights that do not fit its config; names the tensors.
    """
    directory = find(directory)
    config = read_config(directory)
    method = build(config)
    shapes = jax.eval_shape(lambda: method.init(jax.random.key(0)))
    like = {"params": shapes.params, **shapes.model_state}
    variables = tensors.load(like, directory / WEIGHTS)
    on_device = jax.device_put(variables)
    compiled = jax.jit(lambda v, b: method.predict(v, b, axis=Axis()))
    encoder = _encoder(config, directory) if "encoder" in config else None

    def predict(batch: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        given = dict(batch)
        if encoder and "features" not in given:
            image = encoders.sized(jax.numpy.asarray(given.pop("image")), config["encoder"]["size"])
            given["features"] = encoder.features(image)
        return {k: np.asarray(v) for k, v in compiled(on_device, given).items()}

    return Model(config, variables, predict)


def _encoder(config: Mapping[str, Any], directory: Path) -> encoders.Encoder:
    name, file = config["encoder"]["name"], directory / ENCODER
    if not (name or file.is_file()):
        raise ModelError(f"{directory} lacks {ENCODER}; copy the whole model directory again")
    found = encoders.load(str(file) if file.is_file() else name)
    if found.digest != config["encoder"]["digest"]:
        raise ModelError(
            f"{directory}: the encoder {name!r} is not the one the model was trained on; its "
            "weights have changed since"
        )
    return found


def build(config: Mapping[str, Any]) -> Method:
    """The method of a config.json, to predict with."""
    data = config["data"]
    spec = DataSpec(
        side=data["side"],
        channels=1 if data["modality"] == "slice" else 3,
        quality_names=tuple(data["quality_names"]),
        detail_names=tuple(data["detail_names"]),
        diagnosis_names=tuple(data["diagnosis_names"]),
        class_counts={k: tuple(v) for k, v in data["class_counts"].items()},
        train_rows=1,
        steps=1,
        batch=1,
        mean=tuple(data["mean"]),
        std=tuple(data["std"]),
        features=tuple(data.get("features", ())),
    )
    # A setting that came after the model was made takes its default, which is what the model did.
    known = METHODS.get(config["method"], {})
    method = {**known, **config["settings"]["method"]}
    stage = ConfigDict({"model": config["model"], **config["settings"], "method": method})
    return methods.build(config["method"], stage, spec)


def versions() -> dict[str, str]:
    """Installed versions of the packages that decide the numbers, and the platform."""
    out = {}
    for package in PACKAGES:
        try:
            out[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return {**out, "platform": jax.default_backend()}
