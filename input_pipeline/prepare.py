"""Command line that prepares examples once: `python -m input_pipeline.prepare --help`."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from input_pipeline import csvsource, drawnsource, foldersource
from input_pipeline.photoreader import PhotoReader
from input_pipeline.store import FAILED, prepare
from input_pipeline.table import Source

__all__ = ["main", "prepare"]


def main(argv: Sequence[str] | None = None) -> int:
    """Command line. Returns: 1 where files could not be read, else 0."""
    args = _parser().parse_args(argv)
    out = Path(args.out)
    try:
        source, failures = _run(args, out)
    except (ValueError, OSError) as error:  # TableError and PhotoError are ValueErrors
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{len(source.table) - len(failures)} of {len(source.table)} examples are in {out}")
    if failures:
        print(f"{len(failures)} could not be read: see {out / FAILED}")
    print(f"read them by --config.data.cache=disk --config.data.store={out}")
    return int(bool(failures))


def _run(args: argparse.Namespace, out: Path) -> tuple[Source, dict[int, str]]:
    if args.drawn:
        return drawnsource.drawn_source(
            count=args.drawn,
            seed=args.seed,
            side=args.side,
            style=args.style,
            lq_ratio=args.lq_ratio,
            classes=0,
            details=(),
            diagnosis=(),
            workers=args.workers,
            store=str(out),
        ), {}
    reader = PhotoReader(args.side, args.modality, tuple(args.erase))
    if args.csv:
        source = csvsource.csv_source(
            args.csv,
            reader=reader,
            root=args.root,
            classes=0,
            columns={"path": args.column} if args.column else {},
            require_files=args.on_bad == "error",
        )
    else:
        source = foldersource.folder_source(args.folder, reader=reader, classes=0)
    return prepare(source, np.arange(len(source.table)), out, args.workers, args.on_bad)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m input_pipeline.prepare",
        description="Crops photographs once, into a folder that every later run reads from.",
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--csv", metavar="FILE", help="table with a column path (or image)")
    what.add_argument("--folder", metavar="DIR", help="photographs in a folder and below")
    what.add_argument("--drawn", metavar="N", type=int, help="draw this many photographs")
    parser.add_argument("--out", metavar="DIR", required=True, help="the folder to fill")
    parser.add_argument("--side", metavar="S", type=int, required=True, help="pixels of the square")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="processes")
    parser.add_argument("--on_bad", choices=("error", "skip"), default="skip")
    photos = parser.add_argument_group("photographs")
    photos.add_argument("--root", default="", help="where relative paths of the CSV start")
    photos.add_argument("--column", default="", help="the CSV's column of paths")
    photos.add_argument("--modality", default="fundus", help="fundus | slice")
    photos.add_argument(
        "--erase",
        type=_box,
        action="append",
        default=[],
        metavar="L,T,R,B",
        help="box in original pixels to paint black, such as a burned-in stamp; may be repeated",
    )
    drawn = parser.add_argument_group("drawings")
    drawn.add_argument("--seed", type=int, default=0)
    drawn.add_argument("--style", default="a")
    drawn.add_argument("--lq_ratio", type=float, default=0.5, help="share with a defect")
    return parser


def _box(text: str) -> tuple[int, int, int, int]:
    try:
        left, top, right, bottom = (int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not left,top,right,bottom") from None
    return left, top, right, bottom


if __name__ == "__main__":
    sys.exit(main())
