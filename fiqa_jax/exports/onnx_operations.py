"""How JAX's element-wise operations, reductions, products and changes of shape become ONNX nodes.

Convolutions, windows and slices stand in `onnx_windows`.
"""

import string
from collections.abc import Callable
from typing import Any

import numpy as np

from fiqa_jax.exports import onnx_windows
from fiqa_jax.exports.onnx_graph import ExportError, Graph, Handler, Value

_BINARY = {
    **{"add": "Add", "sub": "Sub", "mul": "Mul", "div": "Div", "max": "Max", "min": "Min"},
    **{"pow": "Pow", "and": "And", "or": "Or", "add_any": "Add"},
}
_COMPARED = {
    **{"eq": "Equal", "lt": "Less", "gt": "Greater"},
    **{"le": "LessOrEqual", "ge": "GreaterOrEqual"},
}
_UNARY = {
    **{"neg": "Neg", "exp": "Exp", "log": "Log", "tanh": "Tanh", "logistic": "Sigmoid"},
    **{"sqrt": "Sqrt", "abs": "Abs", "floor": "Floor", "ceil": "Ceil", "sign": "Sign"},
    **{"erf": "Erf", "not": "Not", "sin": "Sin", "cos": "Cos"},
}
_SAME = ("stop_gradient", "copy", "copy_p", "optimization_barrier", "reduce_precision")
_REDUCED = {
    **{"reduce_sum": "ReduceSum", "reduce_max": "ReduceMax", "reduce_min": "ReduceMin"},
    "reduce_prod": "ReduceProd",
}


def _elementwise(
    build: Callable[..., str], graph: Graph, given: list[Value], wide: bool = False
) -> list[Value]:
    """A node whose inputs broadcast; the result is whole as soon as one of them is."""
    names = [graph.named(v) for v in given]
    return [Value(name=build(*names), whole=any(v.whole for v in given))]


def _whole(equation: Any, given: list[Value]) -> list[Value]:
    """Inputs that broadcast: an array of one number needs no shape of its own."""
    out = equation.outvars[0].aval.shape
    return [
        Value(v.known, v.name, v.whole and e.aval.shape == out)
        for v, e in zip(given, equation.invars, strict=True)
    ]


def _binary(kind: str) -> Handler:
    def handler(graph: Graph, equation: Any, given: list[Value]) -> list[Value]:
        a, b = _whole(equation, given)
        dtype = np.dtype(equation.invars[0].aval.dtype)
        logical = kind in ("And", "Or")
        if logical and dtype.kind != "b":
            raise ExportError("bitwise operations have no way to ONNX here; export as stablehlo")
        if kind == "Sub" and b.known is not None and dtype.kind == "f":
            return _elementwise(  # runtimes merge an Add, not a Sub, into a convolution
                lambda x, _: graph.add("Add", x, graph.constant(-b.known)), graph, [a, b]
            )
        return _elementwise(lambda x, y: _widened(graph, kind, dtype, logical, x, y), graph, [a, b])

    return handler


def _widened(graph: Graph, kind: str, dtype: Any, logical: bool, *names: str) -> str:
    """A node on int32 where runtimes lack it for the small integers."""
    if logical or np.dtype(dtype).itemsize >= 4:
        return graph.add(kind, *names)
    return graph.cast(graph.add(kind, *(graph.cast(n, np.int32) for n in names)), dtype)


def _compared(kind: str) -> Handler:
    def handler(graph: Graph, equation: Any, given: list[Value]) -> list[Value]:
        small = np.dtype(equation.invars[0].aval.dtype).itemsize < 4

        def build(*names: str) -> str:
            return graph.add(kind, *((graph.cast(n, np.int32) for n in names) if small else names))

        return _elementwise(build, graph, _whole(equation, given))

    return handler


def _not_equal(graph: Graph, equation: Any, given: list[Value]) -> list[Value]:
    (same,) = _compared("Equal")(graph, equation, given)
    return [Value(name=graph.add("Not", same.name), whole=same.whole)]


def _unary(kind: str) -> Handler:
    def handler(graph: Graph, equation: Any, given: list[Value]) -> list[Value]:
        return _elementwise(lambda x: graph.add(kind, x), graph, given)

    return handler


