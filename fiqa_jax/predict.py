"""Judges photographs: a table, a report to look at, maps.

    fiqa predict photos/
    fiqa predict --model runs/multitask/model photo.jpg folder/ list.csv --output out

Without --output the results are in a folder of the working directory named after the first input,
and the same command goes on where it was interrupted. OUT/predictions.jsonl grows while it runs,
OUT/predictions.csv and OUT/report.html come at the end. A file that cannot be read is a row, and
the run goes on. From Python: `fiqa_jax.judge`.
"""

import argparse
import collections
import concurrent.futures
import functools
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from fiqa_jax import command
from fiqa_jax.inference import file_states, inputs, run_record, run_shards
from fiqa_jax.inference import photos as photographs
from fiqa_jax.inference.file_states import FileStates
from fiqa_jax.inference.inputs import Found, Item
from fiqa_jax.inference.photos import RunError
from fiqa_jax.inference.predictor import Judged, Predictor
from fiqa_jax.inference.run_shards import Shard
from fiqa_jax.maps import map_files
from fiqa_jax.predictions import schema
from fiqa_jax.predictions.schema import Row
from fiqa_jax.pretrained import shipped
from fiqa_jax.report.judged import judged_page, thumbnails
from input_pipeline import atomic, lock, plain_text, progress
from input_pipeline.photo.reader import Photo, PhotoError
from input_pipeline.tables import folders

LOG, TABLE, RUN = folders.JUDGED, folders.TABLE, folders.RUN
DECISION_WORDS = {
    "accept": "good enough to read",
    "review": "to be looked at by a person",
    "recapture": "to be taken again",
}
STATUS_WORDS = {
    "out_of_scope": "not judged: no photograph of the inside of one eye",
    "error": "could not be read",
    "skipped": "passed over, no photographs",
}
LONGEST = 200  # bytes of an input's name in that of the output folder
FEW = 8  # photographs that are judged sooner by a model that is compiled quickly
NAMED = 5  # files of a kind that the summary names
CAUSE_WORDS = {"map": "a part cannot be seen", "overall": "no single cause"}


def parser() -> argparse.ArgumentParser:
    """The command line; see the module's docstring."""
    p = argparse.ArgumentParser("fiqa predict", description=__doc__.split("\n", 1)[0])
    photographs.add_arguments(p, shipped.DEFAULT, "INPUT-judged, in the working directory")
    told = "also write every map in full, as npy, as 16-bit PNG and drawn, into OUTPUT/maps"
    p.add_argument("--maps", action="store_true", help=told)
    told = "with the maps: also the photograph as it is beside the drawn one, as NAME_pair.png"
    p.add_argument("--pairs", action="store_true", help=told)
    told = "limits fitted to your own labels: a file of fiqa calibrate"
    p.add_argument("--calibration", default="", metavar="FILE", help=told)
    told = "what runs the model: jax, or onnx (onnxruntime on the CPU; extra export)"
    p.add_argument("--engine", choices=("jax", "onnx"), default="jax", help=told)
    told = "judge share I of N, as on one of N machines; fiqa merge makes one run of them"
    p.add_argument("--shard", type=Shard.parse, default=None, metavar="I/N", help=told)
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
    args.maps = args.maps or args.pairs
    out = Path(args.output or default_output(args.inputs))
    out = out / run_shards.FOLDER / args.shard.name if args.shard else out
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
    predictor = photographs.predictor_of(args, batch, args.calibration, len(items) <= FEW)
    if predictor.licence:
        print(f"{predictor.name}: {predictor.licence}", file=sys.stderr)
    with lock.held(out):
        atomic.clean(out)
        rows, new = _rows(out, predictor, found, args, share)
        page = judged_page.write(out)
    text = summary(rows, new, time.monotonic() - began, found.folders)
    print(plain_text.printable(text))
    print(f"\nreport  {page}\ntable   {out / TABLE}")
    asked = {item.id for item in items}
    failed = sum(row["status"] == "error" for row in rows if row["id"] in asked)
    return command.of_files(failed, len(items))


