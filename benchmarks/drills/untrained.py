"""Model directories with initial weights: what is written and read is drilled, not judgements."""

from pathlib import Path

import jax
from ml_collections import ConfigDict

from fiqa_jax import defaults, methods
from fiqa_jax.inference import model_dir
from fiqa_jax.training import checkpoints
from fiqa_jax.training.method import DataSpec, Run


def save(folder: Path, method: str, config: ConfigDict, data: DataSpec) -> Path:
    """Writes a method's model as it is before any training.

    Args:
      folder: becomes a model directory.
      method: name of the package's own, or a module of the drills, which loading has to trust.
      config: of the recipe; data: what the model sees.
    """
    made = methods.build(method, config, data, Run(4, 2, 10), trust=(method,))
    state = made.init(jax.random.key(0))
    variables = checkpoints.to_host({"params": state.params, **state.model_state})
    name = method.rpartition(".")[2]
    model_dir.save(folder, name, method, defaults.resolved(config), data, variables, {})
    return folder
