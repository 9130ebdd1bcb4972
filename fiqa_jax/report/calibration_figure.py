"""The drawing of a clinic's own calibration: scores with the limits, and if chances come true."""

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from fiqa_jax.evaluation import reliability
from fiqa_jax.predictions.local_calibration import Fit
from fiqa_jax.report import figures

_BINS = 8  # of the reliability diagram: few labels


def draw(bad: NDArray[np.int64], got: Fit) -> bytes:
    """A PNG.

    Args:
      bad: [N] 0/1, the labels of the fit.
      got: of `local_calibration.fit`.
    """
    figure = Figure((8.6, 2.9), dpi=figures.DPI, layout="constrained")
    left, right = figure.subplots(1, 2)
    bins = np.linspace(0, 1, 21)
    for kind, name, colour in ((0, "others", figures.COLOURS[0]), (1, "bad", figures.COLOURS[1])):
        left.hist(got.p_before[bad == kind], bins, color=colour, alpha=0.6, label=name)
    for at, name in ((got.accept, "accept below"), (got.recapture, "retake from")):
        left.axvline(at, color="black", lw=1, ls="--" if name.startswith("a") else "-", label=name)
    left.set(xlim=(0, 1), xlabel="score", ylabel="photographs")
    left.legend(fontsize=8, frameon=False)
    right.plot([0, 1], [0, 1], color="grey", lw=0.8, ls=":")
    for p, name, colour in (
        (got.p_before, "score as it is", figures.COLOURS[0]),
        (got.p_after, "P(bad), patients left out", figures.COLOURS[1]),
    ):
        count, mean, happened = reliability.diagram(p, bad, _BINS)
        seen = count > 0
        error = reliability.expected_error(p, bad, _BINS)
        label = f"{name} (error {error:.3f})"
        right.plot(mean[seen], happened[seen], "o-", ms=3.5, lw=1.2, color=colour, label=label)
    right.set(xlim=(0, 1), ylim=(0, 1), xlabel="foretold", ylabel="share that is bad")
    right.legend(fontsize=8, frameon=False, loc="upper left")
    for axis in (left, right):
        figures.plain(axis)
    return figures.png(figure)
