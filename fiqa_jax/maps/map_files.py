"""A photograph's quality map as files: for machines, and over the photograph for eyes.

`name.npy` is the map as the model gives it, `name.png` the same at the side the model sees with 16
bits, `name_overlay.jpg` the photograph with contours, hatching and a legend, at its own resolution
up to a limit, `name.json` the share of every region that is bad.
"""

import io
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from fiqa_jax.maps import drawing, landmarks
from input_pipeline import atomic, marked, records
from input_pipeline.photo.reader import Photo

OVERLAY, PAIR = "_overlay", "_pair"  # behind a map's name: what is drawn of it
LARGEST = 4096  # pixels of an overlay's edge, at most
SHOWN = 1536  # where nothing else is said: more than a screen shows, in a third of the time
JPEG = 92  # quality of an overlay; thin lines keep their colours (4:4:4)
Bytes = NDArray[np.uint8]


def write(
    folder: Path,
    name: str,
    photo: Photo,
    fine: Photo,
    quality: NDArray[np.floating],
    threshold: float,
    pair: bool = False,
    places: landmarks.Sought | None = None,
    area: float | None = None,
) -> None:
    """Writes the four files, or five.

    Args:
      folder: made if absent; `name`: of the files.
      photo: as the model saw it; `fine`: the same, at the resolution of the overlay.
      quality: `[h, w]` in [0, 1], 1 = bad.
      threshold: from here on a place is bad.
      pair: also `name_pair.png`, the photograph as it is beside the overlay.
      places: the photograph's landmarks where they were sought before.
      area: share of the field that is bad, by the cells of the map; None: by its pixels.
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
    known = (places or landmarks.sought(photo.image, photo.fov))()
    shares = landmarks.shares(large, photo.fov, known, threshold)
    if area is not None:
        shares["field"] = area
    worst = (large >= drawing.severe_from(threshold)) & (photo.fov > 0)
    severe = np.count_nonzero(worst) / np.count_nonzero(photo.fov)
    drawn = drawing.overlay(fine.image, plain, fine.fov, threshold, marks_of(known))
    legend = with_legend(drawn, shares, severe)
    picture = marked.jpeg(Image.fromarray(legend), quality=JPEG, subsampling=0)
    atomic.write(folder / overlay_of(f"{name}.png"), picture)
    if pair:
        both = side_by_side(fine.image, legend)
        _save(Image.fromarray(both), folder / f"{name}{PAIR}.png")
    rounded = {k: round(v, 4) if v == v else None for k, v in shares.items()}
    atomic.write(folder / f"{name}.json", (json.dumps(rounded) + "\n").encode())


def overlay_of(file: str) -> str:
    """The overlay's name beside that of the map, NAME.png or FOLDER/NAME.png."""
    return f"{file.removesuffix('.png')}{OVERLAY}.jpg"


def overlay_side(photo: Photo, most: int = SHOWN) -> int:
    """Pixels of an overlay's edge: those of the photograph itself, `most` at most."""
    side = photo.image.shape[0]
    return int(np.clip(round(photo.width), side, max(most, side)))


def marks_of(places: landmarks.Landmarks | None) -> drawing.Marks:
    """The disc's circle and the macula's cross, as `drawing.overlay` takes them."""
    if places is None:
        return ()
    disc = ("circle", *places.disc, places.radius)
    return (disc, ("cross", *places.macula, 0.5 * places.radius)) if places.macula else (disc,)


def with_legend(picture: Bytes, shares: dict[str, float], severe: float) -> Bytes:
    """The picture `[S, S, 3]` with what its lines mean, and how much they cover, at the right.

    Args:
      picture: of `drawing.overlay`.
      shares: of `landmarks.shares`; regions that were not found are left out.
      severe: share of the field that is severely bad.

    Returns:
      `[S, S + w, 3] uint8`.
    """
    side = picture.shape[0]
    size = max(side // 34, 8)
    wide, swatch = 11 * size, 2 * size
    canvas = Image.new("RGB", (side + wide, side), (255, 255, 255))
    canvas.paste(Image.fromarray(picture))
    draw = ImageDraw.Draw(canvas)
    font = ImageFont.load_default(size=size)
    left, top = side + size, side // 12
    grey = np.full((3 * size, 3 * size, 3), 128, np.uint8)
    for level, name, share in ((1, "bad", shares["field"]), (2, "severe", severe)):
        image = grey.copy()
        white, black = drawing.hatching(np.full(grey.shape[:2], level, np.uint8))
        image[black], image[white] = 42, 255
        canvas.paste(Image.fromarray(image[:swatch, :swatch]), (left, top))
        draw.rectangle((left, top, left + swatch, top + swatch), outline=(0, 0, 0))
        text = f"{name}\n{share:.0%} of field" if share == share else name
        draw.text((left + swatch + size // 2, top), text, fill=(20, 20, 20), font=font)
        top += 4 * size
    for region, sign in (("disc", "circle"), ("macula", "cross")):
        share = shares.get(region, float("nan"))
        middle = (left + size, top + size)
        if sign == "circle":
            box = (middle[0] - size, middle[1] - size, middle[0] + size, middle[1] + size)
            draw.ellipse(box, outline=(0, 0, 0), width=max(1, size // 6))
        else:
            draw.line((left, top + size, left + 2 * size, top + size), fill=(0, 0, 0), width=2)
            draw.line((left + size, top, left + size, top + 2 * size), fill=(0, 0, 0), width=2)
        text = f"{region}\n{share:.0%} bad" if share == share else f"{region}\nnot found"
        draw.text((left + swatch + size // 2, top), text, fill=(20, 20, 20), font=font)
        top += 4 * size
    return np.asarray(canvas)


def side_by_side(plain: Bytes, drawn: Bytes) -> Bytes:
    """The photograph `[S, S, C]` as it is, left of what was drawn over it, `[S, w, 3]`."""
    side = plain.shape[0]
    gap = np.full((side, max(side // 60, 2), 3), 255, np.uint8)
    return np.concatenate([np.broadcast_to(plain, (side, side, 3)), gap, drawn], 1)


def table(folder: Path, file: Path) -> int:
    """Gathers every `name.json` of a folder in a CSV, one row a map; returns the rows."""
    rows = []
    for shares_file in sorted(folder.glob("*.json")):
        rows.append(
            {
                "map": f"{shares_file.stem}.png",
                **records.read(shares_file, "draw the map again"),
            }
        )
    if rows:
        header = list(rows[0])
        body = [["" if r[k] is None else r[k] for k in header] for r in rows]
        atomic.write_csv(file, header, body)
    return len(rows)


def _save(image: Image.Image, file: Path) -> None:
    # Compressed least: a tenth larger, in a third of the time.
    atomic.write(file, marked.png(image, compress_level=1))
