"""How well copies of photographs are found, and whether different photographs are told apart.

    python benchmarks/likeness.py FOLDER [FOLDER ...] [--every 3]

All photographs of the folders are taken for different ones. Of every third, changed copies are made
and compared with their original.
"""

import argparse
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from input_pipeline.photo.file_type import SUFFIXES
from input_pipeline.photo.reader import read_photo
from input_pipeline.sources import near_duplicates

_SIDE = 128


def saved(picture: Image.Image, quality: int = 85) -> bytes:
    data = io.BytesIO()
    picture.save(data, "JPEG", quality=quality)
    return data.getvalue()


def inside(picture: Image.Image) -> Image.Image:
    w, h = picture.size
    return picture.crop((int(0.03 * w), int(0.03 * h), int(0.98 * w), int(0.98 * h)))


CHANGES: dict[str, Callable[[Image.Image], bytes]] = {
    "JPEG quality 40": lambda p: saved(p, 40),
    "half the size": lambda p: saved(p.resize((p.width // 2, p.height // 2))),
    "60 % of the light": lambda p: saved(p.point(lambda v: int(v * 0.6))),
    "125 % of the light, clipped": lambda p: saved(p.point(lambda v: min(255, int(v * 1.25)))),
    "gamma 0.7": lambda p: saved(p.point(lambda v: int(255 * (v / 255) ** 0.7))),
    "blurred": lambda p: saved(p.filter(ImageFilter.GaussianBlur(p.width / 400))),
    "frame cut by 5 %": lambda p: saved(inside(p)),
    "turned by 2 degrees": lambda p: saved(p.rotate(2, Image.Resampling.BILINEAR)),
}


def compared(one: tuple[np.ndarray, np.ndarray], other: tuple[np.ndarray, np.ndarray]) -> bool:
    both = near_duplicates.Signatures(
        np.stack([one[0], other[0]]), np.stack([one[1], other[1]]), {}
    )
    return bool(near_duplicates.pairs(both))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--every", type=int, default=3)
    args = parser.parse_args()
    paths = sorted(p for f in args.folders for p in f.rglob("*") if p.suffix.lower() in SUFFIXES)
    marks = [
        near_duplicates.signature(p.image, p.fov) for p in (read_photo(x, _SIDE) for x in paths)
    ]
    bits = np.stack([mark[0] for mark in marks])
    small = np.stack([mark[1] for mark in marks])
    found = near_duplicates.pairs(near_duplicates.Signatures(bits, small, {}))
    upper = np.triu_indices(len(paths), 1)
    apart = np.bitwise_count(bits[upper[0]] ^ bits[upper[1]]).sum(axis=1)
    close = (small.astype(np.float32) @ small.T.astype(np.float32))[upper]
    print(f"| {len(paths)} photographs | {len(apart):,} pairs taken for different | ")
    print(f"| found alike all the same | {len(found)} |")
    print(f"| fewest bits apart, highest correlation | {apart.min()}, {close.max():.3f} |")
    for name, change in CHANGES.items():
        hits = []
        for row in range(0, len(paths), args.every):
            with Image.open(paths[row]) as picture:
                copy = read_photo(change(picture.convert("RGB")), _SIDE)
            hits.append(compared(marks[row], near_duplicates.signature(copy.image, copy.fov)))
        print(f"| {name} | {sum(hits)} of {len(hits)} copies found |")


if __name__ == "__main__":
    main()
