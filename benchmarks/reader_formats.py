"""One photograph in many files: whether field of view and score stay the same.

    python benchmarks/reader_formats.py FOLDER ... [--photographs 6] [--model open] [--list]

Each photograph is written anew with black padding, cropped to its field, squared, turned by EXIF,
with 8, 12 and 16 bits and in other formats. Of every copy the field is carried back into the
photograph's own pixels and laid over the field found there: intersection over union (IoU). Beside
it stands how far the score moves. Printed is a row a kind: median and worst of both, and how many
copies miss IoU .97 or move the score by more than .03.

What loses no pixel (padding, turning, PNG, TIFF) should change nothing; JPEG, WebP and JPEG 2000
change the fine detail that is judged, as far as their quality does.
"""

import argparse
import io
import random
import struct
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from fiqa_jax.inference.predictor import Predictor
from input_pipeline.photo import file_type
from input_pipeline.photo.decode import decode
from input_pipeline.photo.reader import Photo

IOU, SCORE = 0.97, 0.03
SIDE = 512  # pixels at which fields are compared
Place = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
# A file's bytes, its suffix, and where a pixel of the photograph (x, y) lies in it.
Copy = tuple[bytes, str, Place]


def stay(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return x, y


def moved(dx: float, dy: float) -> Place:
    return lambda x, y: (x + dx, y + dy)


def saved(pixels: np.ndarray, kind: str, **options: object) -> bytes:
    data = io.BytesIO()
    Image.fromarray(pixels).save(data, kind, **options)
    return data.getvalue()


def tiff_16(pixels: np.ndarray, bits: int) -> bytes:
    """RGB of 16-bit samples that hold `bits` bits, as cameras export them (TIFF, uncompressed)."""
    deep = np.rint(pixels / 255.0 * (2**bits - 1)).astype("<u2")
    h, w = deep.shape[:2]
    tags = [(256, 4, 1, w), (257, 4, 1, h), (258, 3, 3, 8 + 12 * 10 + 6), (259, 3, 1, 1)]
    tags += [(262, 3, 1, 2), (273, 4, 1, 256), (277, 3, 1, 3), (278, 4, 1, h)]
    tags += [(279, 4, 1, deep.nbytes), (284, 3, 1, 1)]
    head = b"II*\0" + struct.pack("<IH", 8, len(tags))
    head += b"".join(struct.pack("<HHII", *tag) for tag in tags) + struct.pack("<I", 0)
    head += struct.pack("<HHH", 16, 16, 16)
    return head.ljust(256, b"\0") + deep.tobytes()


def copies(pixels: np.ndarray, photo: Photo) -> dict[str, Copy]:
    """What is compared, by its name."""
    h, w = pixels.shape[:2]
    left, top, right, bottom = photo.box
    x0, y0 = max(0, round(left)), max(0, round(top))
    x1, y1 = min(w, round(right)), min(h, round(bottom))
    side = max(x1 - x0, y1 - y0)
    square = np.zeros((side, side, 3), np.uint8)
    at = (side - (y1 - y0)) // 2, (side - (x1 - x0)) // 2
    part = pixels[y0:y1, x0:x1]
    square[at[0] : at[0] + y1 - y0, at[1] : at[1] + x1 - x0] = part
    to_square = moved(at[1] - x0, at[0] - y0)
    wide = np.pad(pixels, ((h // 10, h // 4), (w // 5, w // 12), (0, 0)))
    even = np.pad(pixels, (((w - h) // 2,) * 2, (0, 0), (0, 0))) if w > h else pixels
    out: dict[str, Copy] = {
        "PNG": (saved(pixels, "PNG", compress_level=1), ".png", stay),
        "TIFF": (saved(pixels, "TIFF"), ".tif", stay),
        "TIFF, LZW": (saved(pixels, "TIFF", compression="tiff_lzw"), ".tif", stay),
        "BMP": (saved(pixels, "BMP"), ".bmp", stay),
        "WebP without loss": (saved(pixels, "WEBP", lossless=True, method=0), ".webp", stay),
        "JPEG 2000 without loss": (saved(pixels, "JPEG2000", irreversible=False), ".jp2", stay),
        "8 bits in 16": (tiff_16(pixels, 16), ".tif", stay),
        "12 bits in 16": (tiff_16(pixels, 12), ".tif", stay),
        "black at four sides": (
            *(saved(wide, "PNG", compress_level=1), ".png"),
            moved(w // 5, h // 10),
        ),
        "black to a square": (
            *(saved(even, "PNG", compress_level=1), ".png"),
            moved(0, max(w - h, 0) // 2),
        ),
        "cut to the field": (
            *(saved(part, "PNG", compress_level=1), ".png"),
            moved(-x0, -y0),
        ),
        "field in a square": (saved(square, "PNG", compress_level=1), ".png", to_square),
        "JPEG, quality 97": (saved(pixels, "JPEG", quality=97, subsampling=0), ".jpg", stay),
        "JPEG, quality 90": (saved(pixels, "JPEG", quality=90), ".jpg", stay),
        "WebP, quality 95": (saved(pixels, "WEBP", quality=95, method=0), ".webp", stay),
    }
    turn = {3: np.rot90(pixels, 2), 6: np.rot90(pixels), 8: np.rot90(pixels, 3)}
    turn[2] = pixels[:, ::-1]
    for tag, stored in sorted(turn.items()):  # viewers undo what was done to the pixels
        exif = Image.Exif()
        exif[0x0112] = tag
        data = saved(np.ascontiguousarray(stored), "PNG", compress_level=1, exif=exif)
        out[f"turned, EXIF {tag}"] = (data, ".png", stay)
    return out


def field_of(photo: Photo, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Whether places (x, y) of a file's pixels lie in its field of view, `[n] bool`."""
    side = photo.fov.shape[0]
    left, top, right, bottom = photo.box
    column = np.floor((x - left) / (right - left) * side).astype(int)
    row = np.floor((y - top) / (bottom - top) * side).astype(int)
    seen = (column >= 0) & (column < side) & (row >= 0) & (row < side)
    out = np.zeros(x.shape, bool)
    out[seen] = photo.fov[row[seen], column[seen]] > 0
    return out


def compare(
    predictor: Predictor, file: Path, work: Path
) -> tuple[float, dict[str, tuple[float, float, str]]]:
    """Score of a photograph; by kind IoU, score moved and what else was said."""
    pixels = np.array(decode(file).image)
    lossless = saved(pixels, "PNG", compress_level=1)
    base = predictor.read(lossless)
    if not isinstance(base, Photo):
        raise ValueError(str(base))
    made = copies(pixels, base)
    photos, names = [base], list(made)
    for data, suffix, _ in made.values():
        path = work / f"copy{suffix}"
        path.write_bytes(data)
        photos.append(predictor.read(path))
    judged = []
    for start in range(0, len(photos), predictor.batch):
        part = photos[start : start + predictor.batch]
        told = [str(start + k) for k in range(len(part))]
        judged += predictor.judge(part, told, told, [""] * len(part))
    grid = (np.arange(SIDE) + 0.5) / SIDE * max(base.size)
    x, y = (axis.ravel() for axis in np.meshgrid(grid, grid))
    want, score = field_of(base, x, y), judged[0].row["score"]
    out = {}
    for name, photo, one in zip(names, photos[1:], judged[1:], strict=True):
        if not isinstance(photo, Photo) or one.row["status"] != "ok":
            out[name] = (0.0, 1.0, str(one.row["error"]))
            continue
        got = field_of(photo, *made[name][2](x, y))
        iou = (want & got).sum() / max((want | got).sum(), 1)
        said = f"{judged[0].row['decision']} -> {one.row['decision']}"
        out[name] = (float(iou), abs(one.row["score"] - score), said)
    return score, out


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    p.add_argument("folder", type=Path, nargs="+", help="of photographs")
    p.add_argument("--photographs", type=int, default=6, help="of each folder (%(default)s)")
    p.add_argument("--model", default="open")
    p.add_argument("--list", action="store_true", help="name every copy that misses")
    args = p.parse_args()
    predictor = Predictor(args.model, batch=10)
    found: dict[str, list[tuple[float, float]]] = {}
    with tempfile.TemporaryDirectory() as work:
        for folder in args.folder:
            files = [f for f in sorted(folder.iterdir()) if f.suffix.lower() in file_type.SUFFIXES]
            files = random.Random(0).sample(files, min(args.photographs, len(files)))
            for file in files:
                score, by_kind = compare(predictor, file, Path(work))
                for kind, (iou, by, said) in by_kind.items():
                    found.setdefault(kind, []).append((iou, by))
                    if args.list and (iou < IOU or by > SCORE):
                        print(f"{file.name} {score:.3f}: {kind} IoU {iou:.3f}, {by:.3f}, {said}")
    count = len(next(iter(found.values())))
    print(f"{count} photographs\n\n| copy | IoU, median | least | score moved, median | most |")
    print("|---|---|---|---|---|")
    for kind, values in found.items():
        iou, by = np.array(values).T
        print(f"| {kind} | {np.median(iou):.3f} | {iou.min():.3f} | ", end="")
        print(f"{np.median(by):.3f} | {by.max():.3f} |")
    missed = sum(iou < IOU or by > SCORE for values in found.values() for iou, by in values)
    print(f"\n{missed} of {count * len(found)} copies miss IoU {IOU} or move by more than {SCORE}")


if __name__ == "__main__":
    main()
