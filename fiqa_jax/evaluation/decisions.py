"""From probabilities to one class and one score: decided here, for every file that needs either."""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

_Array = TypeVar("_Array")  # NumPy or JAX


def predicted_class(prob: NDArray[np.floating]) -> NDArray[np.int64]:
    """The class that a head names.

    Args:
      prob: `[..., C] float` of C classes, or `[N] float` of the second of two.

    Returns:
      `[...] int64`: the likeliest class, the first of equal ones; of two the second from 0.5 on.
    """
    if prob.ndim == 1:
        return (prob >= 0.5).astype(np.int64)
    return prob.argmax(-1)


def badness(p_quality: _Array) -> _Array:
    """The expected grade, P(reject) + P(usable) / 2.

    Args:
      p_quality: `[..., 3] float`, good, usable, reject.

    Returns:
      `[...] float` in [0, 1].
    """
    return p_quality[..., 2] + 0.5 * p_quality[..., 1]  # type: ignore[index]
