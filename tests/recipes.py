"""The recipes of `configs/` for tests: locked, and without TensorFlow, which takes long to load."""

import importlib.util
import sys
from pathlib import Path

import pytest
from ml_collections import ConfigDict

from fiqa_jax import main

# ml_collections loads configs by a call that Python is about to drop.
LOADS = pytest.mark.filterwarnings("ignore:the load_module:DeprecationWarning")
CONFIGS = Path(__file__).resolve().parents[1] / "configs"


def load(argument: str = "", name: str = "multitask") -> ConfigDict:
    """`configs/<name>.py:<argument>`, fed by the threads driver."""
    spec = importlib.util.spec_from_file_location(name, CONFIGS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    config = module.get_config(argument).lock()
    config.data.driver = "threads"
    return config


def run_main(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> int:
    """main.main as the command line calls it; ml_collections reads overrides off sys.argv."""
    from absl import flags
    from absl.testing import flagsaver

    monkeypatch.setattr(sys, "argv", ["x", *arguments])
    with flagsaver.flagsaver():
        flags.FLAGS(sys.argv)
        return main.main(["x"])
