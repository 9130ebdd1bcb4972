"""Drawings of the report: each takes arrays and returns the bytes of a PNG file."""

import io
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

from fiqa_jax.evaluation import reliability
from input_pipeline import marked

# Okabe and Ito's colours: told apart by colour-blind readers as well.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
_INK, _GREY, _GRID = "#222222", "#6b6b6b", "#e3e3e3"
_WIDTH, DPI = 4.6, 160  # inches: two side by side on a desk, one on a phone

Series = Sequence[tuple[float, float]]  # (step, value)


def curves(
    panel: Mapping[str, Sequence[Series]], title: str, best: int | None, along: str = "step"
) -> bytes:
    """Curves over training steps, or over something else.

    Args:
      panel: name -> one series per repetition, in one colour.
      title: of the drawing.
      best: the step whose weights are used, marked; None for no mark.
      along: what the first axis shows.
    """
    figure = Figure((_WIDTH, 2.5 + 0.17 * -(-len(panel) // 2)), dpi=DPI, layout="constrained")
    axis = figure.subplots()
    for place, (name, repetitions) in enumerate(panel.items()):
        for k, series in enumerate(repetitions):
            x, y = np.asarray(series, np.float64).reshape(-1, 2).T
            axis.plot(
                x,
                y,
                color=COLOURS[place % len(COLOURS)],
                lw=1.3,
                alpha=1 if len(repetitions) == 1 else 0.6,
                marker="o" if len(x) < 12 else "",
                ms=2.5,
                label=name if k == 0 else None,
            )
    if best is not None:
        axis.axvline(best, color=_GREY, lw=0.8, ls=":", label="weights used")
    axis.set_xlabel(along)
    axis.set_title(title, fontsize=9, color=_INK, loc="left")
    axis.margins(x=0.02)
    axis.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    plain(axis)
    figure.legend(loc="outside lower center", ncols=2, fontsize=7.5, frameon=False)
    return png(figure)


def confusion(matrix: NDArray[np.integer], names: Sequence[str], title: str) -> bytes:
    """A confusion matrix [C, C], rows truth: counts, and shares of the row as shade."""
    size = 0.7 * len(names)
    figure = Figure((size + 0.7, size + 0.8), dpi=DPI, layout="constrained")
    axis = figure.subplots()
    draw_confusion(axis, matrix, names)
    axis.set_title(title, fontsize=9, color=_INK, loc="left")
    return png(figure)


def draw_confusion(axis: Axes, matrix: NDArray[np.integer], names: Sequence[str]) -> None:
    """A confusion matrix as in `confusion`, on axes of a larger figure."""
    m = np.asarray(matrix, np.float64)
    share = np.nan_to_num(reliability.ratio(m, m.sum(-1, keepdims=True)))
    axis.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for (i, j), count in np.ndenumerate(m):
        ink = "white" if share[i, j] > 0.55 else _INK
        low = 0.13 if count else 0
        axis.text(j, i - low, f"{int(count):,}", ha="center", va="center", color=ink, size=9)
        if count:
            text = f"{share[i, j]:.0%}"
            axis.text(j, i + 0.22, text, ha="center", va="center", color=ink, size=7)
    axis.set_xticks(range(len(names)), names, fontsize=8, color=_INK)
    axis.set_yticks(range(len(names)), names, fontsize=8, color=_INK, rotation=90, va="center")
    axis.set_xlabel("predicted", color=_GREY, fontsize=8)
    axis.set_ylabel("true", color=_GREY, fontsize=8)
    edges = np.arange(len(names) - 1) + 0.5
    axis.vlines(edges, -0.5, len(names) - 0.5, color="white", lw=1.5)
    axis.hlines(edges, -0.5, len(names) - 0.5, color="white", lw=1.5)
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)


def reliability_diagram(confidence: ArrayLike, outcome: ArrayLike, title: str) -> bytes:
    """How often what was foretold came about, with the share of predictions in each bin.

    Args:
      confidence: [N] in [0, 1]; `outcome`: [N] 0/1; see reliability.confidences.
      title: of the drawing.
    """
    count, mean, frequency = reliability.diagram(confidence, outcome)
    figure = Figure((2.35, 2.4), dpi=DPI, layout="constrained")
    axis = figure.subplots()
    left = np.linspace(0, 1, len(count) + 1)[:-1]
    tall = 0.25 * count / max(count.max(), 1)
    axis.bar(left, tall, width=1 / len(count), align="edge", color=_GRID)
    axis.plot([0, 1], [0, 1], color=_GREY, lw=0.8, ls=":")
    here = count > 0
    axis.plot(mean[here], frequency[here], color=COLOURS[0], lw=1, marker="o", ms=3, clip_on=False)
    axis.set_title(title, fontsize=9, color=_INK, loc="left")
    axis.set(xlim=(0, 1), ylim=(0, 1), aspect="equal", xlabel="foretold", ylabel="came about")
    axis.set_xticks([0, 0.5, 1])
    axis.set_yticks([0, 0.5, 1])
    plain(axis)
    return png(figure)


def intervals(rows: Sequence[tuple[str, float, float, float]], zero: bool, label: str) -> bytes:
    """Values with intervals, one line each.

    Args:
      rows: (name, value, low, high); NaN bounds draw the value alone.
      zero: mark 0, for differences.
      label: of the axis.
    """
    figure = Figure((_WIDTH, 0.75 + 0.27 * len(rows)), dpi=DPI, layout="constrained")
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
    plain(axis)
    axis.grid(False, axis="y")
    return png(figure)


def scatter(
    points: ArrayLike, group: NDArray[np.integer], names: Sequence[str], marked: NDArray[np.bool_]
) -> bytes:
    """Points in a plane, coloured by group.

    Args:
      points: [N, 2].
      group: [N] places in `names`; negative ones are left out.
      names: of the groups.
      marked: [N], drawn as crosses.
    """
    figure = Figure((_WIDTH, _WIDTH * 0.85), dpi=DPI, layout="constrained")
    axis = figure.subplots()
    p = np.asarray(points, np.float64)
    for k, name in enumerate(names):
        colour = COLOURS[k % len(COLOURS)]
        here = group == k
        x, y = p[here & ~marked].T
        axis.scatter(x, y, s=9, color=colour, lw=0, alpha=0.75, label=name)
        x, y = p[here & marked].T
        axis.scatter(x, y, s=13, color=colour, lw=0.9, alpha=0.75, marker="x")
    axis.set_xlabel("first component")
    axis.set_ylabel("second component")
    plain(axis)
    figure.legend(loc="outside lower center", ncols=3, fontsize=7.5, frameon=False)
    return png(figure)


def histogram(values: ArrayLike, span: tuple[float, float], label: str) -> bytes:
    """How often values [N] occur, in 20 bins over `span`, with 0 marked; `label` of the axis."""
    figure = Figure((_WIDTH, 2.4), dpi=DPI, layout="constrained")
    axis = figure.subplots()
    axis.hist(np.asarray(values, np.float64), bins=20, range=span, color=COLOURS[0])
    axis.axvline(0, color=_GREY, lw=0.8, ls=":")
    axis.set(xlim=span, xlabel=label, ylabel="photographs")
    plain(axis)
    return png(figure)


def plain(axis: Axes) -> None:
    """The report's look: two spines, a light grid, small grey numbers."""
    axis.spines[["top", "right"]].set_visible(False)
    axis.spines[["left", "bottom"]].set_color(_GREY)
    axis.tick_params(labelsize=7.5, colors=_GREY, length=2)
    axis.grid(True, color=_GRID, lw=0.6)
    axis.set_axisbelow(True)
    axis.xaxis.label.set(fontsize=8, color=_GREY)
    axis.yaxis.label.set(fontsize=8, color=_GREY)


def png(figure: Figure) -> bytes:
    """The bytes of a drawing's PNG file."""
    out = io.BytesIO()
    # Without matplotlib's version in it, equal drawings are equal files.
    figure.savefig(out, format="png", facecolor="white", metadata={"Software": marked.MARK})
    return out.getvalue()
