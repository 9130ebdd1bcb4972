"""The model directory: config.json and model.safetensors, the one thing that is used afterwards.

predict, evaluate, export and later stages load it; none of them needs a checkpoint. Nothing in it
is run, and nothing is fetched for it: see `inference.model_config`.
"""

import dataclasses
import json
import logging
from collections.abc import Callable, Collection, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import jax
import numpy as np

from fiqa_jax.exports import onnx_file
from fiqa_jax.inference import compiled as programs
from fiqa_jax.inference import in_parts, model_config, model_method
from fiqa_jax.inference.model_config import SCHEMA
from fiqa_jax.pretrained import encoders, tensors
from fiqa_jax.pretrained.shipped import CONFIG as CONFIG
from fiqa_jax.pretrained.shipped import find, lacking
from fiqa_jax.training import xla_flags
from fiqa_jax.training.method import DataSpec
from input_pipeline import atomic, sums

log = logging.getLogger(__name__)

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
        outputs as numpy arrays, before any temperature; compiled once per batch shape;
        on CPUs once, see `in_parts`.
      program: the same for JAX to trace, with the weights in it: what an export is made from.
      trust: modules beside the package's that may be run as its method.
    """

    config: dict[str, Any]
    variables: Any
    predict: Callable[[Mapping[str, np.ndarray]], dict[str, np.ndarray]]
    program: Callable[[Mapping[str, jax.Array]], dict[str, jax.Array]]
    trust: tuple[str, ...] = ()


def save(
    directory: Path,
    name: str,
    uses: str,
    stage: Mapping[str, Any],
    data: DataSpec,
    variables: Any,
    extra: Mapping[str, Any],
) -> None:
    """Writes a model directory; config.json comes behind the weights: half a one never loads.

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
            "allow_frame": stage["data"]["allow_frame"],
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
    sums.forget(directory)
    tensors.save(directory / WEIGHTS, variables, {"model": name, "method": uses})
    write_config(directory, config)


def write_config(directory: Path, config: Mapping[str, Any]) -> None:
    """Replaces config.json in whole, with digests of the weights, and the list SHA256SUMS.

    Raises:
      ModelError: a config that `read_config` would not take.
    """
    sums.forget(directory)
    weights = sorted(file.name for file in directory.glob("*.safetensors"))
    files = {name: sums.digest(directory / name) for name in weights}
    whole = {**config, "schema": SCHEMA, "files": files}
    data = (json.dumps(whole, indent=1, default=list) + "\n").encode()
    try:
        model_config.parse(data, str(directory / CONFIG))
    except model_config.ConfigError as error:
        raise ModelError(f"not written: {error}") from None
    atomic.write(directory / CONFIG, data)
    sums.write(directory, (*weights, CONFIG), files)  # not the card, which people complete


def copy(source: Path, target: Path, config: Mapping[str, Any]) -> None:
    """The weights of one model directory with another config.json, in a directory of their own."""
    target.mkdir(parents=True, exist_ok=True)
    sums.forget(target)
    atomic.write(target / WEIGHTS, (source / WEIGHTS).read_bytes())
    write_config(target, config)


def read_config(directory: Path | str) -> dict[str, Any]:
    """config.json of a model directory, checked: see `inference.model_config`.

    Raises:
      ModelError: no such directory or file, damage, another schema, a value that cannot be.
    """
    if wrong := lacking(directory):
        raise ModelError(wrong)
    folder = Path(directory)
    try:
        config = model_config.read(folder / CONFIG)
        sums.check_folder(folder, [CONFIG], _EDITED)
    except (model_config.ConfigError, sums.DamageError) as error:
        raise ModelError(str(error)) from None
    return config


_AGAIN = "copy the model directory again from where it was made"
_EDITED = f"{_AGAIN}, or, if it was changed on purpose: python -m fiqa_jax.verify --renew FOLDER"


def check_files(directory: Path, config: Mapping[str, Any]) -> None:
    """Compares the weights with the digests that config.json (schema 2) and SHA256SUMS hold.

    A directory of schema 1 without SHA256SUMS has none: it is used, and that is said once.

    Raises:
      ModelError: a file that is damaged or absent.
    """
    try:
        listed = sums.read(directory)
        if not listed and config["schema"] == 1 and directory not in _noted:
            _noted.add(directory)
            log.warning(
                "%s: a model directory of an earlier version, without digests: damage to it cannot "
                "be seen. `python -m fiqa_jax.verify --renew %s` adds them",
                *(directory, directory),
            )
        weights = {n: d for n, d in listed.items() if n.endswith(".safetensors")}
        for name, digest in {**weights, **config.get("files", {})}.items():
            sums.check(directory / name, digest, _AGAIN)
    except sums.DamageError as error:
        raise ModelError(str(error)) from None


