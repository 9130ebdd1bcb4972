"""Models that come with the package: a folder each in `weights`, used by their names."""

import hashlib
import json
import os
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "weights"
CONFIG = "config.json"  # what makes a folder a model directory
DEFAULT = "open"  # judges where no model is asked for
# Methods whose models judge no photographs, and what they do.
OTHERS = {
    "inpaint": "fills gaps in maps of vessels",
    "pretrain": "fills gaps in photographs",
    "vessels": "finds vessels",
}


def find(name: str | os.PathLike[str]) -> Path:
    """The model directory `name`, or where there is none the one that comes with the package."""
    path = Path(name)
    if not path.exists() and len(path.parts) == 1 and (FOLDER / path / CONFIG).is_file():
        return FOLDER / path
    return path


def judges() -> list[str]:
    """Names of the models that come with the package and judge photographs."""
    every = FOLDER.glob(f"*/{CONFIG}")
    methods = {file.parent.name: json.loads(file.read_bytes())["method"] for file in every}
    return sorted(name for name, method in methods.items() if method not in OTHERS)


def lacking(name: str | os.PathLike[str]) -> str:
    """What to say of a `name` that is no model directory; '' where it is one."""
    if (Path(name) / CONFIG).is_file():
        return ""
    known = ", ".join(judges())
    return (
        f"{os.fspath(name)} is no model directory: there is no {CONFIG}. A finished recipe leaves "
        f"one as WORKDIR/model; to judge photographs with, the package has {known}"
    )


def model_name(directory: str | os.PathLike[str]) -> str:
    """What prediction rows call the model of a directory: its name and a digest of its files."""
    folder = find(directory)
    config = folder / CONFIG
    whole = hashlib.sha256()
    for part in (config, *sorted(folder.glob("*.safetensors"))):
        whole.update(hashlib.sha256(part.read_bytes()).digest())
    return f"{json.loads(config.read_text(encoding='utf-8'))['name']}@{whole.hexdigest()[:8]}"
