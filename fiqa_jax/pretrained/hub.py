"""Encoders from the Hugging Face hub, or from a folder laid out as there: which file, what format.

Only safetensors and, for the few repositories listed here, PyTorch files are read; no code is run.
"""

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fiqa_jax.pretrained import torch_file

ID = re.compile(r"[\w.-]+/[\w.-]+")


class Place(NamedTuple):
    """Where a repository keeps its weights, when its config.json does not tell.

    Attributes:
      file: of the weights.
      format: a key of `formats.FORMATS`.
      key: the state dict inside the file, see `torchfile.read`.
    """

    file: str
    format: str
    key: str


PLACES: dict[str, Place] = {
    "YukunZhou/RETFound_mae_natureCFP": Place(
        "RETFound_mae_natureCFP.pth", "retfound_mae", "model"
    ),
}
# The revision that EFIQA's features come from (released code).
REVISIONS = {
    "facebook/dinov3-vitl16-pretrain-lvd1689m": "ea8dc2863c51be0a264bab82070e3e8836b02d51",
}
# `model_type` of config.json -> format
TYPES = {
    "dinov3_vit": "dinov3",
    "dinov2": "dinov2",
    "dinov2_with_registers": "dinov2",
}


class HubWeights(NamedTuple):
    """Tensors of an encoder before conversion.

    Attributes:
      format: a key of `formats.FORMATS`.
      tensors: by their published names.
      files: what was read, for the digest.
      statistics: (mean, std) where the folder tells them, else None.
    """

    format: str
    tensors: dict[str, np.ndarray]
    files: tuple[Path, ...]
    statistics: tuple[tuple[float, ...], tuple[float, ...]] | None


def download(name: str, revision: str = "", offline: bool = False) -> Path:
    """Folder with a repository's config and weights, from the hub's cache when they are there.

    Args:
      name: `owner/repository`.
      revision: commit, branch or tag; empty for the one of REVISIONS, else the newest.
      offline: from the cache alone.

    Raises:
      ValueError: huggingface_hub is not installed, or the download failed.
    """
    try:
        import huggingface_hub
    except ImportError:
        raise ValueError(
            f"{name} is no file or folder here; if it is an id on the Hugging Face hub: pip install"
            " 'fiqa-jax[hub]', or download it by hand and give the folder instead of the name"
        ) from None
    wanted = [PLACES[name].file] if name in PLACES else ["model*.safetensors*"]
    try:
        return Path(
            huggingface_hub.snapshot_download(
                name,
                revision=revision or REVISIONS.get(name),
                local_files_only=offline,
                allow_patterns=["config.json", "preprocessor_config.json", *wanted],
            )
        )
    except (OSError, ValueError) as error:
        first = str(error).strip().partition("\n")[0]
        raise ValueError(
            f"{name} is no file or folder here, and could not be downloaded from the Hugging Face"
            f" hub ({type(error).__name__}: {first}). Some encoders ask to accept a licence first:"
            " open its page, accept, then `hf auth login`. Or download it on another machine and"
            " give the folder instead of the name"
        ) from error


def read(folder: str | os.PathLike[str], name: str = "") -> HubWeights:
    """The tensors in a folder, and what they are.

    Args:
      folder: as `download` leaves it.
      name: the repository's, for those in PLACES.

    Raises:
      ValueError: a folder that tells no known network, or without weights.
    """
    folder = Path(folder)
    if name in PLACES:
        place = PLACES[name]
        path = folder / place.file
        return HubWeights(place.format, torch_file.read(path, place.key), (path,), None)
    config, files = weights(folder)
    tensors: dict[str, np.ndarray] = {}
    for file in files:
        tensors |= torch_file.read(file)
    return HubWeights(_format(config, folder), tensors, files, _statistics(config, folder))


def weights(folder: Path) -> tuple[dict[str, Any], tuple[Path, ...]]:
    """The config.json and the files of weights of a folder, which are not opened.

    Raises:
      ValueError: a folder without either, or with a part of the weights.
    """
    config = read_json(folder / "config.json")
    if not config:
        raise ValueError(
            f"{folder} has no config.json that says what network it holds; convert its file with"
            " `python -m fiqa_jax.convert --format NAME` and give the .safetensors"
        )
    files = tuple(sorted(folder.glob("model*.safetensors")))
    index = read_json(folder / "model.safetensors.index.json")
    expected = {folder / n for n in index.get("weight_map", {}).values()} or {*files}
    lacking = sorted(expected - {*files})
    if lacking or not files:
        first = lacking[0].name if lacking else "model.safetensors"
        raise ValueError(f"{folder} lacks {first}: download it again, in whole")
    return config, files


def read_json(path: Path) -> dict[str, Any]:
    """An object from a JSON file; {} where there is no such file. Raises ValueError: not JSON."""
    try:
        content = json.loads(path.read_text()) if path.is_file() else {}
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is not JSON ({error}); download it again") from None
    return content if isinstance(content, dict) else {}


def _format(config: Mapping[str, Any], folder: Path) -> str:
    kind, network = config.get("model_type", ""), config.get("architecture", "")
    if kind in TYPES:
        return TYPES[kind]
    if network.startswith(("vit_", "deit")):  # timm
        return next((f for f in ("dinov3", "dinov2") if f in network), "timm_vit")
    raise ValueError(
        f"{folder}/config.json says {kind or network or 'nothing'!r}; understood are"
        f" {', '.join(TYPES)} and timm's vit_* and deit*"
    )


def _statistics(
    config: Mapping[str, Any], folder: Path
) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    preprocessor = read_json(folder / "preprocessor_config.json")
    timm = config.get("pretrained_cfg", {})
    for mean, std in (
        (preprocessor.get("image_mean"), preprocessor.get("image_std")),
        (timm.get("mean"), timm.get("std")),
    ):
        if mean and std:
            return tuple(mean), tuple(std)
    return None
