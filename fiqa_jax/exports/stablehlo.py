"""A model as StableHLO, written and read by `jax.export`: needs JAX, none of this package.

from jax import export
program = export.deserialize(open("model.stablehlo", "rb").read())
outputs = program.call({"image": ..., "fov": ...})
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
from jax import export

from fiqa_jax.exports.onnx_file import Arrays, symbolic

PLATFORMS = ("cpu", "cuda", "tpu")


def convert(
    program: Callable[[Any], dict[str, jax.Array]],
    inputs: Mapping[str, tuple[tuple[int, ...], Any]],
) -> bytes:
    """The file of a model for CPUs, GPUs and TPUs; a batch may have any size.

    Args:
      program: dict of arrays -> dict of arrays, for JAX to trace.
      inputs: name -> shape of one example (without the batch) and dtype.
    """
    made = export.export(jax.jit(program), platforms=PLATFORMS)(symbolic(inputs))
    return bytes(made.serialize())


def loaded(data: bytes) -> Callable[[Arrays], dict[str, np.ndarray]]:
    """A file's contents as a function of arrays; inputs that it does not know are left out."""
    program = export.deserialize(bytearray(data))
    ((known,), _) = jax.tree.unflatten(program.in_tree, program.in_avals)
    call = jax.jit(program.call)

    def predict(batch: Arrays) -> dict[str, np.ndarray]:
        out = call({name: batch[name] for name in known})
        return {name: np.asarray(value) for name, value in out.items()}

    return predict
