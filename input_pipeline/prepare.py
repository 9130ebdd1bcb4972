"""Command line that prepares examples once: `python -m input_pipeline.prepare --help`.

python -m input_pipeline.prepare eyeq --manual_dir DIR --side 512 --out STORE
python -m input_pipeline.prepare --csv FILE --side 224 --out STORE
"""

import argparse
import functools
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from input_pipeline import atomic, chunks, exit_status, readers
from input_pipeline.sources import csv_source, dataset_source, folder_source
from input_pipeline.sources.annotated import AnnotatedReader, shows_frame
from input_pipeline.sources.generated import synthetic_source
from input_pipeline.sources.photo_files import PhotoReader
from input_pipeline.storage import store
from input_pipeline.storage.store import FAILED, Stored, prepare
from input_pipeline.tables.examples import Source
from input_pipeline.tables.table_error import PATH, Setting, TableError

__all__ = ["main", "prepare"]

NO_FIELD = "no_field.csv"


def main(argv: Sequence[str] | None = None) -> int:
    """Command line. Returns: the exit status, see `exit_status`."""
    argv = sys.argv[1:] if argv is None else list(argv)
    parser = _parser(argv)
    args = parser.parse_args(argv)
    if args.dataset and not args.manual_dir:
        parser.error(f"{args.dataset}: --manual_dir DIR is missing, the folder it was put into")
    return exit_status.run("prepare", lambda: work(args))


def work(args: argparse.Namespace) -> int:
    """Prepares the photographs; returns the exit status."""
    out = Path(args.out)
    source, failures = _run(args, out)
    whole = _list_whole(source, out, args.workers) if args.dataset else []
    packed = _pack(args, out) if args.tfds else None
    status = exit_status.of_files(len(failures), len(source.table))
    print(f"{len(source.table) - len(failures)} of {len(source.table)} examples are in {out}")
    if failures:
        print(f"{len(failures)} could not be read: see {out / FAILED}")
    if whole:
        print(f"{len(whole)} show no round field and were taken whole: see {out / NO_FIELD}")
    if packed:
        print(f"read them by --config.data.source=tfds --config.data.path={packed}")
        return status
    which = ""
    if args.dataset:
        which = f"--config.data.source={args.dataset} --config.data.path={args.manual_dir} "
    print(f"read them by {which}--config.data.cache=disk --config.data.store={out}")
    return status


