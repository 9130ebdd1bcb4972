"""The recipes of `configs/` for tests: locked, and without TensorFlow, which takes long to load."""

import importlib.util
from pathlib import Path

from ml_collections import ConfigDict

CONFIGS = Path(__file__).resolve().parents[1] / "configs"


def load(argument: str = "", name: str = "multitask") -> ConfigDict:
    """`configs/<name>.py:<argument>`, fed by the threads driver."""
    spec = importlib.util.spec_from_file_location(name, CONFIGS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    config = module.get_config(argument).lock()
    config.data.driver = "threads"
    return config
