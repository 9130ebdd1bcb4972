"""Where the reader's time goes: each part of it, beside what Pillow alone would take.

    OMP_NUM_THREADS=1 python benchmarks/reader_parts.py FOLDER [--side 512] [--photographs 40] \
        [--rounds 8] [--long-side 3000]

Printed are milliseconds of processor time per photograph in one thread; of each photograph the
least of the rounds, so that a busy machine adds little. A part holds the parts that are named
below it. `Pillow alone` decodes the file at the scale that the reader takes and resizes it once to
the side: what is left when field and scope cost nothing.
"""

import argparse
import collections
import functools
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import resized
from PIL import Image

from input_pipeline.photo import decode, file_type, reader, scope, view
from input_pipeline.photo.fields import circle, field

PARTS: dict[str, tuple[Any, str]] = {
    "decoding": (decode, "decode"),
    "padding left out": (reader, "trimmed"),
    "field and scope": (reader, "view"),
    "- the field": (view, "find_field"),
    "-- circles guessed": (circle, "guess"),
    "-- circles measured": (circle, "measure"),
    "-- what is lit, without specks": (field, "opened"),
    "- the scope": (scope, "look"),
    "square cut out and resized": (reader, "cropped"),
    "its mask": (reader, "mask"),
    "black outside": (reader, "_blackened"),
}


def watch(taken: collections.Counter[str]) -> None:
    """Has every part add its milliseconds to `taken`."""

    def timed(name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(work)
        def run(*args: Any, **kwargs: Any) -> Any:
            start = time.thread_time()
            made = work(*args, **kwargs)
            if isinstance(made, Iterator):
                made = iter(list(made))
            taken[name] += (time.thread_time() - start) * 1e3
            return made

        return run

    for name, (place, attribute) in PARTS.items():
        setattr(place, attribute, timed(name, getattr(place, attribute)))


def pillow(data: bytes, side: int) -> None:
    """Decoding and resizing alone."""
    picture = decode.decode(data, short_side=2 * side).image
    share = side / max(picture.size)
    size = max(1, round(picture.width * share)), max(1, round(picture.height * share))
    picture.resize(size, Image.Resampling.BILINEAR)


def main() -> None:
    p = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    p.add_argument("folder", type=Path)
    p.add_argument("--side", type=int, default=512, help="pixels (%(default)s)")
    p.add_argument("--photographs", type=int, default=40, help="at most (%(default)s)")
    p.add_argument("--rounds", type=int, default=8)
    p.add_argument("--long-side", type=int, default=0, help="pixels; 0: the files as they are")
    args = p.parse_args()
    files = sorted(f for f in args.folder.iterdir() if f.suffix.lower() in file_type.SUFFIXES)
    files = files[: args.photographs]
    made = resized.jpegs(files, args.long_side) if args.long_side else []
    each = made or [file.read_bytes() for file in files]
    taken: collections.Counter[str] = collections.Counter()
    watch(taken)
    least: dict[tuple[str, int], float] = {}
    for _ in range(args.rounds):
        for i, data in enumerate(each):
            start = time.thread_time()
            pillow(data, args.side)
            between = time.thread_time()
            taken.clear()
            reader.read_photo(data, args.side)
            taken["all"] = (time.thread_time() - between) * 1e3
            taken["Pillow alone"] = (between - start) * 1e3
            for name, value in taken.items():
                least[name, i] = min(least.get((name, i), value), value)
    print(f"{len(each)} photographs, {args.side} px\n\n| part | ms | share |\n|---|---|---|")
    sums: collections.Counter[str] = collections.Counter()
    for (name, _), value in least.items():
        sums[name] += value / len(each)
    for name in ("all", *PARTS, "Pillow alone"):
        print(f"| {name} | {sums[name]:.1f} | {sums[name] / sums['all']:.0%} |")


if __name__ == "__main__":
    main()
