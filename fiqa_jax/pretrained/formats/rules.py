"""From the names and layouts of PyTorch to ours, as a table of patterns."""

import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np


class FormatError(ValueError):
    """The tensors are not of the format that was named."""


@dataclasses.dataclass(frozen=True)
class Format:
    """A family of published weights.

    Attributes:
      description: the networks it covers, one line.
      origin: where such a file comes from, one line.
      convert: maps tensors by name, as the file has them, to ours by path (`params/...`,
        `batch_stats/...`) and JSON metadata. Metadata has `model` (a key of MODELS) and what else
        rebuilds it, and may have `optional`, a regex of paths that a model need not have (a
        classifier's head). Raises FormatError.
      use: how a converted file is used, one line; `{output}` and the metadata's names are filled
        in.
    """

    description: str
    origin: str
    convert: Callable[[Mapping[str, np.ndarray]], tuple[dict[str, np.ndarray], dict[str, Any]]]
    use: str = "--config.model.name={model} --config.model.weights={output}"


@dataclasses.dataclass(frozen=True)
class Rule:
    """One line of a table.

    Attributes:
      pattern: regex of a whole name in the file.
      path: replacement text that gives our path; None drops the tensor.
      layout: from the file's axes to ours.
    """

    pattern: str
    path: str | None
    layout: Callable[[np.ndarray], np.ndarray] = np.asarray


def conv_kernel(x: np.ndarray) -> np.ndarray:
    """`[O, I, H, W]` to `[H, W, I, O]`; depthwise kernels (I = 1) too."""
    return x.transpose(2, 3, 1, 0)


def linear_kernel(x: np.ndarray) -> np.ndarray:
    """`[O, I]` to `[I, O]`."""
    return x.transpose(1, 0)


def up_kernel(x: np.ndarray) -> np.ndarray:
    """ConvTranspose2d's `[I, O, 2, 2]` to `[I, 4 * O]`, places in reading order."""
    inputs, outputs, height, width = x.shape
    if (height, width) != (2, 2):
        raise ValueError(f"a 2x2 transposed convolution was expected, this is {height}x{width}")
    return x.transpose(0, 2, 3, 1).reshape(inputs, 4 * outputs)


def affine(pattern: str, path: str, layout: Callable[[np.ndarray], np.ndarray]) -> tuple[Rule, ...]:
    """Rules of a convolution or a linear layer with a bias."""
    return (
        Rule(rf"{pattern}\.weight", f"params/{path}/kernel", layout),
        Rule(rf"{pattern}\.bias", f"params/{path}/bias"),
    )


def layer_norm(pattern: str, path: str) -> tuple[Rule, ...]:
    """Rules of a LayerNorm's scale and bias."""
    return (
        Rule(rf"{pattern}\.weight", f"params/{path}/scale"),
        Rule(rf"{pattern}\.bias", f"params/{path}/bias"),
    )


def batch_norm(pattern: str, path: str) -> tuple[Rule, ...]:
    """Rules of a BatchNorm: scale and bias are parameters, mean and variance statistics."""
    return (
        *layer_norm(pattern, path),
        Rule(rf"{pattern}\.running_mean", f"batch_stats/{path}/mean"),
        Rule(rf"{pattern}\.running_var", f"batch_stats/{path}/var"),
        Rule(rf"{pattern}\.num_batches_tracked", None),
    )


def translate(tensors: Mapping[str, np.ndarray], rules: Iterable[Rule]) -> dict[str, np.ndarray]:
    """Renames and transposes by the first rule that matches each name.

    Args:
      tensors: by their name in the file.
      rules: the table.

    Returns:
      C-contiguous float32 arrays by our path.

    Raises:
      FormatError: names without a rule (counted, the first named), two tensors for one path, or
        one with another number of axes than its layout has.
    """
    rules = tuple(rules)
    out: dict[str, np.ndarray] = {}
    strange: list[str] = []
    for name, value in tensors.items():
        rule = next((r for r in rules if re.fullmatch(r.pattern, name)), None)
        if rule is None:
            strange.append(name)
        elif rule.path is not None:
            path = re.sub(rule.pattern, rule.path, name)
            if path in out:
                raise FormatError(f"{name} and another tensor both become {path}")
            try:
                out[path] = np.ascontiguousarray(rule.layout(value), dtype=np.float32)
            except ValueError as error:
                raise FormatError(f"{name} of shape {value.shape}: {error}") from error
    if strange:
        raise FormatError(f"{len(strange)} tensors are not known, first: {strange[0]}")
    return out