def _written(formula: Callable[..., str]) -> Handler:
    """A handler from a function of (graph, names ..., parameters of the operation)."""

    def handler(graph: Graph, equation: Any, given: list[Value]) -> list[Value]:
        dtype = equation.invars[0].aval.dtype
        return _elementwise(
            lambda *names: formula(graph, dtype, equation.params, *names),
            graph,
            _whole(equation, given),
        )

    return handler


def _power(graph: Graph, dtype: Any, params: Any, x: str) -> str:
    if params["y"] == 2:
        return graph.add("Mul", x, x)
    return graph.add("Pow", x, graph.constant(np.array(params["y"], dtype)))


def _one_less(graph: Graph, dtype: Any, params: Any, x: str) -> str:
    return graph.add("Sub", graph.add("Exp", x), graph.constant(np.array(1, dtype)))


def _log_of_one_more(graph: Graph, dtype: Any, params: Any, x: str) -> str:
    return graph.add("Log", graph.add("Add", x, graph.constant(np.array(1, dtype))))


def _error_left(graph: Graph, dtype: Any, params: Any, x: str) -> str:
    return graph.add("Sub", graph.constant(np.array(1, dtype)), graph.add("Erf", x))


def _finite(graph: Graph, dtype: Any, params: Any, x: str) -> str:
    odd = graph.add("Or", graph.add("IsNaN", x), graph.add("IsInf", x))
    return graph.add("Not", odd)


def _rounded(graph: Graph, dtype: Any, params: Any, x: str) -> str:
    if int(params["rounding_method"]) != 1:
        raise ExportError("rounding halves away from 0 has no way to ONNX; export as stablehlo")
    return graph.add("Round", x)


def _chosen(graph: Graph, equation: Any, given: list[Value]) -> list[Value]:
    if len(given) != 3 or np.dtype(equation.invars[0].aval.dtype).kind != "b":
        raise ExportError("a choice among several has no way to ONNX here; export as stablehlo")
    where, no, yes = _whole(equation, given)
    return _elementwise(lambda w, n, y: graph.add("Where", w, y, n), graph, [where, no, yes])


def _clamped(graph: Graph, equation: Any, given: list[Value]) -> list[Value]:
    low, x, high = _whole(equation, given)
    return _elementwise(
        lambda a, v, b: graph.add("Min", graph.add("Max", v, a), b), graph, [low, x, high]
    )


def _same(graph: Graph, equation: Any, given: list[Value]) -> list[Value]:
    return given


def _cast(graph: Graph, equation: Any, given: list[Value]) -> list[Value]:
    dtype = equation.params["new_dtype"]
    return _elementwise(lambda x: graph.cast(x, dtype), graph, given)


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
    **{name: _binary(kind) for name, kind in _BINARY.items()},
    **{name: _compared(kind) for name, kind in _COMPARED.items()},
    **{name: _unary(kind) for name, kind in _UNARY.items()},
    **{name: _reduced(kind) for name, kind in _REDUCED.items()},
    **dict.fromkeys(_SAME, _same),
    "ne": _not_equal,
    "square": _written(lambda graph, dtype, params, x: graph.add("Mul", x, x)),
    "integer_pow": _written(_power),
    "rsqrt": _written(lambda g, dtype, params, x: g.add("Reciprocal", g.add("Sqrt", x))),
    "expm1": _written(_one_less),
    "log1p": _written(_log_of_one_more),
    "erfc": _written(_error_left),
    "is_finite": _written(_finite),
    "round": _written(_rounded),
    "select_n": _chosen,
    "clamp": _clamped,
    "convert_element_type": _cast,
    "reduce_and": _any_or_all("ReduceMin"),
    "reduce_or": _any_or_all("ReduceMax"),
    "argmax": _place("ArgMax"),
    "argmin": _place("ArgMin"),
    "cumsum": _summed_up,
    "dim_as_value": _size,
    "dot_general": _product,
    "reshape": _reshaped,
    "squeeze": _reshaped,
    "expand_dims": _reshaped,
    "broadcast_in_dim": _broadcast,
    "transpose": _turned,
    "rev": _reversed,
    "concatenate": _joined,
    "stack": _stacked,
    **onnx_windows.HANDLERS,
}
