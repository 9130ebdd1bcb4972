"""The drawing of several scores' curves: what is kept, and how wrong the diagnosis is on it."""

import io
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from fiqa_jax.report.figures import COLOURS, DPI
from input_pipeline import marked

Curves = dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]
_INK, _GREY, _GRID = "#222222", "#6b6b6b", "#e3e3e3"
_FIXED = (
    {"color": "#222222", "ls": (0, (4, 2)), "lw": 1.1},
    {"color": "#6b6b6b", "ls": (0, (1, 1.6)), "lw": 1.4},
    {"color": "#222222", "ls": "-", "lw": 0.9},
)


def draw(curves: Mapping[str, Curves], built_in: Sequence[str]) -> bytes:
    """One panel for each kind of curve, as a PNG.

    Args:
      curves: score -> kind of curve -> coverage `[P]` in ]0, 1] and value `[P]`.
      built_in: up to three names that are drawn in black and grey, dashed, dotted and thin; they
        may leave the panel, whose height is that of the others.
    """
    kinds = list(next(iter(curves.values())))
    columns = 3
    rows = -(-len(curves) // columns)
    figure = Figure((4.1 * len(kinds), 3.0 + 0.19 * rows), dpi=DPI, layout="constrained")
    axes = figure.subplots(1, len(kinds), squeeze=False)[0]
    plain = [name for name in curves if name not in built_in]
    for axis, kind in zip(axes, kinds, strict=True):
        for name, panels in curves.items():
            if name in built_in:
                style = _FIXED[list(built_in).index(name) % len(_FIXED)]
            else:
                place = plain.index(name)
                lines = ("-", (0, (5, 1.5)), (0, (3, 1, 1, 1)))
                ls = lines[place // (len(COLOURS) - 1) % len(lines)]
                style = {"color": COLOURS[place % (len(COLOURS) - 1)], "ls": ls, "lw": 1.6}
            axis.plot(*panels[kind], label=name if axis is axes[0] else None, **style)
        title = {"error_rate": "error rate", "1 - auroc": "1 \u2212 AUROC"}.get(kind, kind)
        axis.set_title(f"{title} of what is kept", fontsize=9, color=_INK, loc="left")
        axis.set_xlabel("coverage: share of photographs kept", fontsize=8, color=_GREY)
        axis.set_xlim(0, 1)
        given = [panels[kind][1] for name, panels in curves.items() if name not in built_in]
        whole = next(iter(curves.values()))[kind][1][-1:]  # the same for all
        top = np.nanmax(np.concatenate([*given, whole, [0.0]]))
        axis.set_ylim(0, 1.12 * float(top) or 1.0)
        axis.spines[["top", "right"]].set_visible(False)
        axis.spines[["left", "bottom"]].set_color(_GREY)
        axis.tick_params(labelsize=7.5, colors=_GREY, length=2)
        axis.grid(True, color=_GRID, lw=0.6)
        axis.set_axisbelow(True)
    figure.legend(loc="outside lower center", ncols=columns, fontsize=7.5, frameon=False)
    out = io.BytesIO()
    # Without matplotlib's version in it, equal drawings are equal files.
    figure.savefig(out, format="png", facecolor="white", metadata={"Software": marked.MARK})
    return out.getvalue()