def _rows(
    out: Path,
    predictor: Predictor,
    found: Found,
    args: argparse.Namespace,
    share: Mapping[str, Any],
) -> tuple[list[Row], int]:
    """All rows, and how many of them are new.

    Those of the inputs come first and in their order, then what their folders hold besides.
    """
    items = found.items
    done = run_record.begin(out, predictor, args, share)
    states = FileStates(out)
    _forget_changed(out, done, states.changed(item for item in items if item.id in done))
    todo = [item for item in items if item.id not in done]
    if len(todo) < len(items):
        print(f"{out}: {len(items) - len(todo)} of {len(items)} are judged, going on", flush=True)
    if todo:
        print(
            f"{len(todo)} photographs to judge with {predictor.name}; the first takes longer, "
            "while the model is compiled for this machine",
            flush=True,
        )
    for rows in _progress(
        _predicted(predictor, todo, args, out, states), len(items), len(items) - len(todo)
    ):
        schema.append_jsonl(out / LOG, rows)
        done |= {row["id"]: row for row in rows}
    if late := states.changed(item for item in items if done[item.id]["status"] != "error"):
        for item in late:  # a row is of the file as it is
            error = file_states.changed_since(item.path)
            done[item.id] = predictor.failed(error, item.shown, item.id, item.patient)
        schema.write_jsonl(out / LOG, done.values())
    if others := [predictor.skipped(one.shown, one.id, one.other) for one in found.others]:
        schema.append_jsonl(out / LOG, others)
        done |= {row["id"]: row for row in others}
    asked = {item.id: item for item in (*items, *found.others)}
    rows = [done[name] for name in asked]
    rows += [row for name, row in done.items() if name not in asked]
    columns = schema.columns(predictor.details, predictor.diagnosis)
    schema.write_csv(out / TABLE, rows, columns)
    states.finish(row["id"] for row in rows)
    if args.maps:
        map_files.table(out / photographs.MAPS, out / photographs.REGIONS)
    return rows, len(todo)


def _forget_changed(out: Path, done: dict[str, Row], changed: Sequence[Item]) -> None:
    """Takes out the rows of files that are no longer what was judged, and says so."""
    if not changed:
        return
    for item in changed:
        del done[item.id]
    schema.write_jsonl(out / LOG, done.values())
    names = ", ".join(item.shown for item in changed[:NAMED])
    more = f" and {len(changed) - NAMED} more" if len(changed) > NAMED else ""
    text = f"{out}: {len(changed)} changed since they were judged, judged again: {names}{more}"
    print(plain_text.printable(text), flush=True)


def default_output(given: Sequence[str]) -> str:
    """`photos/` -> `photos-judged`: a folder of the working directory named after the inputs."""
    first = inputs.expanded(given[0]).resolve()
    name = first.name if first.is_dir() else first.stem
    name = os.fsencode(name)[:LONGEST].decode("utf-8", "ignore")  # what follows must fit, too
    more = f"-and-{len(given) - 1}-more" if len(given) > 1 else ""
    return f"{name or 'photographs'}{more}-judged"


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


def _progress(batches: Iterator[list[Row]], total: int, done: int) -> Iterator[list[Row]]:
    with progress.bar(total, "photo", done=done) as bar:
        for rows in batches:
            yield rows
            bar.update(len(rows))


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
    )


def summary(
    rows: Sequence[Row], new: int, seconds: float, closed: Sequence[folders.Other] = ()
) -> str:
    """What the run found, for the end of the command: what is to be done, and why.

    Args:
      rows: every row of the run; `new`: how many were judged now, in `seconds`.
      closed: folders that were not gone into.
    """
    judged = [row for row in rows if row["status"] == "ok"]
    speed = f", {new / max(seconds, 1e-9):.1f} a second" if new else ""
    lines = [f"{len(rows)} files ({new} new{speed})"]
    for decision, says in DECISION_WORDS.items():
        those = [row for row in judged if row["decision"] == decision]
        lines.append(f"  {len(those):6,}  {says}{_causes(those) if decision != 'accept' else ''}")
    for status, says in STATUS_WORDS.items():
        those = [row for row in rows if row["status"] == status]
        if those:
            lines.append(f"  {len(those):6,}  {says}")
            named = [row["error"] for row in those]
            if status == "skipped":
                named = [f"{row['path']}: {row['error']}" for row in those]
            if status != "out_of_scope":
                lines += [f"          {text}" for text in named[:NAMED]]
                more = [f"          and {len(those) - NAMED} more, see the report"]
                lines += more if len(those) > NAMED else []
    if closed:
        open_to_it = any(one.what != folders.RESULTS_SAYS for one in closed)
        hint = "; --recursive takes them" if open_to_it else ""
        lines.append(f"  {len(closed):6,}  folders not gone into{hint}")
        lines += [f"          {one.path}: {one.what}" for one in closed[:NAMED]]
    return "\n".join(lines)


def _causes(rows: Sequence[Row]) -> str:
    """': clarity 12, illumination 3', the reasons of these rows by how often they are named."""
    named = collections.Counter(
        cause
        for row in rows
        for cause in dict.fromkeys(r.split(":")[0] for r in (row["reasons"] or "").split("; "))
    )
    text = ", ".join(
        f"{CAUSE_WORDS.get(name, name)} {n}" for name, n in named.most_common() if name
    )
    return f": {text}" if text else ""


if __name__ == "__main__":
    sys.exit(main())
