"""An ONNX graph from what JAX traced, built node by node with `onnx.helper`.

A model is traced once with a batch of unknown size; every operation of the trace becomes one or a
few nodes. Whatever depends on no input is computed here and stored.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.extend import core

OPSET, IR_VERSION = 18, 10
BATCH = "b"  # name of the unknown dimension
MOST_FOLDED = 1 << 20  # numbers of a constant that is computed here
_SIZE = re.compile(rf"(?:(\d+)\*)?{BATCH}")
# Constants that need no compilation: normalisation's, mostly.
_AT_ONCE: dict[str, Callable[..., Any]] = {
    **{"add": np.add, "sub": np.subtract, "mul": np.multiply, "max": np.maximum},
    "rsqrt": lambda x: np.reciprocal(np.sqrt(x)),
}
_CALLS = ("jaxpr", "call_jaxpr", "fun_jaxpr")


class ExportError(ValueError):
    """A model that cannot be exported, or an export that is not equal; says what to do."""


class Value:
    """What a variable of the trace is: a known array, or a tensor of the graph.

    Attributes:
      known: the array, None for a tensor.
      name: of the tensor, '' for an array.
      whole: it has the variable's shape; else dimensions of 1 stand for larger ones, which
        element-wise nodes broadcast on their own.
    """

    def __init__(self, known: Any = None, name: str = "", whole: bool = True) -> None:
        self.known: Any = None if known is None else np.asarray(known)
        self.name = name
        self.whole = whole


Shape = Sequence[Any]  # int, or an expression of the batch size
Handler = Callable[["Graph", Any, list[Value]], list[Value]]


class Graph:
    """Nodes and constants that are collected while a trace is walked.

    Args:
      handlers: primitive -> how it becomes nodes; see `onnx_operations`.
      batch_of: (name, rank) of an input whose first dimension is the batch.
    """

    def __init__(self, handlers: Mapping[str, Handler], batch_of: str) -> None:
        from onnx import helper, numpy_helper

        self._helper, self._numpy = helper, numpy_helper
        self.handlers = handlers
        self.nodes: list[Any] = []
        self.constants: dict[tuple[str, tuple[int, ...], bytes], Any] = {}
        self._batch_of, self._batch = batch_of, ""
        self._count = 0

    def add(self, kind: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        """Appends a node of one output; returns the output's name."""
        self._count += 1
        out = name or f"t{self._count}"
        node = self._helper.make_node(kind, list(inputs), [out], **attributes)
        self.nodes.append(node)
        return out

    def constant(self, array: Any) -> str:
        """Name of a stored array; equal ones are stored once."""
        array = np.ascontiguousarray(np.asarray(array)).reshape(np.shape(array))
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self.constants:
            self.constants[key] = self._numpy.from_array(array, f"c{len(self.constants)}")
        return str(self.constants[key].name)

    def integers(self, *values: int) -> str:
        """A stored vector of int64, as shapes and axes are."""
        return self.constant(np.array(values, np.int64))

    def named(self, value: Value) -> str:
        """The tensor of a value; of dimension 1 where it is not whole."""
        return value.name or self.constant(value.known)

    def full(self, value: Value, shape: Shape) -> str:
        """The tensor of a value in its variable's own shape."""
        if value.whole:
            return self.named(value)
        return self.add("Expand", self.named(value), self.sizes(shape))

    def sizes(self, shape: Shape) -> str:
        """A vector of int64 with a shape, the batch size looked up while the graph runs."""
        if all(isinstance(n, int) for n in shape):
            return self.integers(*shape)
        if not self._batch:
            whole = self.add("Shape", self._batch_of)
            self._batch = self.add("Gather", whole, self.integers(0))
        parts = []
        for n in shape:
            if isinstance(n, int):
                parts.append(self.integers(n))
                continue
            match = _SIZE.fullmatch(str(n))
            if not match:
                raise ExportError(f"a size of {n} has no way to ONNX; export as stablehlo")
            times = int(match[1] or 1)
            parts.append(
                self._batch if times == 1 else self.add("Mul", self._batch, self.integers(times))
            )
        return self.add("Concat", *parts, axis=0)

    def reshaped(self, name: str, shape: Shape) -> str:
        """A tensor in another shape, of which one size may depend on the batch."""
        unknown = sum(not isinstance(n, int) for n in shape)
        if unknown > 1:
            return self.add("Reshape", name, self.sizes(shape))
        return self.add("Reshape", name, self.integers(*(_or(n, -1) for n in shape)))

    def cast(self, name: str, dtype: Any) -> str:
        """A tensor in another dtype."""
        kind = self._helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        return self.add("Cast", name, to=kind)

    def walk(self, jaxpr: Any, constants: Sequence[Any], inputs: Sequence[Value]) -> list[Value]:
        """Adds every operation of a trace; returns the values of its results.

        Raises:
          ExportError: an operation that has no handler.
        """
        known: dict[Any, Value] = {}
        known |= dict(zip(jaxpr.constvars, map(Value, constants), strict=True))
        known |= dict(zip(jaxpr.invars, inputs, strict=True))

        def value(variable: Any) -> Value:
            if not isinstance(variable, core.Literal):
                return known[variable]
            aval: Any = variable.aval
            return Value(np.asarray(variable.val, aval.dtype))

        for equation in jaxpr.eqns:
            given = [value(v) for v in equation.invars]
            values = self._folded(equation, given) or self._equation(equation, given)
            known |= dict(zip(equation.outvars, values, strict=True))
        return [value(v) for v in jaxpr.outvars]

    def _equation(self, equation: Any, given: list[Value]) -> list[Value]:
        name = equation.primitive.name
        if name in self.handlers:
            return self.handlers[name](self, equation, given)
        for key in _CALLS:
            inner = equation.params.get(key)
            if inner is not None:
                closed = hasattr(inner, "consts")
                body, consts = (inner.jaxpr, inner.consts) if closed else (inner, ())
                return self.walk(body, consts, given)
        raise ExportError(
            f"the operation {name!r} of this model has no way to ONNX here; export it as "
            "stablehlo, which holds every model"
        )

    def _folded(self, equation: Any, given: list[Value]) -> list[Value] | None:
        """The results of an operation on known arrays, None where it is none or too large."""
        named = equation.primitive.name in self.handlers
        shapes = [v.aval.shape for v in (*equation.invars, *equation.outvars)]
        static = all(isinstance(n, int) for shape in shapes for n in shape)
        if equation.primitive.name in ("reshape", "squeeze", "expand_dims", "broadcast_in_dim"):
            return None  # their handlers keep what is known
        if not static or "dim" in equation.params or any(v.known is None for v in given):
            return None
        if max((int(np.prod(shape)) for shape in shapes), default=0) > MOST_FOLDED:
            return None
        arrays = [
            np.broadcast_to(v.known, e.aval.shape).astype(e.aval.dtype)
            for v, e in zip(given, equation.invars, strict=True)
        ]
        if any(key in equation.params for key in _CALLS) and not named:
            return None  # what is inside is folded by itself
        if equation.primitive.name in _AT_ONCE:
            return [Value(_AT_ONCE[equation.primitive.name](*arrays))]
        result = equation.primitive.bind(*map(jnp.asarray, arrays), **equation.params)
        several = result if equation.primitive.multiple_results else [result]
        return [Value(np.asarray(array)) for array in several]

    def model(
        self, inputs: Mapping[str, Any], outputs: Mapping[str, Any], notes: Mapping[str, str]
    ) -> bytes:
        """The finished file.

        Args:
          inputs: name -> shape and dtype; outputs: name -> (value, shape and dtype).
          notes: kept as the file's metadata.

        Raises:
          ExportError: a graph that ONNX's own checker refuses.
        """
        import onnx

        ends = []
        for name, (value, aval) in outputs.items():
            self.add("Identity", self.full(value, aval.shape), name=name)
            ends.append(self._info(name, aval))
        starts = [self._info(name, aval) for name, aval in inputs.items()]
        used = {name for node in self.nodes for name in node.input}
        stored = [constant for constant in self.constants.values() if constant.name in used]
        graph = self._helper.make_graph(self.nodes, "fiqa", starts, ends, stored)
        opset = [self._helper.make_opsetid("", OPSET)]
        model = self._helper.make_model(graph, opset_imports=opset, ir_version=IR_VERSION)
        self._helper.set_model_props(model, dict(notes))
        try:
            onnx.checker.check_model(model, full_check=True)
        except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
            raise ExportError(f"the graph is not valid ONNX: {error}") from error
        return bytes(model.SerializeToString())

    def _info(self, name: str, aval: Any) -> Any:
        kind = self._helper.np_dtype_to_tensor_dtype(np.dtype(aval.dtype))
        shape = [_or(n, "batch") for n in aval.shape]
        return self._helper.make_tensor_value_info(name, kind, shape)


def _or(size: Any, other: Any) -> Any:
    return size if isinstance(size, int) else other
