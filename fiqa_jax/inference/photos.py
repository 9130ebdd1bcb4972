"""What commands that go over photographs share: their flags, reading ahead, files of maps."""

import argparse
import collections
import concurrent.futures
import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from fiqa_jax.inference.inputs import Item
from fiqa_jax.inference.predictor import Predictor
from fiqa_jax.maps import landmarks, map_files
from fiqa_jax.pretrained import shipped
from input_pipeline import plain_text
from input_pipeline.photo.reader import Photo

MAPS = "maps"  # folder of the output
REGIONS = "regions.csv"  # of every map: how much of each quadrant, of disc and macula is bad
LONGEST = 120  # bytes of a photograph's name in that of its map
_AHEAD = 2  # batches of photographs read before the model asks for them

T = TypeVar("T")


class RunError(ValueError):
    """A run that cannot start; says why and what to do."""


def add_arguments(p: argparse.ArgumentParser, model: str = "", output: str = "") -> None:
    """Adds the inputs, --model, --output and how photographs are read.

    Args:
      p: of a command.
      model: the default one, '' where one has to be named.
      output: says what the folder is by default, '' where one has to be named.
    """
    p.add_argument("inputs", nargs="+", metavar="INPUT", help="photographs, folders, CSV with path")
    told = "a recipe's WORKDIR/model, or the name of a model that comes with the package"
    shown = f"{told} ({model})" if model else told
    p.add_argument("--model", required=not model, default=model, metavar="DIR", help=shown)
    shown = f"made if absent ({output})" if output else "made if absent"
    p.add_argument("--output", required=not output, default="", metavar="DIR", help=shown)
    p.add_argument("--recursive", action="store_true", help="folders with all that is below them")
    p.add_argument(
        "--allow-frame",
        action="store_true",
        help="judge photographs without a round field of view, too",
    )
    p.add_argument(
        "--trust",
        action="append",
        default=[],
        metavar="MODULE",
        help="a module of your own that may be run as the model's method",
    )
    told = "the encoder of a model that comes without: a file, folder or Hugging Face id"
    p.add_argument("--encoder", default="", metavar="NAME", help=told)
    p.add_argument("--batch", type=int, default=16, help="photographs at a time (%(default)s)")
    p.add_argument(
        "--workers", type=int, default=2, help="photographs read at a time (%(default)s)"
    )


def add_map_arguments(p: argparse.ArgumentParser) -> None:
    """Flags of what is written of maps."""
    told = "also write every map in full, as npy, as 16-bit PNG and drawn, into OUTPUT/maps"
    p.add_argument("--maps", action="store_true", help=told)
    told = "with the maps: also the photograph as it is beside the drawn one, as NAME_pair.png"
    p.add_argument("--pairs", action="store_true", help=told)
    told = "with the maps: pixels across the drawn one, at most its photograph's (%(default)s)"
    most = map_files.SHOWN
    p.add_argument("--overlay-side", type=int, default=most, metavar="N", help=told)


def check_maps(args: argparse.Namespace) -> None:
    """Settles what follows from one another. Raises: RunError: an overlay of no possible size."""
    args.maps = args.maps or args.pairs
    if not 1 <= args.overlay_side <= map_files.LARGEST:
        expected = f"expected 1 to {map_files.LARGEST} pixels"
        raise RunError(f"--overlay-side {args.overlay_side}: {expected}")


def check(args: argparse.Namespace) -> None:
    """Raises: RunError: counts below one, or a folder that is no model directory."""
    if args.batch < 1 or args.workers < 1:
        raise RunError(f"--batch {args.batch} --workers {args.workers}: expected 1 or more")
    if wrong := shipped.lacking(shipped.find(args.model)):
        raise RunError(wrong)


def predictor_of(
    args: argparse.Namespace, batch: int, calibration: str = "", quick: bool = False
) -> Predictor:
    """The predictor that the flags ask for. Raises: model_dir.ModelError, ValueError: see there."""
    return Predictor(
        args.model,
        allow_frame=args.allow_frame,
        batch=batch,
        calibration=calibration,
        trust=args.trust,
        encoder=args.encoder,
        engine=getattr(args, "engine", "jax"),
        quick=quick,
    )


def read_ahead(
    items: Sequence[Item], batch: int, workers: int, read: Callable[[str], T]
) -> Iterator[tuple[Sequence[Item], list[T]]]:
    """Batches of items, and what `read` makes of the path of each.

    Threads read the next batches while the caller works on one.
    """
    groups = [items[i : i + batch] for i in range(0, len(items), batch)]
    pool = concurrent.futures.ThreadPoolExecutor(workers, "reader")
    try:
        ahead: collections.deque[list[concurrent.futures.Future[T]]] = collections.deque()
        for place in range(len(groups) + _AHEAD):
            if place < len(groups):
                ahead.append([pool.submit(read, item.path) for item in groups[place]])
            if place >= _AHEAD:
                yield groups[place - _AHEAD], [job.result() for job in ahead.popleft()]
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def draw(
    predictor: Predictor,
    out: Path,
    item: Item,
    photo: Photo,
    quality: NDArray[np.float32],
    threshold: float,
    pair: bool = False,
    places: landmarks.Sought | None = None,
    side: int = map_files.SHOWN,
    area: float | None = None,
) -> str:
    """Writes the files of one map into OUT/maps, see `map_files.write`; returns MAPS/NAME.png.

    Args:
      predictor: shows the photograph at another side.
      out: folder of the run.
      item, photo: of `read_ahead`, the photograph kept.
      quality: `[h, w]` in [0, 1], 1 = bad.
      threshold: from here on a place is bad.
      pair: also the photograph beside its map.
      places: the photograph's landmarks where they were sought before.
      side: pixels of the overlay, at most.
      area: the row's bad area, which the files repeat.
    """
    # Two photographs may have the same file name: the path's digest keeps them apart.
    tag = hashlib.sha256(item.id.encode()).hexdigest()[:8]
    stem = plain_text.printable(plain_text.as_text(Path(item.path).stem), keep=())
    stem = stem.encode()[:LONGEST].decode("utf-8", "ignore")
    name = f"{stem}_{tag}"
    shown = predictor.larger(photo, map_files.overlay_side(photo, side))
    map_files.write(out / MAPS, name, photo, shown, quality, threshold, pair, places, area)
    return f"{MAPS}/{name}.png"
