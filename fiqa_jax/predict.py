"""Judges photographs: a table, a report to look at, maps.

    fiqa predict photos/
    fiqa predict --model runs/multitask/model photo.jpg folder/ list.csv --output out

Without --output the results are in a folder of the working directory named after the first input,
and the same command goes on where it was interrupted. OUT/predictions.jsonl grows while it runs,
OUT/predictions.csv and OUT/report.html come at the end. A file that cannot be read is a row, and
the run goes on. From Python: `fiqa_jax.judge`. --scheduler judges on the workers of a Dask cluster.
"""

import argparse
import concurrent.futures
import dataclasses
import functools
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from fiqa_jax import command, merge
from fiqa_jax.inference import dask_shares, file_states, inputs, run_record, run_shards
from fiqa_jax.inference import photos as photographs
from fiqa_jax.inference.file_states import FileStates
from fiqa_jax.inference.inputs import Found, Item
from fiqa_jax.inference.photos import RunError
from fiqa_jax.inference.predictor import Judged, Predictor
from fiqa_jax.inference.run_shards import Shard
from fiqa_jax.maps import map_files
from fiqa_jax.predictions import run_summary, schema
from fiqa_jax.predictions.row_log import RowLog
from fiqa_jax.predictions.schema import Row
from fiqa_jax.pretrained import shipped
from fiqa_jax.report.judged import judged_page, thumbnails
from input_pipeline import atomic, lock, plain_text, progress
from input_pipeline.photo.reader import Photo, PhotoError
from input_pipeline.tables import folders, parquet_file

LOG, TABLE, RUN = folders.JUDGED, folders.TABLE, folders.RUN
FEW = 8  # photographs that are judged sooner by a model that is compiled quickly


