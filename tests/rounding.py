"""How far float32 arithmetic may lead a program from its exact result, to first order.

Every operation of the program is held to the error that float32 promises it (Higham 2002, "Accuracy
and Stability of Numerical Algorithms", sections 2.2 and 3.1): a sum of n products, in any order, is
off by gamma_n times the sum of their sizes, gamma_n = n u / (1 - n u), u = 2^-24; a sum, product or
quotient by u of itself. What such errors do to the result is the program's own derivative, in
float64. So the bound knows the program and nothing of what it gave.
"""

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core

UNIT = 2.0**-24
EXACT = {  # move, choose or compare numbers
    *("reshape", "transpose", "broadcast_in_dim", "squeeze", "slice", "pad", "concatenate", "rev"),
    *("select_n", "max", "min", "reduce_max", "argmax", "neg", "abs", "sign", "copy", "gather"),
    *("stop_gradient", "convert_element_type", "iota", "clamp", "expand_dims"),
}
ROUNDED = {"add": 1, "add_any": 1, "sub": 1, "mul": 1, "div": 2, "sqrt": 1, "square": 1}
# Functions of a library: 4 units in the last place, what OpenCL C asks of exp, log and rsqrt.
ROUNDED |= dict.fromkeys(("exp", "log", "log1p", "rsqrt", "tanh", "logistic", "erf"), 8)


def gamma(n: Any) -> Any:
    """Of n operations, one bound for all of them."""
    return n * UNIT / (1 - n * UNIT)


def products(op: Callable[..., jax.Array], a: Any, b: Any) -> jax.Array:
    """Error of sums of products, as convolutions and products of matrices are, `op(a, b)`."""
    count = op(jnp.ones_like(a), jnp.ones_like(b))
    return gamma(count) * op(jnp.abs(a), jnp.abs(b))


def limits(program: Callable[..., Any], *args: Any) -> tuple[Any, Callable[[Any], float]]:
    """Exact results of a program, and how far float32 may lead a weighted sum of them.

    Args:
      program: of arrays float64, traced; runs outside of jit.

    Returns:
      Its results, and weights (like the results) -> the bound of `sum(weight * result)`.
    """
    flat, tree = jax.tree.flatten(args)
    closed, shape = jax.make_jaxpr(
        lambda *x: program(*jax.tree.unflatten(tree, x)), return_shape=1
    )(*flat)
    local: list[jax.Array] = []
    _evaluate(closed.jaxpr, closed.consts, flat, None, local)

    def moved(taps: list[jax.Array]) -> list[jax.Array]:
        return _evaluate(closed.jaxpr, closed.consts, flat, iter(taps), [])

    results, pull = jax.vjp(moved, [jnp.zeros_like(one) for one in local])

    def bound(weights: Any) -> float:
        (slopes,) = pull(
            [
                jnp.asarray(w, r.dtype)
                for w, r in zip(jax.tree.leaves(weights), results, strict=True)
            ]
        )
        return float(sum((jnp.abs(s) * one).sum() for s, one in zip(slopes, local, strict=True)))

    return jax.tree.unflatten(jax.tree.structure(shape), results), bound


def _evaluate(
    jaxpr: Any, consts: Any, args: Any, taps: Iterator[jax.Array] | None, local: list[jax.Array]
) -> list[jax.Array]:
    """Results of a traced program; its operations' errors go to `local`, or come from `taps`."""
    known = dict(zip((*jaxpr.constvars, *jaxpr.invars), (*consts, *args), strict=True))

    def read(name: Any) -> Any:
        return name.val if isinstance(name, core.Literal) else known[name]

    for equation in jaxpr.eqns:
        given = [read(one) for one in equation.invars]
        inner = equation.params.get("jaxpr") or equation.params.get("call_jaxpr")
        if inner is not None:
            out = _evaluate(inner.jaxpr, inner.consts, given, taps, local)
        else:
            made = equation.primitive.bind(*given, **equation.params)
            out = made if equation.primitive.multiple_results else [made]
            name = equation.primitive.name
            if name not in EXACT and jnp.issubdtype(out[0].dtype, jnp.floating):
                if taps is None:
                    local.append(_own(name, equation, given, out[0]))
                else:
                    out = [out[0] + next(taps)]
        known |= dict(zip(equation.outvars, out, strict=True))
    return [read(one) for one in jaxpr.outvars]


def _own(name: str, equation: Any, given: list[Any], out: jax.Array) -> jax.Array:
    """What an operation adds of its own: the error of its result."""

    def again(*values: Any) -> jax.Array:
        return equation.primitive.bind(*values, **equation.params)

    if name in ("conv_general_dilated", "dot_general"):
        return products(again, *given)
    if name == "reduce_sum":
        return gamma(np.size(given[0]) / max(np.size(out), 1)) * again(jnp.abs(given[0]))
    if name == "integer_pow":
        return gamma(abs(equation.params["y"])) * jnp.abs(out)
    if name == "scatter-add":
        return UNIT * jnp.abs(out)
    return ROUNDED[name] * UNIT * jnp.abs(out)
