"""How JAX's convolutions, sliding windows, slices and paddings become ONNX nodes.

ONNX has channels first, our networks last: nodes are turned on the way in and out, which runtimes
undo where two of them meet.
"""

from typing import Any

import numpy as np

from fiqa_jax.exports.onnx_graph import ExportError, Graph, Handler, Value


def _turn(graph: Graph, name: str, order: tuple[int, ...]) -> str:
    return name if order == (*range(len(order)),) else graph.add("Transpose", name, perm=[*order])


def _convolution(graph: Graph, equation: Any, given: list[Value]) -> list[Value]:
    params = equation.params
    numbers = params["dimension_numbers"]
    plain = {*params["lhs_dilation"]} == {1} and params["batch_group_count"] == 1
    if not plain or any(n < 0 for pair in params["padding"] for n in pair):
        raise ExportError("this convolution has no way to ONNX here; export as stablehlo")
    x = _turn(graph, graph.full(given[0], equation.invars[0].aval.shape), numbers.lhs_spec)
    if given[1].known is not None:
        shape = equation.invars[1].aval.shape
        kernel = np.broadcast_to(given[1].known, shape).transpose(numbers.rhs_spec)
        weights = graph.constant(kernel)
    else:
        whole = graph.full(given[1], equation.invars[1].aval.shape)
        weights = _turn(graph, whole, numbers.rhs_spec)
    low, high = zip(*params["padding"], strict=True)
    out = graph.add(
        "Conv",
        x,
        weights,
        strides=list(params["window_strides"]),
        pads=[*low, *high],
        dilations=list(params["rhs_dilation"]),
        group=params["feature_group_count"],
    )
    back = np.argsort(numbers.out_spec)
    return [Value(name=_turn(graph, out, tuple(int(n) for n in back)))]


def _window(graph: Graph, equation: Any, given: list[Value]) -> list[Value]:
    """Sums or maxima over windows, of `reduce_window` in its three spellings."""
    params, name = equation.params, equation.primitive.name
    kind = name.removeprefix("reduce_window").removeprefix("_") or _inside(params["jaxpr"])
    sizes, steps = params["window_dimensions"], params["window_strides"]
    dilated = {*params.get("base_dilation", (1,)), *params.get("window_dilation", (1,))} != {1}
    batch_last = len(sizes) == 4 and sizes[0] == sizes[3] == steps[0] == steps[3] == 1
    if kind not in ("sum", "add", "max") or dilated or not batch_last:
        raise ExportError("these windows have no way to ONNX here; export as stablehlo")
    if len(given) > 1:
        start = given[1].known
        expected = -np.inf if kind == "max" else 0
        if start is None or start != expected:
            raise ExportError("windows that start at another number: export as stablehlo")
    x = _turn(graph, graph.full(given[0], equation.invars[0].aval.shape), (0, 3, 1, 2))
    (top, bottom), (left, right) = params["padding"][1:3]
    how: dict[str, Any] = {
        "kernel_shape": [*sizes[1:3]],
        "strides": [*steps[1:3]],
        "pads": [top, left, bottom, right],
    }
    if kind == "max":
        out = graph.add("MaxPool", x, **how)
    else:
        mean = graph.add("AveragePool", x, count_include_pad=1, **how)
        area = np.array(sizes[1] * sizes[2], equation.outvars[0].aval.dtype)
        out = graph.add("Mul", mean, graph.constant(area))
    return [Value(name=_turn(graph, out, (0, 2, 3, 1)))]


def _inside(jaxpr: Any) -> str:
    """The one operation that a general window reduces by."""
    body = getattr(jaxpr, "jaxpr", jaxpr)
    return body.eqns[0].primitive.name if len(body.eqns) == 1 else ""


def _sliced(
    graph: Graph, x: str, start: list[int], stop: list[int], step: list[int], shape: Any
) -> str:
    axes = [
        i
        for i, (a, b, s, n) in enumerate(zip(start, stop, step, shape, strict=True))
        if (a, s) != (0, 1) or b != n
    ]
    if not axes:
        return x
    parts = ([one[i] for i in axes] for one in (start, stop))
    first, last = (graph.integers(*part) for part in parts)
    return graph.add(
        "Slice", x, first, last, graph.integers(*axes), graph.integers(*(step[i] for i in axes))
    )


