"""Judges photographs with a trained model, from the command line.

    python -m fiqa_jax.predict --model model photo.jpg folder/ list.csv --output out

OUT/predictions.jsonl grows while it runs, OUT/predictions.csv comes at the end. A file that cannot
be read is a row, and the run goes on. From Python: `fiqa_jax.predict.Predictor`.
"""

import argparse
import collections
import concurrent.futures
import hashlib
import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from fiqa_jax import command, inputs, map_files, predictions
from fiqa_jax.inputs import Item, as_text
from fiqa_jax.predictions import Row
from fiqa_jax.predictor import Judged, Predictor
from input_pipeline import atomic, progress
from input_pipeline.photo import Photo, PhotoError

LOG, TABLE, RUN, MAPS = "predictions.jsonl", "predictions.csv", "run.json", "maps"
REGIONS = "regions.csv"  # of every map: how much of each quadrant, of disc and macula is bad
_AHEAD = 2  # batches of photographs read before the model asks for them


class RunError(ValueError):
    """A run that cannot start; says why and what to do."""


def parser() -> argparse.ArgumentParser:
    """The command line; see the module's docstring."""
    p = argparse.ArgumentParser("fiqa_jax.predict", description=__doc__.split("\n", 1)[0])
    p.add_argument("inputs", nargs="+", metavar="INPUT", help="photographs, folders, CSV with path")
    p.add_argument("--model", required=True, metavar="DIR", help="a recipe's WORKDIR/model")
    p.add_argument("--output", required=True, metavar="DIR", help="made if absent")
    p.add_argument("--recursive", action="store_true", help="folders with all that is below them")
    p.add_argument("--maps", action="store_true", help="draw the quality maps into OUTPUT/maps")
    p.add_argument("--resume", action="store_true", help="go on with the run in OUTPUT")
    p.add_argument(
        "--allow-frame",
        action="store_true",
        help="judge photographs without a round field of view, too",
    )
    p.add_argument("--batch", type=int, default=16, help="photographs at a time (%(default)s)")
    p.add_argument(
        "--workers", type=int, default=2, help="photographs read at a time (%(default)s)"
    )
    return p


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit status. A stopped run goes on with --resume."""
    args = parser().parse_intermixed_args(argv)
    return command.run("predict", lambda: run(args))


def run(args: argparse.Namespace) -> None:
    """Predicts everything that is not predicted yet, writes the table, prints a summary.

    Raises:
      RunError, InputError, PredictionsError, model_dir.ModelError: nothing was predicted.
    """
    if args.batch < 1 or args.workers < 1:
        raise RunError(f"--batch {args.batch} --workers {args.workers}: expected 1 or more")
    if not (Path(args.model) / "config.json").is_file():
        raise RunError(
            f"{args.model} is no model directory: there is no config.json. A finished recipe "
            "writes one as WORKDIR/model"
        )
    out = Path(args.output)
    if (out / LOG).exists() and not args.resume:
        raise RunError(f"{out / LOG} is there: go on with --resume, or give another --output")
    items = inputs.collect(args.inputs, recursive=args.recursive)
    began = time.monotonic()
    batch = min(args.batch, len(items))
    predictor = Predictor(args.model, allow_frame=args.allow_frame, batch=batch)
    out.mkdir(parents=True, exist_ok=True)
    done = _begin(out, predictor, args)
    todo = [item for item in items if item.id not in done]
    for rows in _progress(
        _predicted(predictor, todo, args, out), len(items), len(items) - len(todo)
    ):
        predictions.append_jsonl(out / LOG, rows)
        done |= {row["id"]: row for row in rows}
    # In the order of the inputs; rows of an earlier run's inputs come last.
    rows = [done[item.id] for item in items]
    asked = {item.id for item in items}
    rows += [row for name, row in done.items() if name not in asked]
    columns = predictions.columns(predictor.details, predictor.diagnosis)
    predictions.write_csv(out / TABLE, rows, columns)
    if args.maps:
        map_files.table(out / MAPS, out / REGIONS)
    print(summary(rows, out, len(todo), time.monotonic() - began))


def _begin(out: Path, predictor: Predictor, args: argparse.Namespace) -> dict[str, Row]:
    """Rows of an earlier run by id, without those that failed to be read (they get a new try)."""
    now: dict[str, Any] = {"model": predictor.name, "allow_frame": args.allow_frame}
    now["maps"] = args.maps
    log = out / LOG
    rows = predictions.resume_jsonl(log)
    if rows and (out / RUN).is_file():
        before = json.loads((out / RUN).read_text(encoding="utf-8"))
        changed = [key for key in now if now[key] != before.get(key)]
        if changed:
            was = ", ".join(f"{key} was {before.get(key)!r}, is {now[key]!r}" for key in changed)
            raise RunError(f"{out} holds another run: {was}. Give another --output")
    fine = [row for row in rows if row["status"] != "error"]
    if len(fine) < len(rows):
        predictions.write_jsonl(log, fine)
    atomic.write(out / RUN, (json.dumps(now) + "\n").encode())
    return {row["id"]: row for row in fine}


def _predicted(
    predictor: Predictor, items: Sequence[Item], args: argparse.Namespace, out: Path
) -> Iterator[list[Row]]:
    """Rows of one batch after the other; photographs are read ahead in threads."""
    for group, photos in _read(predictor, items, args.workers):
        judged = predictor.judge(
            photos,
            [as_text(item.path) for item in group],
            [item.id for item in group],
            [item.patient for item in group],
        )
        if args.maps:
            for item, photo, one in zip(group, photos, judged, strict=True):
                _draw(predictor, out, item, photo, one)
        yield [one.row for one in judged]


def _read(
    predictor: Predictor, items: Sequence[Item], workers: int
) -> Iterator[tuple[Sequence[Item], list[Photo | PhotoError]]]:
    step = predictor.batch
    groups = [items[i : i + step] for i in range(0, len(items), step)]
    pool = concurrent.futures.ThreadPoolExecutor(workers, "reader")
    try:
        ahead: collections.deque[list[concurrent.futures.Future[Any]]] = collections.deque()
        for place in range(len(groups) + _AHEAD):
            if place < len(groups):
                ahead.append([pool.submit(predictor.read, item.path) for item in groups[place]])
            if place >= _AHEAD:
                yield groups[place - _AHEAD], [job.result() for job in ahead.popleft()]
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _progress(batches: Iterator[list[Row]], total: int, done: int) -> Iterator[list[Row]]:
    with progress.bar(total, "photo", done=done) as bar:
        for rows in batches:
            yield rows
            bar.update(len(rows))


def _draw(
    predictor: Predictor, out: Path, item: Item, photo: Photo | PhotoError, judged: Judged
) -> None:
    if judged.row["status"] != "ok" or not isinstance(photo, Photo):
        return
    if judged.map is None:
        raise RunError(f"model {judged.row['model']} draws no maps; leave --maps out")
    # Two photographs may have the same file name: the path's digest keeps them apart.
    tag = hashlib.sha256(item.id.encode()).hexdigest()[:8]
    name = f"{as_text(Path(item.path).stem)}_{tag}"
    fine = predictor.read(item.path, map_files.own_side(photo))
    shown = fine if isinstance(fine, Photo) else photo
    map_files.write(out / MAPS, name, photo, shown, judged.map, predictor.thresholds.map)
    judged.row["map"] = f"{MAPS}/{name}.png"


def summary(rows: Sequence[Row], out: Path, new: int, seconds: float) -> str:
    """What the run found, for the end of the command."""

    def counted(column: str) -> str:
        found = collections.Counter(str(row[column]) for row in rows if row[column])
        return ", ".join(f"{name} {count}" for name, count in found.most_common())

    reasons = collections.Counter(
        reason.split(":")[0]
        for row in rows
        if row["status"] == "ok"
        for reason in (row["reasons"] or "").split("; ")
        if reason
    )
    lines = [
        f"{len(rows)} photographs ({new} new, {new / max(seconds, 1e-9):.1f} per second)",
        f"  status    {counted('status')}",
        f"  decision  {counted('decision')}",
    ]
    if grades := counted("quality"):
        lines.append(f"  quality   {grades}")
    if reasons:
        lines.append("  reasons   " + ", ".join(f"{n} {c}" for n, c in reasons.most_common()))
    failed = [row for row in rows if row["status"] == "error"]
    lines += [f"  not read  {row['error']}" for row in failed[:5]]
    if len(failed) > 5:
        lines.append(f"  not read  {len(failed) - 5} more, see the column 'error'")
    return "\n".join([*lines, f"  written   {out / TABLE}, {out / LOG}"])


if __name__ == "__main__":
    sys.exit(main())
