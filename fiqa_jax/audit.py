"""`python -m fiqa_jax.evaluate audit`: looks a data set or a user's table through.

python -m fiqa_jax.evaluate audit --dataset iqad/EYEQ --manual_dir DIR --lists mkcnet
python -m fiqa_jax.evaluate audit --csv TABLE.csv --images --html audit.html
"""

import argparse
import os

import numpy as np

from fiqa_jax import command
from fiqa_jax.report import data_audit
from input_pipeline import atomic, readers
from input_pipeline.readers.tree import tree
from input_pipeline.sources import csv_source, dataset_source, near_duplicates
from input_pipeline.sources.photo_files import PhotoReader
from input_pipeline.storage import store
from input_pipeline.tables.examples import Source, Table
from input_pipeline.tables.table_error import Setting, TableError

_SIDE = 128  # pixels at which photographs are compared


def parser() -> argparse.ArgumentParser:
    """The command line; see the module's docstring."""
    p = argparse.ArgumentParser("fiqa audit", description=__doc__.split("\n", 1)[0])
    what = p.add_mutually_exclusive_group(required=True)
    what.add_argument("--dataset", metavar="NAME", help=f"of {', '.join(readers.READERS)}")
    what.add_argument("--csv", metavar="FILE", help="a table of your own")
    p.add_argument("--manual_dir", metavar="DIR", help="of the data set's files, labels at least")
    p.add_argument("--lists", default="", help="whose split; iqad: official | mkcnet")
    p.add_argument(
        "--counts", choices=readers.COUNTS, default="published", help="which the labels must have"
    )
    p.add_argument(
        "--also",
        metavar="NAME",
        action="append",
        default=[],
        help="another data set in the same folder, to look for its photographs in this one",
    )
    p.add_argument("--root", default="", help="where relative paths of the CSV start")
    p.add_argument(
        "--codes", default="", metavar="RAW=WORD,...", help="what numbers mean in the CSV's quality"
    )
    p.add_argument("--images", action="store_true", help="compare the photographs, too")
    p.add_argument("--store", default="", help="folder that keeps the crops for --images")
    p.add_argument("--workers", type=int, default=os.cpu_count(), help="processes for --images")
    p.add_argument("--html", metavar="FILE", help="write a page as well")
    return p


def run(args: argparse.Namespace) -> None:
    """Reads, looks through, prints and writes.

    Raises:
      ValueError: files that are not there or cannot be read as labels.
    """
    audited = _dataset(args) if args.dataset else _table(args)
    print(data_audit.text(audited))
    if args.html:
        from fiqa_jax.report import audit_page, page

        lead = "Leakage between splits, counts against the published ones, labels that clash."
        text = page.render("Audit", lead, [audit_page.section(audited)])
        atomic.write(args.html, text.encode())


def _dataset(args: argparse.Namespace) -> data_audit.Audit:
    if not args.manual_dir:
        raise ValueError(f"--manual_dir DIR is missing: the folder of {args.dataset}'s files")
    files = tree(args.manual_dir)
    dataset, variant = readers.named(args.dataset)
    listed = readers.listed(args.dataset, files, args.lists, args.counts)
    others = {name: readers.listed(name, files, "", args.counts).table for name in args.also}
    table, pairs, failed = listed.table, None, 0
    if args.images:
        source = dataset_source.dataset_source(
            args.dataset,
            args.manual_dir,
            side=_SIDE,
            modality=readers.modality(args.dataset),
            lists=args.lists,
            counts=args.counts,
            require_files=False,
        )
        table, pairs, failed = _compared(source, args)
    return data_audit.audit(
        table,
        name=args.dataset + (f" ({args.lists})" if args.lists else ""),
        seen=listed.counts,
        published=dataset.published[variant],
        pairs=pairs,
        failed=failed,
        others=others,
    )


def _table(args: argparse.Namespace) -> data_audit.Audit:
    pairs_of = [part.partition("=") for part in args.codes.split(",") if part]
    try:
        source = csv_source.csv_source(
            args.csv,
            reader=PhotoReader(_SIDE, "fundus"),
            root=args.root,
            quality_codes={raw.strip(): word.strip() for raw, _, word in pairs_of},
            require_files=args.images,
        )
    except TableError as error:
        coded = "data.quality_codes" in error.settings
        hint = ". On this command line: --codes 0=good,1=usable,2=reject" if coded else ""
        raise ValueError(f"{error.worded(_called)}{hint}") from None
    table, pairs, failed = source.table, None, 0
    if args.images:
        table, pairs, failed = _compared(source, args)
    return data_audit.audit(table, name=source.name, pairs=pairs, failed=failed)


def _called(setting: Setting) -> str:
    """A setting of a training as this command calls it."""
    flags = {"data.path": "--csv", "data.root": "--root"}
    return setting.called(flags.get(setting.name, f"--config.{setting.name}"))


def _compared(
    source: Source, args: argparse.Namespace
) -> tuple[Table, list[tuple[int, int, float]], int]:
    """The table, pairs of photographs that look the same, and how many cannot be read."""
    if args.store:
        rows = np.arange(len(source.table))
        source, _ = store.prepare(source, rows, args.store, args.workers, "skip")
    signatures = near_duplicates.signatures(source, args.workers)
    return source.table, near_duplicates.pairs(signatures), len(signatures.failed)


main = command.entry(parser, run)
