"""A handful of drawn photographs to try everything on: `fiqa sample photos`.

Every second one is good; in each of the others one thing is wrong, and its name says what:
`1_good.jpg`, `2_defocus.jpg`. The same arguments draw the same photographs.
"""

import argparse
import io
import sys
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from input_pipeline import atomic, exit_status
from input_pipeline.synthetic import Degradation, degrade, draw

# What is wrong, in turn, and over which share of the field.
WRONG = (("defocus", 1.0), ("uneven", 0.6), ("haze", 1.0), ("eyelash", 0.3), ("dark", 1.0))
SEVERITY = 0.9
QUALITY = 95  # of JPEG


def photographs(count: int, side: int, seed: int) -> dict[str, Image.Image]:
    """Name -> photograph, side x side pixels, RGB.

    Args:
      count: how many; every second is degraded by one of `WRONG`.
      side: pixels; seed: of what is drawn.
    """
    found = {}
    for k in range(count):
        name, area = WRONG[k // 2 % len(WRONG)]
        todo = [Degradation(name, SEVERITY, area, seed + k)] if k % 2 else []
        drawn = draw(seed + k, side, "abc")
        cells = side // 32
        done = degrade(
            drawn.image, drawn.fov, seed + k, todo, drawn.clean0, drawn.vessels, max(8, cells)
        )
        title = f"{k + 1:0{len(str(count))}d}_{name if todo else 'good'}.jpg"
        found[title] = Image.fromarray(done.image)
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit status."""
    parser = argparse.ArgumentParser("fiqa sample", description=__doc__.split("\n", 1)[0])
    parser.add_argument("folder", help="is made; must not hold anything yet")
    parser.add_argument("--count", type=int, default=8, help="photographs (default 8)")
    parser.add_argument("--side", type=int, default=768, help="pixels of each (default 768)")
    parser.add_argument("--seed", type=int, default=0, help="other numbers draw other eyes")
    args = parser.parse_args(argv)
    if args.count < 1 or args.side < 128:
        parser.error(
            f"--count {args.count} --side {args.side}: expected one photograph or more, of 128 "
            "pixels or more"
        )
    return exit_status.run("sample", lambda: work(args))


def work(args: argparse.Namespace) -> None:
    """Draws and writes them.

    Raises:
      FileExistsError: the folder holds something.
    """
    folder = Path(args.folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileExistsError(f"{folder}: it is there and not empty; give another folder")
    folder.mkdir(parents=True, exist_ok=True)
    for name, picture in photographs(args.count, args.side, args.seed).items():
        packed = io.BytesIO()
        picture.save(packed, "JPEG", quality=QUALITY)
        atomic.write(folder / name, packed.getvalue())
    print(f"{args.count} drawn photographs in {folder}; judge them by: fiqa predict {folder}")


if __name__ == "__main__":
    sys.exit(main())
