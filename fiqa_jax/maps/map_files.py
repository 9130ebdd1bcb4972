"""A photograph's quality map as files: for machines, and over the photograph for eyes.

`name.npy` is the map as the model gives it, `name.png` the same at the side the model sees with 16
bits, `name_overlay.png` the photograph at its own resolution with the map and its colours beside
it, `name.json` the share of every region that is bad.
"""

import io
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from fiqa_jax.maps import drawing, landmarks
from input_pipeline import atomic
from input_pipeline.photo.reader import Photo

LARGEST = 4096  # pixels of an overlay's edge
Bytes = NDArray[np.uint8]


def write(
    folder: Path,
    name: str,
    photo: Photo,
    fine: Photo,
    quality: NDArray[np.floating],
    threshold: float,
) -> None:
    """Writes the four files.

    Args:
      folder: made if absent; `name`: of the files.
      photo: as the model saw it; `fine`: the same, at the resolution of the overlay.
      quality: `[h, w]` in [0, 1], 1 = bad.
      threshold: from here on a place is bad.
    """
    folder.mkdir(parents=True, exist_ok=True)
    side = photo.image.shape[0]
    plain = np.asarray(quality, np.float32)
    data = io.BytesIO()
    np.save(data, plain, allow_pickle=False)
    atomic.write(folder / f"{name}.npy", data.getvalue())
    large = drawing.enlarged(drawing.continued(plain, photo.fov), side) * (photo.fov > 0)
    deep = Image.fromarray(np.rint(large * 65535).astype(np.uint16))
    _save(deep, folder / f"{name}.png")
    drawn = drawing.over(fine.image, plain, fine.fov)
    _save(Image.fromarray(with_bar(drawn)), folder / f"{name}_overlay.png")
    found = landmarks.find(photo.image, photo.fov) if photo.image.shape[-1] == 3 else None
    shares = landmarks.shares(large, photo.fov, found, threshold)
    known = {k: round(v, 4) if v == v else None for k, v in shares.items()}
    atomic.write(folder / f"{name}.json", (json.dumps(known) + "\n").encode())


def own_side(photo: Photo) -> int:
    """Pixels of the photograph's square in the photograph itself."""
    return int(np.clip(round(photo.box[2] - photo.box[0]), photo.image.shape[0], LARGEST))


def with_bar(picture: Bytes) -> Bytes:
    """The picture `[S, S, 3]` with a bar of its colours at the right, `[S, S + w, 3]`."""
    side = picture.shape[0]
    width = max(side // 24, 6)
    gap = width
    canvas = np.full((side, side + gap + 3 * width, 3), 255, np.uint8)
    canvas[:, :side] = picture
    top, bottom = side // 10, side - side // 10
    share = np.linspace(1, 0, bottom - top)[:, None, None] * drawing.STRENGTH
    grey = np.full(3, 128.0)
    bar = grey * (1 - share) + np.asarray(drawing.COLOUR) * share
    canvas[top:bottom, side + gap : side + gap + width] = np.rint(bar)
    image = Image.fromarray(canvas)
    font = ImageFont.load_default(size=max(side // 30, 8))
    draw = ImageDraw.Draw(image)
    draw.text((side + gap, top - side // 18), "bad", fill=(20, 20, 20), font=font)
    draw.text((side + gap, bottom + side // 80), "seen", fill=(20, 20, 20), font=font)
    return np.asarray(image)


def table(folder: Path, file: Path) -> int:
    """Gathers every `name.json` of a folder in a CSV, one row a map; returns the rows."""
    rows = []
    for one in sorted(folder.glob("*.json")):
        rows.append({"map": f"{one.stem}.png", **json.loads(one.read_text(encoding="utf-8"))})
    if rows:
        header = list(rows[0])
        body = [["" if r[k] is None else r[k] for k in header] for r in rows]
        atomic.write_csv(file, header, body)
    return len(rows)


def _save(image: Image.Image, file: Path) -> None:
    data = io.BytesIO()
    image.save(data, "PNG")
    atomic.write(file, data.getvalue())
