"""How JAX's operations become ONNX nodes: reductions and products here, others by their kind."""

import string
from typing import Any

import numpy as np

from fiqa_jax.exports import onnx_elementwise, onnx_shapes, onnx_windows
from fiqa_jax.exports.onnx_graph import Graph, Handler, Value

_REDUCED = {
    **{"reduce_sum": "ReduceSum", "reduce_max": "ReduceMax", "reduce_min": "ReduceMin"},
    "reduce_prod": "ReduceProd",
}


def _reduced(kind: str) -> Handler:
    def handler(graph: Graph, equation: Any, given: list[Value]) -> list[Value]:
        aval = equation.invars[0].aval
        x, axes = graph.full(given[0], aval.shape), graph.integers(*equation.params["axes"])
        out = graph.add(kind, x, axes, keepdims=0)
        return [Value(name=out)]

    return handler


def _any_or_all(kind: str) -> Handler:
    def handler(graph: Graph, equation: Any, given: list[Value]) -> list[Value]:
        x = graph.cast(graph.full(given[0], equation.invars[0].aval.shape), np.int32)
        out = graph.add(kind, x, graph.integers(*equation.params["axes"]), keepdims=0)
        return [Value(name=graph.cast(out, np.bool_))]

    return handler


def _place(kind: str) -> Handler:
    def handler(graph: Graph, equation: Any, given: list[Value]) -> list[Value]:
        (axis,) = equation.params["axes"]
        x = graph.full(given[0], equation.invars[0].aval.shape)
        out = graph.add(kind, x, axis=axis, keepdims=0)
        return [Value(name=graph.cast(out, equation.params["index_dtype"]))]

    return handler


def _summed_up(graph: Graph, equation: Any, given: list[Value]) -> list[Value]:
    x = graph.full(given[0], equation.invars[0].aval.shape)
    axis = graph.constant(np.array(equation.params["axis"], np.int64))
    reverse = int(equation.params["reverse"])
    return [Value(name=graph.add("CumSum", x, axis, reverse=reverse))]


def _product(graph: Graph, equation: Any, given: list[Value]) -> list[Value]:
    (left, right), (left_batch, right_batch) = equation.params["dimension_numbers"]
    a, b = (v.aval for v in equation.invars)
    x, y = (graph.full(v, e.shape) for v, e in zip(given, (a, b), strict=True))
    last = left == (a.ndim - 1,) and right == (0,) and b.ndim == 2
    if last and not left_batch:
        return [Value(name=graph.add("MatMul", x, y))]
    letters = iter(string.ascii_lowercase)
    first = [next(letters) for _ in range(a.ndim)]
    second = [next(letters) for _ in range(b.ndim)]
    for i, j in (*zip(left, right, strict=True), *zip(left_batch, right_batch, strict=True)):
        second[j] = first[i]
    out = [first[i] for i in left_batch]
    out += [c for i, c in enumerate(first) if i not in (*left, *left_batch)]
    out += [c for j, c in enumerate(second) if j not in (*right, *right_batch)]
    rule = f"{''.join(first)},{''.join(second)}->{''.join(out)}"
    return [Value(name=graph.add("Einsum", x, y, equation=rule))]


HANDLERS: dict[str, Handler] = {
    **onnx_elementwise.HANDLERS,
    **onnx_shapes.HANDLERS,
    **onnx_windows.HANDLERS,
    **{name: _reduced(kind) for name, kind in _REDUCED.items()},
    "reduce_and": _any_or_all("ReduceMin"),
    "reduce_or": _any_or_all("ReduceMax"),
    "argmax": _place("ArgMax"),
    "argmin": _place("ArgMin"),
    "cumsum": _summed_up,
    "dot_general": _product,
}
