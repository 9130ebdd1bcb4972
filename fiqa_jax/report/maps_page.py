"""The report's pages of quality maps: photograph, vessels, inpainted, anomaly and map in a row."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from fiqa_jax.maps import drawing
from fiqa_jax.maps.resizing import resized
from fiqa_jax.report import figures
from fiqa_jax.report.page import Item, Picture, Section
from input_pipeline import marked

COLOURS = "magma"  # dark where nothing is wrong, bright where it is bad
CUT = 0.5  # of a map: bad places are hatched from here on
_INCH = 1.45  # of a panel
TEXT = (
    "From left to right: the photograph; the vessels found in it (arteries purple, veins blue); "
    "what the inpainting network, which has only seen good photographs, makes of them; the "
    "anomaly, which is how much it misses; and the quality map that the adapter draws from the "
    "photograph alone, as a contour with hatching over it, and bare. In maps dark means that "
    "vessels can be seen as they should, bright that they cannot: there the photograph does not "
    "show the retina."
)

Arrays = Mapping[str, NDArray[Any]]


def strip(row: Arrays, threshold: float) -> bytes:
    """One photograph's panels as a PNG.

    Args:
      row: `image [S, S, 3] uint8`, `fov [S, S] uint8`, `vessels [s, s, 3] uint8`, `inpainted
        [t, t, 3] float`, `anomaly [t, t] float`, `map [h, w] float` and, where it is known,
        `truth [h, w] uint8` (1 good, 2 usable, 3 bad).
      threshold: of anomaly; the colours end at twice of it, or at 1.
    """
    panels: list[tuple[str, NDArray[Any], dict[str, Any]]] = [
        ("photograph", row["image"], {}),
        ("vessels", row["vessels"], {}),
        ("inpainted", np.clip(row["inpainted"].astype(np.float32), 0, 1), {}),
        (
            "anomaly",
            _masked(row["anomaly"], row["fov"]),
            _scale(min(1.0, 2 * threshold)),
        ),
        ("map on photograph", drawing.overlay(row["image"], row["map"], row["fov"], CUT), {}),
        ("map", _masked(row["map"], row["fov"]), _scale(1.0)),
    ]
    if "truth" in row:
        known = np.isin(row["truth"], (1, 2, 3))
        levels = np.where(known, (row["truth"].astype(np.float32) - 1) / 2, np.nan)
        panels.append(("truth", levels, {**_scale(1.0), "interpolation": "nearest"}))
    figure = Figure((_INCH * len(panels) + 0.5, _INCH + 0.3), dpi=figures.DPI, layout="constrained")
    axes = figure.subplots(1, len(panels))
    for axis, (title, picture, how) in zip(axes, panels, strict=True):
        shown = axis.imshow(picture, **how)
        axis.set_title(title, fontsize=7, color="#222222")
        axis.set_axis_off()
        if title == "map":
            bar_of = shown
    bar = figure.colorbar(bar_of, ax=axes, fraction=0.012, pad=0.005, ticks=[0, 0.5, 1])
    bar.ax.set_yticklabels(["seen", "", "bad"], fontsize=6.5)
    bar.outline.set_visible(False)
    out = io.BytesIO()
    figure.savefig(out, format="png", facecolor="white", metadata={"Software": marked.MARK})
    return out.getvalue()


def _scale(top: float) -> dict[str, Any]:
    return {"cmap": COLOURS, "vmin": 0.0, "vmax": top}


def _masked(quality: NDArray[np.floating], fov: NDArray[np.uint8]) -> NDArray[np.float32]:
    """A map `[h, w]` at the field's size, NaN outside."""
    large = resized(drawing.continued(quality, fov), *fov.shape)
    return np.where(fov > 0, large, np.nan)


def choose(maps: NDArray[Any], score: NDArray[Any], count: int) -> list[int]:
    """Photographs that show most: degraded in part, worst in whole, best.

    Args:
      maps: `[N, h, w]` in [0, 1], NaN outside the field; `score`: `[N]`, higher = worse; `count`:
        how many.
    """
    spread = np.nanstd(maps.reshape(len(maps), -1).astype(np.float64), 1)
    order = np.argsort(-spread, kind="stable").tolist()
    worst, best = int(np.argmax(score)), int(np.argmin(score))
    chosen = [*order[: max(count - 2, 1)], worst, best]
    return list(dict.fromkeys(chosen))[:count]


def section(
    rows: Sequence[tuple[str, Arrays]], threshold: float, notes: Sequence[str] = ()
) -> Section:
    """The report's section.

    Args:
      rows: a caption and the arrays of `strip` for every photograph shown.
      threshold: of anomaly.
      notes: sentences above the pictures.
    """
    items: list[Item] = [TEXT, *notes]
    for place, (caption, row) in enumerate(rows):
        items.append(Picture(f"map-{place}", strip(row, threshold), caption))
    return Section("Quality maps", tuple(items), first=True)