def parser() -> argparse.ArgumentParser:
    """The command line; see the module's docstring."""
    p = argparse.ArgumentParser("fiqa predict", description=__doc__.split("\n", 1)[0])
    photographs.add_arguments(p, shipped.DEFAULT, "INPUT-judged, in the working directory")
    photographs.add_map_arguments(p)
    told = "limits fitted to your own labels: a file of fiqa calibrate"
    p.add_argument("--calibration", default="", metavar="FILE", help=told)
    told = "what runs the model: jax, or onnx (onnxruntime on the CPU; extra export)"
    p.add_argument("--engine", choices=("jax", "onnx"), default="jax", help=told)
    p.add_argument("--parquet", action="store_true", help=run_record.PARQUET_HELP)
    told = "judge share I of N, as on one of N machines; fiqa merge makes one run of them"
    p.add_argument("--shard", type=Shard.parse, default=None, metavar="I/N", help=told)
    told = "judge on a Dask cluster: its scheduler's address, or local (extra cluster)"
    p.add_argument("--scheduler", default="", metavar="ADDRESS", help=told)
    told = "with --scheduler: shares of the run (four for each that is judged at a time)"
    p.add_argument("--shares", type=int, default=0, metavar="N", help=told)
    told = "with --scheduler local: processes (one for every two cores)"
    p.add_argument("--processes", type=int, default=0, metavar="N", help=told)
    p.add_argument("--resume", action="store_true", help="go on with the run in OUTPUT")
    return p


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit status. A stopped run goes on with --resume."""
    args = parser().parse_intermixed_args(argv)
    return command.run("predict", lambda: run(args))


def run(args: argparse.Namespace) -> int:
    """Predicts everything that is not predicted yet, writes the table, prints a summary.

    Returns:
      The exit status, see `command.of_files`; photographs out of scope are no failures.

    Raises:
      RunError, InputError, PredictionsError, model_dir.ModelError: nothing was predicted.
      lock.InUseError: another run writes into the output folder.
    """
    photographs.check(args)
    if args.parquet:
        parquet_file.needed()
    photographs.check_maps(args)
    out = Path(args.output or run_record.default_output(args.inputs))
    if args.scheduler:
        return _scheduled(args, out)
    if args.shares or args.processes:
        raise RunError("--shares and --processes say how --scheduler divides a run: add it")
    done = judge(args, out / run_shards.FOLDER / args.shard.name if args.shard else out)
    text = run_summary.summary(done.rows.values(), done.new, done.seconds, done.found.folders)
    print(plain_text.printable(text))
    print(f"\nreport  {done.page}\ntable   {done.page.parent / TABLE}")
    asked = {item.id for item in done.found.items}
    failed = sum(done.rows[name]["status"] == "error" for name in asked)
    return command.of_files(failed, len(done.found.items))


@dataclasses.dataclass(frozen=True)
class Done:
    """A run that has come to its end."""

    found: Found
    rows: RowLog  # all of them
    new: int  # judged now, in `seconds`
    seconds: float
    page: Path
    licence: str  # what the model's user has to know, '' for nothing


def judge(args: argparse.Namespace, out: Path, told: Callable[[int], None] | None = None) -> Done:
    """Judges what is not judged yet, into a folder.

    Args:
      args: of the command line.
      out: the folder; that of the share where `args.shard` names one.
      told: called with the number of judged photographs, in place of all that is printed; what it
        raises ends the run behind a batch. Another process that writes there is waited for then.
    """
    if (out / LOG).exists() and not args.resume:
        if args.output and not args.shard:
            raise RunError(f"{out / LOG} is there: go on with --resume, or give another --output")
        run_record.check_inputs(out, args)
    found, share = inputs.gather(args.inputs, recursive=args.recursive), {}
    if args.shard:
        found, share = args.shard.of(found)
    items = found.items
    began = time.monotonic()
    batch = min(args.batch, len(items))
    quick = share.get("photographs", len(items)) <= FEW  # of all shares, whose rows are alike
    predictor = photographs.predictor_of(args, batch, args.calibration, quick)
    licence = f"{predictor.name}: {predictor.licence}" if predictor.licence else ""
    if licence and told is None:
        print(licence, file=sys.stderr)
    with lock.held(out, wait=told is not None):
        atomic.clean(out)
        rows, new = _rows(out, predictor, found, args, share, told)
        page = judged_page.write(out, rows.values())
    return Done(found, rows, new, time.monotonic() - began, page, licence)


def _scheduled(args: argparse.Namespace, out: Path) -> int:
    """Judges on the workers of a Dask cluster, and makes one run of their shares."""
    if args.shard:
        raise RunError("--scheduler divides the run by itself: leave --shard out")
    if min(args.shares, args.processes) < 0 or (args.processes and args.scheduler != "local"):
        raise RunError("--shares N, and --processes N with --scheduler local: expected 1 or more")
    out = out.absolute()
    if (out / LOG).exists() and not (out / run_shards.FOLDER).is_dir():
        raise RunError(f"{out} holds a run of one machine: give another --output")
    arguments, paths = dask_shares.absolute(args, out)
    found = inputs.gather(arguments["inputs"], recursive=args.recursive)
    with dask_shares.connected(args.scheduler, args.processes) as client:
        at_once = dask_shares.threads(client)
        dask_shares.check(client, out, paths)
        shards = run_shards.divided(found, args.shares, at_once, out)
        print(f"{len(found.items)} photographs in {len(shards)} shares, {at_once} at a time")
        tasks = dask_shares.tasks(arguments, shards)
        licence = dask_shares.judged(client, _share, tasks, len(found.items))
    if licence:
        print(licence, file=sys.stderr)
    return merge.run(argparse.Namespace(folder=str(out), parquet=args.parquet))


def _share(task: dask_shares.Task) -> str:
    """On a worker: judges a share as --shard does; returns the licence that is to be shown."""
    told = dask_shares.Told(task)
    args = argparse.Namespace(**{**task.arguments, "shard": task.shard})
    try:
        told(0)
        return judge(args, Path(args.output) / run_shards.FOLDER / task.shard.name, told).licence
    except dask_shares.Stop:
        return ""  # nobody waits for it


def _rows(
    out: Path,
    predictor: Predictor,
    found: Found,
    args: argparse.Namespace,
    share: Mapping[str, Any],
    told: Callable[[int], None] | None,
) -> tuple[RowLog, int]:
    """All rows, and how many of them are new.

    Those of the inputs come first and in their order, then what their folders hold besides.
    """
    items = found.items
    done = run_record.begin(out, predictor, args, share, items)
    states = FileStates(out)
    changed = states.changed(item for item in items if item.id in done)
    done.forget(item.id for item in changed)
    _tell_changed(out, changed)
    todo = [item for item in items if item.id not in done]
    if len(todo) < len(items) and told is None:
        print(f"{out}: {len(items) - len(todo)} of {len(items)} are judged, going on", flush=True)
    if todo and told is None:
        print(
            f"{len(todo)} photographs to judge with {predictor.name}; the first takes longer, "
            "while the model is compiled for this machine",
            flush=True,
        )
    batches = _predicted(predictor, todo, args, out, states)
    for rows in _progress(batches, len(items), len(items) - len(todo), told):
        done.append(rows)
    if late := states.changed(item for item in items if done[item.id]["status"] != "error"):
        errors = ((file_states.changed_since(item.path), item) for item in late)
        done.replace(  # a row is of the file as it is
            predictor.failed(error, item.shown, item.id, item.patient) for error, item in errors
        )
    if others := [predictor.skipped(one.shown, one.id, one.other) for one in found.others]:
        done.append(others)
    done.order(item.id for item in (*items, *found.others))
    columns = schema.columns(predictor.details, predictor.diagnosis)
    run_record.write_tables(out, done.values(), columns, args.parquet)
    states.finish(done)
    if args.maps:
        map_files.table(out / photographs.MAPS, out / photographs.REGIONS)
    return done, len(todo)


def _tell_changed(out: Path, changed: Sequence[Item]) -> None:
    """Says that these files are no longer what was judged."""
    if not changed:
        return
    names = ", ".join(item.shown for item in changed[: run_summary.NAMED])
    left = len(changed) - run_summary.NAMED
    more = f" and {left} more" if left > 0 else ""
    text = f"{out}: {len(changed)} changed since they were judged, judged again: {names}{more}"
    print(plain_text.printable(text), flush=True)


def _predicted(
    predictor: Predictor,
    items: Sequence[Item],
    args: argparse.Namespace,
    out: Path,
    states: FileStates,
) -> Iterator[list[Row]]:
    """Rows of one batch after the other; photographs are read ahead in threads."""
    one_file = functools.partial(file_states.read, predictor, keep=args.maps)
    pictures = functools.partial(_pictures, predictor, out, args)
    with concurrent.futures.ThreadPoolExecutor(args.workers, "drawer") as pool:
        for group, found in photographs.read_ahead(items, predictor.batch, args.workers, one_file):
            photos = [photo for photo, _ in found]
            known = ((item.id, state) for item, (_, state) in zip(group, found, strict=True))
            states.add({name: state for name, state in known if state})
            judged = predictor.judge(
                photos,
                [item.shown for item in group],
                [item.id for item in group],
                [item.patient for item in group],
            )
            list(pool.map(pictures, group, photos, judged))
            yield [one.row for one in judged]


def _progress(
    batches: Iterator[list[Row]], total: int, done: int, told: Callable[[int], None] | None
) -> Iterator[list[Row]]:
    with progress.bar(total, "photo", done=done, hide=told is not None) as bar:
        for rows in batches:
            yield rows
            bar.update(len(rows))
            done += len(rows)
            if told:
                told(done)


def _pictures(
    predictor: Predictor,
    out: Path,
    args: argparse.Namespace,
    item: Item,
    photo: Photo | PhotoError,
    judged: Judged,
) -> None:
    """Writes a photograph's thumbnail, and the files of its map where they are asked for."""
    if isinstance(photo, Photo):
        thumbnails.save(out, item.id, photo, judged.map)
    if not args.maps or judged.row["status"] != "ok" or not isinstance(photo, Photo):
        return
    if judged.map is None:
        raise RunError(f"model {judged.row['model']} draws no maps; leave --maps out")
    judged.row["map"] = photographs.draw(
        *(predictor, out, item, photo, judged.map, predictor.thresholds.map, args.pairs),
        judged.places,
        args.overlay_side,
        judged.row["bad_area"],
    )


if __name__ == "__main__":
    sys.exit(main())
