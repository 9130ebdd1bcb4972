"""A readable line of text becomes an augmentation: `flip|rotate(180)|crop(0.85, 1)`."""

import ast
import difflib
import inspect
from collections.abc import Callable
from typing import Any

import jax

from fiqa_jax.training import augment

Transform = Callable[[dict[str, jax.Array], jax.Array], dict[str, jax.Array]]


def parse(text: str) -> list[tuple[str, tuple[Any, ...], dict[str, Any]]]:
    """Names, arguments and keywords of the operations in a line; nothing is evaluated.

    Raises:
      ValueError: text that is not a chain of names and calls with literal arguments.
    """
    out: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []
    for part in filter(None, (p.strip() for p in text.split("|"))):
        try:
            node = ast.parse(part, mode="eval").body
            if isinstance(node, ast.Name):
                out.append((node.id, (), {}))
                continue
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
                raise ValueError
            args = tuple(ast.literal_eval(a) for a in node.args)
            keywords = {k.arg: ast.literal_eval(k.value) for k in node.keywords if k.arg}
            out.append((node.func.id, args, keywords))
        except (SyntaxError, ValueError):
            raise ValueError(
                f"augment.train: cannot read {part!r}; write names or calls with numbers, such as "
                "'flip|rotate(180)|crop(0.85, 1)'"
            ) from None
    return out


def make(text: str) -> Transform | None:
    """The augmentation of one example, or None for an empty line.

    Args:
      text: operations of `training.augment` separated by '|': geometry (flip, rotate, crop, zoom,
        shift, patch) and colours (brightness, contrast, gamma, tint, noise). Colours change what
        the quality labels describe: only for methods that do not learn quality from the image.

    Returns:
      (arrays of one example, key) -> arrays; map it over a batch with `jax.vmap`.

    Raises:
      ValueError: unknown names or arguments.
    """
    known = {**augment.GEOMETRY, **augment.COLOUR}
    geometry: list[augment.Matrix] = []
    colours: list[augment.Colour] = []
    side: int | None = None
    for name, args, keywords in parse(text):
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ValueError(f"augment.train: no operation {name!r}{hint} Known: {sorted(known)}")
        try:
            if name == "patch":
                bound = inspect.signature(augment.patch).bind(*args, **keywords)
                bound.apply_defaults()
                side = bound.arguments["side"]
            if name in augment.GEOMETRY:
                geometry.append(augment.GEOMETRY[name](*args, **keywords))
            else:
                colours.append(augment.COLOUR[name](*args, **keywords))
        except TypeError as error:
            raise ValueError(f"augment.train: {name}{args}: {error}") from None
    if not geometry and not colours:
        return None
    parts = (tuple(geometry), tuple(colours), side)
    return lambda arrays, key: augment.example(arrays, key, *parts)
