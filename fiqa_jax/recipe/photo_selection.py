"""Which photographs of a folder are good enough to learn inpainting from, without any label.

Those above the 70th percentile of vessel density times field share: photographs that show many
vessels in a large field. A folder that leaves fewer than 200 is too small to learn from; the
drawn good maps take its place.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from input_pipeline import atomic, marked
from input_pipeline.photo import contact_sheet

PERCENTILE, FEWEST = 70.0, 200
BARE = 0.01  # of the field: hardly any vessel
_INSTEAD = (
    "inpainting is learned from the built-in synthetic photographs instead. About "
    f"{round(FEWEST / (1 - PERCENTILE / 100)):,} photographs would do; fewer are better judged by "
    "`python -m fiqa_jax.predict --model efiqa`, without training."
)
THUMBNAIL = 96
SHEET = 96  # photographs on the contact sheet at most


@dataclasses.dataclass(frozen=True)
class Chosen:
    """What a folder offers.

    Attributes:
      density: `[N]` share of the field that is vessel; `field`: `[N]` share of the picture.
      kept: `[N] bool`.
      notes: what a person should know, one sentence each.
    """

    density: NDArray[np.float64]
    field: NDArray[np.float64]
    kept: NDArray[np.bool_]
    notes: tuple[str, ...]

    @property
    def enough(self) -> bool:
        """Whether inpainting is learned from these photographs."""
        return int(self.kept.sum()) >= FEWEST


def too_few(count: int) -> str:
    """What to say at once of a folder of so many photographs that none may do; '' of others."""
    most = count - 1 - int(PERCENTILE / 100 * (count - 1))  # above the percentile, without ties
    if most >= FEWEST:
        return ""
    return (
        f"of {count:,} photographs at most {most:,} will be kept, fewer than {FEWEST}: {_INSTEAD}"
    )


def measure(vessels: NDArray[np.uint8], fov: NDArray[np.uint8]) -> tuple[float, float, bool]:
    """Density, field share, and whether the field is a frame: it has all corners.

    Args:
      vessels: `[s, s, C] uint8` vessel map, the last channel counts; `fov`: `[S, S] uint8`.
    """
    inside = fov > 0
    side = vessels.shape[0]
    at = (np.arange(side) * len(fov)) // side
    seen = inside[at][:, at]
    density = float((vessels[..., -1] >= 128)[seen].mean()) if seen.any() else 0.0
    return density, float(inside.mean()), framed(fov)


def framed(fov: NDArray[np.uint8]) -> bool:
    """Whether a field `[S, S]` has all corners: a round one, even one cut, leaves some dark."""
    inside = fov > 0
    rows, columns = (np.flatnonzero(inside.any(axis)) for axis in (1, 0))
    return bool(rows.size) and bool(inside[np.ix_(rows[[0, -1]], columns[[0, -1]])].all())


def choose(density: Sequence[float], field: Sequence[float], framed: Sequence[bool]) -> Chosen:
    """The photographs above the percentile, and plain words on a folder that is no good.

    Args:
      density, field, framed: N each, see `measure`.
    """
    d, f = np.asarray(density, np.float64), np.asarray(field, np.float64)
    product = d * f
    kept = (product > np.percentile(product, PERCENTILE)) & (d >= BARE)
    count = int(kept.sum())
    notes = [
        f"{count:,} of {len(d):,} photographs lie above the {PERCENTILE:.0f}th percentile of "
        "vessel density times field share."
    ]
    if count < FEWEST:
        notes.append(f"That is fewer than {FEWEST}: {_INSTEAD}")
    frames, bare = sum(map(bool, framed)), int((d < BARE).sum())
    if frames:
        notes.append(
            f"In {frames:,} pictures no round field of view is found: they are too dark, or no "
            "photographs of a fundus, whose maps mean nothing."
        )
    if bare > 0.5 * len(d):
        notes.append(
            f"In {bare:,} photographs hardly any vessel is found: either most of them are "
            "unreadable, or they are no colour fundus photographs."
        )
    return Chosen(d, f, kept, tuple(notes))


def write_list(file: Path, ids: Sequence[str], paths: Sequence[str], chosen: Chosen) -> None:
    """kept.csv: every photograph with its numbers, the kept ones marked."""
    order = np.argsort(-(chosen.density * chosen.field), kind="stable")
    rows = [
        (
            ids[i],
            paths[i],
            f"{chosen.density[i]:.5f}",
            f"{chosen.field[i]:.5f}",
            int(chosen.kept[i]),
        )
        for i in order
    ]
    atomic.write_csv(file, ("id", "path", "vessel_density", "field_share", "kept"), rows)


def sheet(images: Sequence[NDArray[np.uint8]]) -> bytes:
    """Thumbnails `[S, S, 3] uint8` on one page, as a PNG."""
    cells = [Image.fromarray(x).resize((THUMBNAIL, THUMBNAIL)) for x in images[:SHEET]]
    wide = contact_sheet.COLUMNS * contact_sheet.ROWS
    pages = [page for _, page in contact_sheet.pages(cells, Path("kept.png"))]
    whole = Image.new("RGB", (pages[0].width, sum(p.height for p in pages)))
    top = 0
    for page in pages[: -(-len(cells) // wide)]:
        whole.paste(page, (0, top))
        top += page.height
    return marked.png(whole)
