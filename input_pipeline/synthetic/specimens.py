"""Contact sheets: synthetic photographs, alone or beside real ones, and every degradation."""

import os
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

from input_pipeline.synthetic.anatomy import draw
from input_pipeline.synthetic.degradation import degrade
from input_pipeline.synthetic.plans import COVERS, KINDS, Degradation

GAP = 6
# FunPiQ's colours of background, good, usable, bad; grey where not known
COLOURS = {0: (0, 0, 0), 1: (106, 153, 78), 2: (232, 168, 56), 3: (193, 69, 69), 255: (90, 90, 90)}


def mosaic(rows: list[list[np.ndarray]], captions: list[list[str]]) -> Image.Image:
    """Lays out pictures [S, S, 3] uint8 of one size in rows, a caption under each."""
    side = rows[0][0].shape[0]
    font = ImageFont.load_default(max(11, side // 16))
    line = int(font.size) + 8  # type: ignore[union-attr]
    columns = max(len(row) for row in rows)
    size = (columns * (side + GAP) + GAP, len(rows) * (side + line + GAP) + GAP)
    page = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(page)
    for i, (row, words) in enumerate(zip(rows, captions, strict=True)):
        for j, (picture, text) in enumerate(zip(row, words, strict=True)):
            at = (GAP + j * (side + GAP), GAP + i * (side + line + GAP))
            page.paste(Image.fromarray(picture), at)
            pen.text((at[0] + 2, at[1] + side + 2), text, fill="black", font=font)
    return page


def colour_map(codes: np.ndarray, side: int) -> np.ndarray:
    """A map of FunPiQ codes [h, w] uint8 as a picture [side, side, 3] uint8."""
    paint = np.zeros((*codes.shape, 3), np.uint8)
    for code, colour in COLOURS.items():
        paint[codes == code] = colour
    return np.asarray(Image.fromarray(paint).resize((side, side), Image.Resampling.NEAREST))


def eyes(style: str, seed: int, side: int, columns: int) -> Image.Image:
    """Synthetic photographs of a style (letters mix styles), one row for each grade 0-4."""
    rows, words = [], []
    for grade in range(5):
        shots = [draw(seed + 100 * grade + k, side, style, grade) for k in range(columns)]
        rows.append([shot.image for shot in shots])
        words.append([f"{s.style} {s.degrees:.0f}° {s.eye} grade {s.grade}" for s in shots])
    return mosaic(rows, words)


def beside(
    folder: str | os.PathLike[str], style: str, seed: int, side: int, columns: int
) -> Image.Image:
    """Rows of real photographs (any pictures of a folder) and of drawn ones in turn."""
    found = sorted(
        p for p in Path(folder).iterdir() if p.suffix.lower() in (".jpg", ".jpeg", ".png")
    )
    if not found:
        raise ValueError(f"{folder}: no .jpg, .jpeg or .png file to put beside the drawn ones")
    picked = [found[k * len(found) // (2 * columns)] for k in range(2 * columns)]
    rows, words = [], []
    for half in range(2):
        real = picked[half * columns : (half + 1) * columns]
        rows.append([_square(path, side) for path in real])
        words.append([f"real: {path.stem}" for path in real])
        shots = [draw(seed + half * columns + k, side, style) for k in range(columns)]
        rows.append([shot.image for shot in shots])
        words.append([f"drawn: {shot.style}, grade {shot.grade}" for shot in shots])
    return mosaic(rows, words)


def _square(path: Path, side: int) -> np.ndarray:
    with Image.open(path) as opened:
        picture = opened.convert("RGB")
    grey = np.asarray(picture.convert("L"))
    columns = np.flatnonzero((grey > 20).mean(0) > 0.05)
    width = int(columns[-1] - columns[0] + 1)  # the field's diameter; its top may be cut off
    left, top = int(columns[0]), (picture.height - width) // 2
    return np.asarray(
        ImageOps.pad(
            picture.crop((left, max(top, 0), left + width, min(top + width, picture.height))),
            (side, side),
            Image.Resampling.LANCZOS,
            color="black",
        )
    )


def degradations(style: str, seed: int, side: int) -> Image.Image:
    """Every degradation at three severities, each with its map; two degradations a row."""
    rows: list[list[np.ndarray]] = []
    words: list[list[str]] = []
    for k, (name, kind) in enumerate(KINDS.items()):
        drawn = draw(seed + k, side, style, 0)
        if k % 2 == 0:
            rows.append([])
            words.append([])
        for severity, area in ((0.3, 0.15), (0.6, 0.35), (0.9, 0.6)):
            part = COVERS[name] * area / 0.6 if name in COVERS else area
            item = Degradation(name, severity, part if kind.local else 1.0, seed + 7 * k)
            done = degrade(
                drawn.image,
                drawn.fov,
                seed,
                [item],
                drawn.clean0,
                drawn.vessels,
                max(8, side // 16),
            )
            rows[-1] += [done.image, colour_map(done.map, side)]
            named = "".join(f", {n}" for n, v in done.details.items() if v)
            words[-1] += [
                f"{name.replace('_', ' ')} {severity}",
                f"{('good', 'usable', 'reject')[done.quality]}{named}",
            ]
    return mosaic(rows, words)
