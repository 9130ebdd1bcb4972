"""How JAX's element-wise operations become ONNX nodes, whose inputs broadcast."""

from collections.abc import Callable
from typing import Any

import numpy as np

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


HANDLERS: dict[str, Handler] = {
    **{name: _binary(kind) for name, kind in _BINARY.items()},
    **{name: _compared(kind) for name, kind in _COMPARED.items()},
    **{name: _unary(kind) for name, kind in _UNARY.items()},
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
}
