"""A batch through a model in parts, joined again.

On CPUs photographs go through a model one at a time, however many were read together: the memory
that a program needs for sixteen is given back to the system after every call, and the next call
waits for the same pages again, a third of the time of the model `open`. It also leaves one program
to compile, whatever the size of the batch.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray

Batch = Mapping[str, Any]


def size(count: int) -> int:
    """How many of `count` photographs go through a model together on the default device."""
    return 1 if jax.default_backend() == "cpu" else count


def filled(count: int, batch: int) -> int:
    """How many photographs a model is given for a group of `count`, 1 to `batch`.

    Where a whole batch goes through together, a smaller group is filled up to it, so that one
    program serves all; where each goes alone, what fills it up would only be work.
    """
    return count if size(batch) < batch else batch


def run(
    model: Callable[[dict[str, Any]], Mapping[str, Any]], batch: Batch, part: int
) -> dict[str, NDArray[Any]]:
    """What a model makes of a batch.

    Args:
      model: batch -> outputs, `[B, ...]` each, of each photograph by itself.
      batch: arrays `[B, ...]`, B 1 or more.
      part: photographs at a time, 1 or more; the last part may be smaller.
    """
    count = len(next(iter(batch.values())))
    made = [
        model({key: value[at : at + part] for key, value in batch.items()})
        for at in range(0, count, part)
    ]
    return {key: np.concatenate([np.asarray(one[key]) for one in made]) for key in made[0]}