def _run(args: argparse.Namespace, out: Path) -> tuple[Source, dict[int, str]]:
    if args.drawn:
        return synthetic_source.drawn_source(
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
    try:
        source = _photographs(args)
    except TableError as error:  # names the flags of a recipe
        given = "--manual_dir" if args.dataset else "--csv" if args.csv else "--folder"

        def called(setting: Setting) -> str:
            flag = given if setting.name == PATH.name else setting.name.replace("data.", "--", 1)
            return setting.called(flag)

        raise TableError(error.worded(called)) from None
    return prepare(source, np.arange(len(source.table)), out, args.workers, args.on_bad)


def _photographs(args: argparse.Namespace) -> Source:
    if args.dataset:
        return dataset_source.dataset_source(
            args.dataset,
            args.manual_dir,
            side=args.side,
            modality=args.modality or readers.modality(args.dataset),
            erase=tuple(args.erase),
            counts=args.counts,
            no_field=args.no_field,
            require_files=args.on_bad == "error",
        )
    reader = PhotoReader(args.side, args.modality or "fundus", tuple(args.erase))
    if args.csv:
        return csv_source.csv_source(
            args.csv,
            reader=reader,
            root=args.root,
            classes=0,
            columns={"path": args.column} if args.column else {},
            require_files=args.on_bad == "error",
        )
    return folder_source.folder_source(args.folder, reader=reader, classes=0)


def _list_whole(source: Source, out: Path, workers: int) -> list[int]:
    """Rows whose example is a whole frame, which are listed in a file.

    The official EyeQ script drops such photographs without a word; here a person can look at them.
    """
    fetch, reader = source.fetch, source.reader
    assert isinstance(fetch, Stored)
    assert isinstance(reader, AnnotatedReader)
    if reader.photo.modality != "fundus":
        return []
    rows = [row for row, item in enumerate(source.items) if item in fetch.names]
    names = [fetch.names[source.items[row]] for row in rows]
    work = functools.partial(_whole, fetch.directory)
    fields = chunks.run_chunks(work, names, workers, f"fields of {source.name}")
    whole = sorted(rows[place] for place, frame in fields if frame)
    table, known = source.table, reader.known
    lines = [(table.id[r], table.path[r], known.get(source.items[r], "")) for r in whole]
    if lines:
        atomic.write_csv(out / NO_FIELD, ("id", "path", "known"), lines)
    else:
        (out / NO_FIELD).unlink(missing_ok=True)
    return whole


def _whole(directory: Path, names: Sequence[str]) -> list[bool]:
    return [shows_frame(store.get(directory, name, ("fov",))["fov"]) for name in names]


def _pack(args: argparse.Namespace, out: Path) -> Path:
    from input_pipeline.builders import pack  # TensorFlow Datasets

    shared = {"side": args.side, "store": str(out), "workers": args.workers}
    if args.drawn:
        settings = {"count": args.drawn, "seed": args.seed, "style": args.style}
        return pack.pack_drawn(args.tfds, lq_ratio=args.lq_ratio, **settings, **shared)
    if not args.dataset:
        raise ValueError(
            "--tfds packs data sets and synthetic photographs; name one, or read the store itself"
        )
    return pack.pack(
        args.dataset,
        args.tfds,
        manual_dir=args.manual_dir,
        lists=args.lists,
        counts=args.counts,
        no_field=args.no_field,
        erase=tuple(args.erase),
        on_bad=args.on_bad,
        **shared,
    )


def _parser(argv: Sequence[str]) -> argparse.ArgumentParser:
    about = "Crops photographs once, into a folder that every later run reads from."
    name = next((a for a in argv if a.partition("/")[0] in readers.READERS), "")
    parser = argparse.ArgumentParser(
        prog="fiqa prepare",
        description=_described(name) if name else about,
        epilog=None
        if name
        else f"Data sets: {', '.join(readers.READERS)}; DATASET --help says what to get where.",
        formatter_class=argparse.RawDescriptionHelpFormatter if name else argparse.HelpFormatter,
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("dataset", nargs="?", metavar="DATASET", help="such as eyeq or iqad/EYEQ")
    what.add_argument("--csv", metavar="FILE", help="table with a column path (or image)")
    what.add_argument("--folder", metavar="DIR", help="photographs in a folder and below")
    what.add_argument("--drawn", metavar="N", type=int, help="draw this many photographs")
    parser.add_argument("--out", metavar="DIR", required=True, help="the folder to fill")
    parser.add_argument("--side", metavar="S", type=int, required=True, help="pixels of the square")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="processes")
    parser.add_argument("--on_bad", choices=("error", "skip"), default="skip")
    sets = parser.add_argument_group("data sets")
    sets.add_argument("--manual_dir", metavar="DIR", help="where the set's files were put")
    sets.add_argument(
        "--counts", choices=readers.COUNTS, default="published", help="which the labels must have"
    )
    sets.add_argument(
        "--no_field",
        choices=dataset_source.NO_FIELD,
        default="frame",
        help="a photograph without a round field is taken whole, or counts as unreadable",
    )
    sets.add_argument("--tfds", metavar="DATA_DIR", help="also pack them for TensorFlow Datasets")
    sets.add_argument("--lists", default="", help="for --tfds: whose split (iqad: mkcnet)")
    photos = parser.add_argument_group("photographs")
    photos.add_argument("--root", default="", help="where relative paths of the CSV start")
    photos.add_argument("--column", default="", help="the CSV's column of paths")
    photos.add_argument("--modality", default="", help="fundus | slice; a data set knows its own")
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


def _described(name: str) -> str:
    """What a data set is and where to get it."""
    dataset, _ = readers.named(name.partition("/")[0])
    variants = [f"  {name.partition('/')[0]}/{v}: {t}" for v, t in dataset.variants.items() if v]
    parts = [dataset.title, *variants, "", dataset.instructions, f"Terms: {dataset.licence}."]
    return "\n".join(parts)


def _box(text: str) -> tuple[int, int, int, int]:
    try:
        left, top, right, bottom = (int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not left,top,right,bottom") from None
    return left, top, right, bottom


if __name__ == "__main__":
    sys.exit(main())
