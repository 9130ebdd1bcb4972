"""A model as one ONNX file, and such a file as a function.

Needs the extra `export` (onnx to write, onnxruntime to run).
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

from fiqa_jax.exports.onnx_graph import BATCH, ExportError, Graph, Value

Arrays = Mapping[str, np.ndarray]
NEEDED = "the extra export is needed: pip install 'fiqa-jax[export]' (onnx, onnxruntime)"


def convert(
    program: Callable[[Any], dict[str, jax.Array]],
    inputs: Mapping[str, tuple[tuple[int, ...], Any]],
    notes: Mapping[str, str],
) -> bytes:
    """The file of a model; a batch may have any size.

    Args:
      program: dict of arrays -> dict of arrays, for JAX to trace.
      inputs: name -> shape of one example (without the batch) and dtype.
      notes: kept as metadata of the file.

    Raises:
      ExportError: onnx is not installed, or an operation has no way to ONNX.
    """
    try:
        import onnx  # noqa: F401

        from fiqa_jax.exports.onnx_operations import HANDLERS
    except ImportError:
        raise ExportError(NEEDED) from None
    given = symbolic(inputs)
    traced, out = jax.make_jaxpr(program, return_shape=True)(given)
    names = sorted(given)  # the order in which JAX flattens a dict
    graph = Graph(HANDLERS, names[0])
    starts = [Value(name=name) for name in names]
    outputs = graph.walk(traced.jaxpr, traced.consts, starts)
    ends = {k: (v, out[k]) for k, v in zip(sorted(out), outputs, strict=True)}
    return graph.model({name: given[name] for name in names}, ends, notes)


def session(data: bytes) -> Callable[[Arrays], dict[str, np.ndarray]]:
    """A file's contents as a function of arrays; inputs that it does not know are left out.

    Raises:
      ExportError: onnxruntime is not installed.
    """
    try:
        import onnxruntime
    except ImportError:
        raise ExportError(NEEDED) from None
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    run = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    inputs = [node.name for node in run.get_inputs()]
    outputs = [node.name for node in run.get_outputs()]

    def predict(batch: Arrays) -> dict[str, np.ndarray]:
        given = {name: np.ascontiguousarray(batch[name]) for name in inputs}
        return dict(zip(outputs, run.run(outputs, given), strict=True))

    return predict


def symbolic(
    inputs: Mapping[str, tuple[tuple[int, ...], Any]],
) -> dict[str, jax.ShapeDtypeStruct]:
    """Shapes with a batch of unknown size in front."""
    (batch,) = jax.export.symbolic_shape(BATCH)
    return {
        name: jax.ShapeDtypeStruct((batch, *shape), dtype)
        for name, (shape, dtype) in inputs.items()
    }
