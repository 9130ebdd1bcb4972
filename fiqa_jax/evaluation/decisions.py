"""From probabilities to one class and one score: decided here, for every file that needs either."""

from collections.abc import Mapping
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


def score(outputs: Mapping[str, _Array]) -> _Array | None:
    """How bad a photograph is, from the probabilities of its heads.

    Args:
      outputs: any of p_quality `[..., 3]`, p_ungradable `[...]`, p_details `[..., K]`.

    Returns:
      `[...] float` in [0, 1]: the expected grade (`badness`), else the probability of ungradable,
      else the mean probability of a defect; None without any of them.
    """
    if "p_quality" in outputs:
        return badness(outputs["p_quality"])
    if "p_ungradable" in outputs:
        return outputs["p_ungradable"]
    if "p_details" in outputs:
        return outputs["p_details"].mean(-1)  # type: ignore[attr-defined]
    return None
