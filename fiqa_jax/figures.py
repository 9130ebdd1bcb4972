"""Drawings of the report: each takes arrays and returns the bytes of a PNG file."""

import io
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from fiqa_jax import reliability

# Okabe and Ito's colours: told apart by colour-blind readers as well.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
_INK, _GREY, _GRID = "#222222", "#6b6b6b", "#e3e3e3"
_WIDTH, _DPI = 6.4, 160

Series = Sequence[tuple[float, float]]  # (step, value)


def curves(
    train: Mapping[str, Sequence[Series]], val: Mapping[str, Sequence[Series]], best: int | None
) -> bytes:
    """Training curves: the loss on the left, validation metrics on the right.

    Args:
      train: name -> one series per repetition, drawn on the left.
      val: name -> one series per repetition, drawn on the right; may be empty.
      best: the step whose weights are used, marked; None for no mark.
    """
    panels = [panel for panel in (train, val) if panel]
    figure = Figure((_WIDTH, 2.7), dpi=_DPI, layout="constrained")
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for axis, panel in zip(axes, panels, strict=True):
        for (name, repetitions), colour in zip(panel.items(), _cycle(len(panel)), strict=True):
            for k, series in enumerate(repetitions):
                x, y = np.asarray(series, np.float64).reshape(-1, 2).T
                axis.plot(
                    x,
                    y,
                    color=colour,
                    lw=1.3,
                    alpha=1 if len(repetitions) == 1 else 0.6,
                    marker="o" if len(x) < 12 else "",
                    ms=2.5,
                    label=name if k == 0 else None,
                )
        if best is not None:
            axis.axvline(best, color=_GREY, lw=0.8, ls=":", label="weights used")
        axis.set_xlabel("step")
        axis.margins(x=0.02)
        _plain(axis)
        axis.legend(fontsize=7, frameon=False)
    axes[0].set_title("training", fontsize=9, color=_INK, loc="left")
    if len(panels) > 1:
        axes[1].set_title("validation", fontsize=9, color=_INK, loc="left")
    return _png(figure)


def confusion(matrix: NDArray[np.integer], names: Sequence[str]) -> bytes:
    """A confusion matrix, rows truth: counts, and shares of the row as shade."""
    m = np.asarray(matrix, np.float64)
    share = reliability.ratio(m, m.sum(-1, keepdims=True))
    size = 1.5 + 0.85 * len(names)
    figure = Figure((size + 0.6, size), dpi=_DPI, layout="constrained")
    axis = figure.subplots()
    axis.imshow(np.nan_to_num(share), cmap="Blues", vmin=0, vmax=1)
    for i in range(len(names)):
        for j in range(len(names)):
            ink = "white" if share[i, j] > 0.55 else _INK
            axis.text(j, i - 0.08, f"{int(m[i, j]):,}", ha="center", va="center", color=ink)
            if m[i].any():
                text = f"{share[i, j]:.0%}"
                axis.text(j, i + 0.24, text, ha="center", va="center", color=ink, fontsize=7)
    axis.set_xticks(range(len(names)), names, fontsize=9)
    axis.set_yticks(range(len(names)), names, fontsize=9, rotation=90, va="center")
    axis.set_xlabel("predicted", color=_GREY)
    axis.set_ylabel("true", color=_GREY)
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)
    return _png(figure)


def reliability_diagram(
    heads: Mapping[str, tuple[NDArray[np.floating], NDArray[np.floating]]],
) -> bytes:
    """Reliability diagrams, one panel a head: how often what was foretold came about.

    Args:
      heads: title -> (confidence [N], outcome [N] 0/1), see reliability.confidences.
    """
    columns = min(3, len(heads))
    rows = -(-len(heads) // columns)
    figure = Figure((2.15 * columns + 0.3, 2.55 * rows), dpi=_DPI, layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis, (title, (confidence, outcome)) in zip(axes, heads.items(), strict=False):
        count, mean, frequency = reliability.diagram(confidence, outcome)
        edge = np.linspace(0, 1, len(count) + 1)
        axis.bar(
            edge[:-1],
            0.25 * count / max(count.max(), 1),
            width=1 / len(count),
            align="edge",
            color=_GRID,
        )
        axis.plot([0, 1], [0, 1], color=_GREY, lw=0.8, ls=":")
        here = count > 0
        axis.plot(mean[here], frequency[here], color=COLOURS[0], lw=1, marker="o", ms=3)
        axis.set_title(title, fontsize=8.5, color=_INK, loc="left")
        axis.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
        axis.set_xticks([0, 0.5, 1])
        axis.set_yticks([0, 0.5, 1])
        _plain(axis)
    for axis in axes[len(heads) :]:
        axis.set_visible(False)
    axes[0].set_ylabel("came about", color=_GREY)
    for axis in axes[max(0, len(heads) - columns) : len(heads)]:
        axis.set_xlabel("foretold", color=_GREY)
    return _png(figure)


def intervals(rows: Sequence[tuple[str, float, float, float]], zero: bool, label: str) -> bytes:
    """Values with intervals, one line each.

    Args:
      rows: (name, value, low, high); NaN bounds draw the value alone.
      zero: mark 0, for differences.
      label: of the axis.
    """
    figure = Figure((_WIDTH, 0.75 + 0.27 * len(rows)), dpi=_DPI, layout="constrained")
    axis = figure.subplots()
    for place, (_, value, low, high) in enumerate(rows):
        if np.isfinite(low) and np.isfinite(high):
            axis.plot([low, high], [place, place], color=COLOURS[0], lw=1.6)
        axis.plot(value, place, color=COLOURS[0], marker="o", ms=4)
    if zero:
        axis.axvline(0, color=_GREY, lw=0.8, ls=":")
    axis.set_yticks(range(len(rows)), [name for name, *_ in rows], fontsize=8)
    axis.set_ylim(len(rows) - 0.5, -0.5)
    axis.set_xlabel(label, color=_GREY)
    _plain(axis)
    axis.grid(False, axis="y")
    return _png(figure)


def _cycle(n: int) -> list[str]:
    return [COLOURS[k % len(COLOURS)] for k in range(n)]


def _plain(axis: Axes) -> None:
    axis.spines[["top", "right"]].set_visible(False)
    axis.spines[["left", "bottom"]].set_color(_GREY)
    axis.tick_params(labelsize=7.5, colors=_GREY, length=2)
    axis.grid(True, color=_GRID, lw=0.6)
    axis.set_axisbelow(True)
    axis.xaxis.label.set(fontsize=8, color=_GREY)
    axis.yaxis.label.set(fontsize=8, color=_GREY)


def _png(figure: Figure) -> bytes:
    out = io.BytesIO()
    # Without matplotlib's version in it, equal drawings are equal files.
    figure.savefig(out, format="png", facecolor="white", metadata={"Software": None})
    return out.getvalue()
