"""The four published methods and what they need, each one file that reads from top to bottom."""

import importlib

from ml_collections import ConfigDict

from fiqa_jax.methods.base import DataSpec, Method

METHODS = {
    "inpaint": "fiqa_jax.methods.inpaint",
    "multitask": "fiqa_jax.methods.multitask",
    "vessels": "fiqa_jax.methods.vessels",
}


def build(name: str, config: ConfigDict, data: DataSpec) -> Method:
    """The method called `name`, built from a stage's config and the shape of its data.

    Raises:
      ValueError: a name that is not known.
    """
    if name not in METHODS:
        raise ValueError(f"no method {name!r}; known: {sorted(METHODS)}")
    return importlib.import_module(METHODS[name]).build(config, data)