_noted: set[Path] = set()


def load(
    directory: Path | str,
    *,
    trust: Collection[str] = (),
    encoder: str = "",
    engine: str = "jax",
    quick: bool = False,
) -> Model:
    """Loads a model for use on this machine's default device; see `shipped.find`.

    Args:
      directory: of the model.
      trust: modules, beside the methods of the package, that may be run where the model names one;
        never searched in the model directory.
      encoder: of a model whose directory has none: a file, folder or id on the Hugging Face hub,
        instead of what it names; see `encoders.load`. Its digest must be that of the model's.
      engine: what runs it: jax or onnx. onnx (extra `export`) runs on the CPU and needs no
        compilation; its numbers are equal to rounding.
      quick: compiled sooner, and slower at each photograph: for a few of them.

    Raises:
      ExportError: a model that has no way to ONNX, or the extra is not installed.
      ModelError: not a model directory, or a damaged one.
      ValueError: weights that do not fit its config; names the tensors. A method that is neither
        the package's nor trusted.
    """
    directory = find(directory)
    config = read_config(directory)
    programs.keep()
    check_files(directory, config)
    method = model_method.build(config, trust=trust, apart=directory)
    shapes = jax.eval_shape(lambda: method.init(jax.random.key(0)))
    like = {"params": shapes.params, **shapes.model_state}
    variables = tensors.load(like, directory / WEIGHTS)
    on_device = jax.device_put(variables)
    options = xla_flags.quick() if quick else None
    compiled = jax.jit(lambda v, b: method.predict(v, b), compiler_options=options)
    front = _encoder(config, directory, encoder) if "encoder" in config else None

    def together(batch: Mapping[str, np.ndarray]) -> Mapping[str, jax.Array]:
        given = dict(batch)
        if front and "features" not in given:
            image = encoders.sized(jax.numpy.asarray(given.pop("image")), config["encoder"]["size"])
            given["features"] = front.features(image)
        return compiled(on_device, given)

    def predict(batch: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        return in_parts.run(together, batch, in_parts.size(len(next(iter(batch.values())))))

    def program(batch: Mapping[str, jax.Array]) -> dict[str, jax.Array]:
        given = dict(batch)
        if front:
            image = encoders.sized(given.pop("image"), config["encoder"]["size"])
            given["features"] = front.apply(front.variables, image)
        return method.predict(variables, given)

    run: Callable[[Mapping[str, np.ndarray]], dict[str, np.ndarray]] = predict
    if engine == "onnx":
        run = onnx_file.session(onnx_file.convert(program, model_method.inputs(config), {}))
    return Model(config, variables, run, program, tuple(trust))


def _encoder(config: Mapping[str, Any], directory: Path, given: str) -> encoders.Encoder:
    name, file = config["encoder"]["name"], directory / ENCODER
    if not given and file.is_file():
        found = encoders.load(str(file))
    elif given or model_config.PACKAGED.fullmatch(name):
        found = encoders.load(given or name)
    elif model_config.HUB.fullmatch(name):
        try:
            found = encoders.load(name, offline=True)
        except ValueError as error:
            raise ModelError(
                f"{directory} wants the encoder {name!r} of the Hugging Face hub, and a model "
                f"fetches nothing on its own: `hf download {name}`, or give its folder or the id "
                f"itself, --encoder {name} (in Python encoder=...) ({error})"
            ) from None
    else:
        raise ModelError(
            f"{directory} lacks {ENCODER}; copy the whole model directory again, or give the "
            f"encoder by --encoder (in Python encoder=...)"
        )
    if found.digest != config["encoder"]["digest"]:
        raise ModelError(
            f"{directory}: the encoder {given or name!r} is not the one the model was trained on; "
            "its weights have changed since"
        )
    return found


def versions() -> dict[str, str]:
    """Installed versions of the packages that decide the numbers, and the platform."""
    out = {}
    for package in PACKAGES:
        try:
            out[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return {**out, "platform": jax.default_backend()}
