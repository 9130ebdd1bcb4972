"""Contact sheets of synthetic photographs: `python -m input_pipeline.synthetic --sheet out.png`."""

import argparse
import sys
from collections.abc import Sequence

from input_pipeline import exit_status
from input_pipeline.synthetic import specimens


def main(argv: Sequence[str] | None = None) -> int:
    """Draws one sheet and writes it as a picture."""
    parser = argparse.ArgumentParser(prog="python -m input_pipeline.synthetic", description=__doc__)
    parser.add_argument("--sheet", required=True, help="file to write, .png or .jpg")
    parser.add_argument("--degradations", action="store_true", help="every one at three severities")
    parser.add_argument("--beside", default="", help="folder of real photographs to show in turn")
    parser.add_argument("--style", default="abc", help="camera styles to mix, letters of abc")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--side", type=int, default=256, help="pixels of each photograph")
    parser.add_argument("--columns", type=int, default=6)
    args = parser.parse_args(argv)
    return exit_status.run("synthetic", lambda: work(args))


def work(args: argparse.Namespace) -> None:
    """Draws and saves the sheet."""
    if args.degradations:
        page = specimens.degradations(args.style, args.seed, args.side)
    elif args.beside:
        page = specimens.beside(args.beside, args.style, args.seed, args.side, args.columns)
    else:
        page = specimens.eyes(args.style, args.seed, args.side, args.columns)
    page.save(args.sheet)
    print(f"{args.sheet}: {page.width} x {page.height} pixels")


if __name__ == "__main__":
    sys.exit(main())
