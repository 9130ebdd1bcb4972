"""What took it: the cause that a map names for a photograph with one defect."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fiqa_jax.benchmark.defect_copies import Copies
from fiqa_jax.benchmark.defect_scores import Score
from fiqa_jax.methods.visible_cells import CAUSES
from input_pipeline.synthetic.defects import KINDS
from input_pipeline.synthetic.truth import USABLE

LEAST = 0.2  # share of the field in which less is left than usable


def named(quality: NDArray[Any], causes: NDArray[Any]) -> int:
    """The cause with the largest share of the badness, a place in `CAUSES`.

    Args:
      quality: [h, w] in [0, 1], 1 is bad; causes: [h, w, 4].
    """
    return int((quality[..., None] * causes).sum((0, 1)).argmax())


def confusion(sets: Sequence[Copies], quality: Score, causes: Score) -> NDArray[np.int64]:
    """Copies by true cause (rows) and named cause (columns) [4, 4].

    Counted are tested copies with one defect that leaves less than usable (v < 0.6) in `LEAST` of
    the field; the true cause is that of most such cells.

    Args:
      sets: copies of photographs; quality, causes: see `named`, by copies and place.
    """
    out = np.zeros((len(CAUSES), len(CAUSES)), np.int64)
    for copies in sets:
        for k in np.flatnonzero(copies.test):
            v = copies.visibility[k]
            poor = v < USABLE
            if str(copies.kind[k]) in KINDS and poor.sum() >= LEAST * np.isfinite(v).sum():
                true = np.bincount(copies.cause[k][poor & (copies.cause[k] >= 0)], minlength=4)
                out[true.argmax(), named(quality(copies, int(k)), causes(copies, int(k)))] += 1
    return out


def balanced_accuracy(matrix: NDArray[np.int64]) -> float:
    """Mean over the causes that occur of the share named right."""
    total = matrix.sum(1)
    return float((np.diag(matrix)[total > 0] / total[total > 0]).mean())
