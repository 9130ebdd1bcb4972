"""How JAX's changes of shape become ONNX nodes: reshapes, broadcasts, transposes, joins."""

from typing import Any

import numpy as np

from fiqa_jax.exports.onnx_graph import Graph, Handler, Value


def _size(graph: Graph, equation: Any, given: list[Value]) -> list[Value]:
    """A size that depends on the batch, as a number."""
    alone = graph.add("Squeeze", graph.sizes([equation.params["dim"]]), graph.integers(0))
    return [Value(name=graph.cast(alone, equation.outvars[0].aval.dtype))]


def _reshaped(graph: Graph, equation: Any, given: list[Value]) -> list[Value]:
    shape, known = equation.outvars[0].aval.shape, given[0].known
    if known is not None and given[0].whole:
        return [Value(known.reshape(shape))]
    x = graph.full(given[0], equation.invars[0].aval.shape)
    return [Value(name=graph.reshaped(x, shape))]


def _broadcast(graph: Graph, equation: Any, given: list[Value]) -> list[Value]:
    """Only the dimensions of 1 are put in; `Graph.full` repeats where a node needs it."""
    before, after = equation.invars[0].aval.shape, equation.outvars[0].aval.shape
    at = equation.params["broadcast_dimensions"]
    value = given[0]
    # What a value that is not whole really has: 1 where its variable has more.
    real = value.known.shape if value.known is not None else before
    if value.known is not None and len(real) < len(before):
        real = (1,) * (len(before) - len(real)) + tuple(real)
    shape: list[Any] = [1] * len(after)
    for i, place in enumerate(at):
        shape[place] = real[i]
    whole = value.whole and all(
        (place in at and before[at.index(place)] == n) or n == 1 for place, n in enumerate(after)
    )
    if value.known is not None:
        return [Value(value.known.reshape(shape), whole=whole)]
    full = graph.full(value, before)
    return [Value(name=graph.reshaped(full, shape), whole=whole)]


def _turned(graph: Graph, equation: Any, given: list[Value]) -> list[Value]:
    x = graph.full(given[0], equation.invars[0].aval.shape)
    return [Value(name=graph.add("Transpose", x, perm=list(equation.params["permutation"])))]


def _reversed(graph: Graph, equation: Any, given: list[Value]) -> list[Value]:
    x = graph.full(given[0], equation.invars[0].aval.shape)
    axes = equation.params["dimensions"]
    last, before_first = (np.full(len(axes), n) for n in (-1, np.iinfo(np.int64).min))
    bounds = (graph.integers(*v.tolist()) for v in (last, before_first, np.array(axes), last))
    return [Value(name=graph.add("Slice", x, *bounds))]


def _joined(graph: Graph, equation: Any, given: list[Value]) -> list[Value]:
    names = [graph.full(v, e.aval.shape) for v, e in zip(given, equation.invars, strict=True)]
    return [Value(name=graph.add("Concat", *names, axis=equation.params["dimension"]))]


def _stacked(graph: Graph, equation: Any, given: list[Value]) -> list[Value]:
    axis = int(equation.params.get("axis", equation.params.get("dimension", 0)))
    names = [
        graph.add("Unsqueeze", graph.full(v, e.aval.shape), graph.integers(axis))
        for v, e in zip(given, equation.invars, strict=True)
    ]
    return [Value(name=graph.add("Concat", *names, axis=axis))]


HANDLERS: dict[str, Handler] = {
    "dim_as_value": _size,
    "reshape": _reshaped,
    "squeeze": _reshaped,
    "expand_dims": _reshaped,
    "broadcast_in_dim": _broadcast,
    "transpose": _turned,
    "rev": _reversed,
    "concatenate": _joined,
    "stack": _stacked,
}
