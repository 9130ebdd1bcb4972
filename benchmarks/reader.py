"""The reader's speed beside decoding alone, and its memory on the largest pictures it takes.

    python benchmarks/reader.py FOLDER [--side 128 512] [--rounds 5] [--long-side 3000] [--memory]

Photographs of FOLDER are read as they lie (bytes already in memory, one thread). What is compared
takes turns; printed are milliseconds of processor time per photograph, median and quartiles, and
the ratio to decoding the same files at their full size (`image.load()` of Pillow, nothing else).
Goal: 6 ms from JPEGs of 1,024 pixels, decoding included. With --long-side the photographs are first
written anew as JPEGs of so many pixels; beside decoding them whole stands decoding them as the
reader does, at a half, a quarter or an eighth of their size where that holds enough pixels.

With --memory each of the largest pictures (200 million pixels, 1 x 1,000,000) is made and read by a
process of its own; printed is the peak of resident memory above that of the same process after it
has read a small picture. Goal: 1,024 MiB.
"""

import argparse
import functools
import io
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import memory
import numpy as np
import resized
from PIL import Image

from input_pipeline.photo import file_type
from input_pipeline.photo.decode import decode
from input_pipeline.photo.reader import read_photo

Image.MAX_IMAGE_PIXELS = None


def milliseconds(work: Callable[[bytes], object], files: list[bytes]) -> float:
    """Of processor time per file."""
    start = time.process_time()
    for data in files:
        work(data)
    return (time.process_time() - start) / len(files) * 1e3


def spread(values: list[float]) -> str:
    low, mid, high = statistics.quantiles(values, n=4, method="inclusive")
    return f"{mid:.2f} ({low:.2f}-{high:.2f})"


def speed(files: list[bytes], sides: list[int], rounds: int) -> None:
    """Prints a row for decoding, and two for each side."""
    ways: dict[str, Callable[[bytes], object]] = {
        "decoding alone": lambda data: Image.open(io.BytesIO(data)).load()
    }
    for side in sides:
        ways[f"decoding for {side} px"] = functools.partial(decode, short_side=2 * side)
        ways[f"reader, {side} px"] = functools.partial(read_photo, side=side)
    times: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(rounds + 1):
        for name, work in ways.items():
            taken = milliseconds(work, files)
            if turn:
                times[name].append(taken)
    print(f"{len(files)} photographs\n\n| what | ms | ratio to decoding |\n|---|---|---|")
    for name, values in times.items():
        ratio = [a / b for a, b in zip(values, times["decoding alone"], strict=True)]
        print(f"| {name} | {spread(values)} | {spread(ratio)} |")


def largest(folder: Path) -> dict[str, Path]:
    """Writes the largest pictures and returns where they are, by what they are."""
    rng = np.random.default_rng(0)
    tile = rng.integers(0, 255, (1000, 20_000, 3), dtype=np.uint8) // 16 * 8
    wide = Image.fromarray(np.tile(tile, (10, 1, 1)))
    deep = Image.fromarray(np.tile(tile[..., 0].astype(np.uint16) * 200, (10, 1)))
    pictures: dict[str, tuple[Image.Image, str, dict[str, Any]]] = {
        "JPEG": (wide, "big.jpg", {"quality": 80}),
        "progressive JPEG": (wide, "progressive.jpg", {"quality": 80, "progressive": True}),
        "PNG": (wide, "big.png", {"compress_level": 1}),
        "PNG of a palette": (wide.convert("P"), "palette.png", {"compress_level": 1}),
        "PNG with transparency": (wide.convert("RGBA"), "alpha.png", {"compress_level": 1}),
        "PNG, grey of 16 bits": (deep, "deep.png", {"compress_level": 1}),
        "TIFF": (wide, "big.tif", {}),
        "TIFF, deflated": (wide, "deflated.tif", {"compression": "tiff_adobe_deflate"}),
        "PNG 1 x 1,000,000": (wide.resize((1, 1_000_000)), "thin.png", {}),
        "PNG 1,000,000 x 1": (wide.resize((1_000_000, 1)), "flat.png", {}),
    }
    found = {}
    for what, (picture, name, options) in pictures.items():
        found[what] = folder / name
        picture.save(folder / name, **options)
    return found


def largest_read(folder: Path) -> None:
    """Prints the peak of each of the largest pictures."""
    print("| picture | MiB above idle | s |\n|---|---|---|")
    for what, path in largest(folder).items():
        command = [sys.executable, __file__, str(path), "--peak"]
        out = subprocess.run(command, capture_output=True, text=True, check=False)
        print(f"| {what} | {(out.stdout or out.stderr[-300:]).strip()} |", flush=True)
        path.unlink()


def peak(path: Path) -> None:
    """Prints the memory that reading a picture adds to reading a small one, and its seconds."""
    read_photo(np.full((300, 400, 3), 90, np.uint8), 128)
    memory.forget_peak()
    idle = memory.peak()
    start = time.process_time()
    try:
        read_photo(path, 128)
    except ValueError as error:
        print(error)
    grown = (memory.peak() - idle) / 2**20
    print(f"{grown:.0f} | {time.process_time() - start:.1f}")


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    p.add_argument("folder", type=Path)
    p.add_argument("--side", type=int, nargs="+", default=[128, 512], help="pixels (%(default)s)")
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--long-side", type=int, default=0, help="pixels; 0: the files as they are")
    p.add_argument("--photographs", type=int, default=60, help="at most (%(default)s)")
    p.add_argument("--memory", action="store_true", help="of the largest pictures instead")
    p.add_argument("--peak", action="store_true", help="of reading one file, given for FOLDER")
    args = p.parse_args()
    if args.peak:
        peak(args.folder)
        return
    if args.memory:
        with tempfile.TemporaryDirectory() as work:
            largest_read(Path(work))
        return
    files = sorted(f for f in args.folder.iterdir() if f.suffix.lower() in file_type.SUFFIXES)
    files = files[: args.photographs]
    made = resized.jpegs(files, args.long_side) if args.long_side else []
    speed(made or [f.read_bytes() for f in files], args.side, args.rounds)


if __name__ == "__main__":
    main()
