"""The four published methods and what they need, each one file that reads from top to bottom."""

import importlib

from ml_collections import ConfigDict

from fiqa_jax.training.method import DataSpec, Method

METHODS = {
    "adapter": "fiqa_jax.methods.efiqa_adapter",
    "cell_grades": "fiqa_jax.methods.efiqa_grades",
    "eyequal": "fiqa_jax.methods.eyequal",
    "inpaint": "fiqa_jax.methods.efiqa_inpaint",
    "mkcnet": "fiqa_jax.methods.mkcnet",
    "multitask": "fiqa_jax.methods.multitask",
    "nnpu": "fiqa_jax.methods.efiqa_cp",
    "patchcore": "fiqa_jax.methods.patchcore",
    "pretrain": "fiqa_jax.methods.mae",
    "vessels": "fiqa_jax.methods.vessels",
}


def build(name: str, config: ConfigDict, data: DataSpec) -> Method:
    """A method, built from a stage's config and the shape of its data.

    Args:
      name: a key of `METHODS`, or a module of your own that Python can import, with `build`.
      config: the stage's.
      data: shapes, names and counts.

    Raises:
      ValueError: a name that is neither.
    """
    try:
        module = importlib.import_module(METHODS.get(name, name))
    except ModuleNotFoundError as error:
        if error.name != name.partition(".")[0]:
            raise  # the module is there; something that it imports is not
        raise ValueError(
            f"no method {name!r}; there are {sorted(METHODS)}, and modules with a function `build` "
            "in this folder or on PYTHONPATH"
        ) from None
    return module.build(config, data)