def _slice(graph: Graph, equation: Any, given: list[Value]) -> list[Value]:
    params, shape = equation.params, equation.invars[0].aval.shape
    x = graph.full(given[0], shape)
    steps = list(params["strides"] or (1,) * len(shape))
    start, stop = list(params["start_indices"]), list(params["limit_indices"])
    return [Value(name=_sliced(graph, x, start, stop, steps, shape))]


def _from_known_place(graph: Graph, equation: Any, given: list[Value]) -> list[Value]:
    """`dynamic_slice` whose start is known."""
    shape, sizes = equation.invars[0].aval.shape, equation.params["slice_sizes"]
    if any(v.known is None for v in given[1:]):
        raise ExportError("a slice from a computed place: export as stablehlo")
    start = [int(v.known) for v in given[1:]]
    stop = [n if n == size else a + size for a, size, n in zip(start, sizes, shape, strict=True)]
    x = graph.full(given[0], shape)
    return [Value(name=_sliced(graph, x, start, stop, [1] * len(shape), shape))]


def _gather(graph: Graph, equation: Any, given: list[Value]) -> list[Value]:
    """Indexing by known numbers: a slice, or rows picked along one axis."""
    numbers, sizes = equation.params["dimension_numbers"], equation.params["slice_sizes"]
    operand, indices = (v.aval for v in equation.invars)
    at = given[1].known
    batched = (*numbers.operand_batching_dims, *numbers.start_indices_batching_dims)
    if at is None or batched or indices.ndim > 2:
        raise ExportError("indexing by computed numbers: export as stablehlo")
    x = graph.full(given[0], operand.shape)
    if indices.ndim == 2:
        axis = numbers.start_index_map[0]
        along = tuple(i for i in range(operand.ndim) if i != axis)
        if indices.shape[1] != 1 or numbers.offset_dims != along or sizes[axis] != 1:
            raise ExportError("indexing along several axes: export as stablehlo")
        rows = np.clip(np.broadcast_to(at, indices.shape)[:, 0], 0, operand.shape[axis] - 1)
        return [Value(name=graph.add("Gather", x, graph.integers(*rows), axis=axis))]
    start, stop = [0] * operand.ndim, list(operand.shape)
    for axis, index in zip(
        numbers.start_index_map, np.broadcast_to(at, indices.shape), strict=True
    ):
        start[axis] = min(max(int(index), 0), operand.shape[axis] - sizes[axis])
        stop[axis] = start[axis] + sizes[axis]
    out = _sliced(graph, x, start, stop, [1] * operand.ndim, operand.shape)
    gone = numbers.collapsed_slice_dims
    return [Value(name=graph.add("Squeeze", out, graph.integers(*gone)) if gone else out)]


def _split(graph: Graph, equation: Any, given: list[Value]) -> list[Value]:
    shape, axis = equation.invars[0].aval.shape, equation.params["axis"]
    x, at, out = graph.full(given[0], shape), 0, []
    for size in equation.params["sizes"]:
        start, stop = [0] * len(shape), list(shape)
        start[axis], stop[axis] = at, at + size
        out.append(Value(name=_sliced(graph, x, start, stop, [1] * len(shape), shape)))
        at += size
    return out


def _padded(graph: Graph, equation: Any, given: list[Value]) -> list[Value]:
    low, high, between = zip(*equation.params["padding_config"], strict=True)
    if any(between):
        raise ExportError("padding between numbers: export as stablehlo")
    x = graph.full(given[0], equation.invars[0].aval.shape)
    return [Value(name=graph.add("Pad", x, graph.integers(*low, *high), graph.named(given[1])))]


HANDLERS: dict[str, Handler] = {
    "conv_general_dilated": _convolution,
    "reduce_window": _window,
    "reduce_window_sum": _window,
    "reduce_window_max": _window,
    "slice": _slice,
    "dynamic_slice": _from_known_place,
    "gather": _gather,
    "split": _split,
    "pad": _padded,
}
