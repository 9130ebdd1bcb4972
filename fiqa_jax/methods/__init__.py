"""The four published methods and what they need, each one file that reads from top to bottom."""

import contextlib
import importlib
import importlib.util
import os
import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from types import ModuleType

from ml_collections import ConfigDict

from fiqa_jax.training.method import DataSpec, Method, Run

METHODS = {
    "adapter": "fiqa_jax.methods.efiqa_adapter",
    "cell_grades": "fiqa_jax.methods.efiqa_grades",
    "eyequal": "fiqa_jax.methods.eyequal",
    "inpaint": "fiqa_jax.methods.efiqa_inpaint",
    "grader": "fiqa_jax.methods.grader",
    "mkcnet": "fiqa_jax.methods.mkcnet",
    "multitask": "fiqa_jax.methods.multitask",
    "nnpu": "fiqa_jax.methods.efiqa_cp",
    "patchcore": "fiqa_jax.methods.patchcore",
    "pretrain": "fiqa_jax.methods.mae",
    "vessels": "fiqa_jax.methods.vessels",
}


def build(
    name: str,
    config: ConfigDict,
    data: DataSpec,
    run: Run,
    *,
    trust: Collection[str] = (),
    apart: Path | None = None,
) -> Method:
    """A method, built from a stage's config and the shape of its data.

    Args:
      name: a key of `METHODS`, or a module in `trust` that Python can import, with `build`.
      config: the stage's.
      data: shapes, names and counts.
      run: how long it is trained; `Run()` to predict only.
      trust: modules of your own that may be run.
      apart: folder whose files are never run, trusted or not: the model directory that names it.

    Raises:
      ValueError: a name that is none of these, or a module in `apart`.
    """
    module_name = METHODS.get(name)
    if module_name:
        return importlib.import_module(module_name).build(config, data, run)
    if name not in trust:
        raise ValueError(
            f"no method {name!r} comes with the package; there are {sorted(METHODS)}. If it is a "
            f"module of your own that you trust, say so: --trust {name} (in Python trust={name!r})"
        )
    try:
        with _working_directory():
            module = _outside(name, apart)
    except ModuleNotFoundError as error:
        if error.name != name.partition(".")[0]:
            raise  # the module is there; something that it imports is not
        raise ValueError(
            f"no method {name!r}; there are {sorted(METHODS)}, and modules with a function `build` "
            "in this folder or on PYTHONPATH"
        ) from None
    return module.build(config, data, run)


@contextlib.contextmanager
def _working_directory() -> Iterator[None]:
    """Modules of the working directory can be imported, too, as by `python -m`.

    Last, so that nothing there stands in for an installed package.
    """
    here = os.getcwd()
    sys.path.append(here)
    try:
        yield
    finally:
        sys.path.remove(here)


def _outside(name: str, apart: Path | None) -> ModuleType:
    """Imports a module, each package in front of it only once it is known to lie outside."""
    parts = name.split(".")
    for n in range(1, len(parts) + 1) if apart else ():
        spec = importlib.util.find_spec(".".join(parts[:n]))
        places = [spec.origin, *(spec.submodule_search_locations or ())] if spec else []
        for place in places:
            if place and Path(place).resolve().is_relative_to(Path(apart or "").resolve()):
                raise ValueError(
                    f"the module {name!r} lies in the model directory {apart}; code there is never "
                    "run. Install the module, or put it on PYTHONPATH from elsewhere"
                )
    return importlib.import_module(name)
