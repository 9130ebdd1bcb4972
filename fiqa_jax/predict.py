"""Judges photographs with a trained model, from the command line.

    python -m fiqa_jax.predict --model model photo.jpg folder/ list.csv --output out

OUT/predictions.jsonl grows while it runs, OUT/predictions.csv comes at the end. A file that cannot
be read is a row, and the run goes on. From Python: `fiqa_jax.predict.Predictor`.
"""

import argparse
import collections
import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from fiqa_jax import command
from fiqa_jax.inference import inputs
from fiqa_jax.inference import photos as photographs
from fiqa_jax.inference.inputs import Item, as_text
from fiqa_jax.inference.photos import RunError
from fiqa_jax.inference.predictor import Judged, Predictor
from fiqa_jax.maps import map_files
from fiqa_jax.predictions import schema
from fiqa_jax.predictions.schema import Row
from input_pipeline import atomic, progress
from input_pipeline.photo.reader import Photo, PhotoError

LOG, TABLE, RUN = "predictions.jsonl", "predictions.csv", "run.json"


def parser() -> argparse.ArgumentParser:
    """The command line; see the module's docstring."""
    p = argparse.ArgumentParser("fiqa_jax.predict", description=__doc__.split("\n", 1)[0])
    photographs.add_arguments(p)
    p.add_argument("--maps", action="store_true", help="draw the quality maps into OUTPUT/maps")
    p.add_argument("--resume", action="store_true", help="go on with the run in OUTPUT")
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
    photographs.check(args)
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
        schema.append_jsonl(out / LOG, rows)
        done |= {row["id"]: row for row in rows}
    # In the order of the inputs; rows of an earlier run's inputs come last.
    rows = [done[item.id] for item in items]
    asked = {item.id for item in items}
    rows += [row for name, row in done.items() if name not in asked]
    columns = schema.columns(predictor.details, predictor.diagnosis)
    schema.write_csv(out / TABLE, rows, columns)
    if args.maps:
        map_files.table(out / photographs.MAPS, out / photographs.REGIONS)
    print(summary(rows, out, len(todo), time.monotonic() - began))


def _begin(out: Path, predictor: Predictor, args: argparse.Namespace) -> dict[str, Row]:
    """Rows of an earlier run by id, without those that failed to be read (they get a new try)."""
    now: dict[str, Any] = {"model": predictor.name, "allow_frame": args.allow_frame}
    now["maps"] = args.maps
    log = out / LOG
    rows = schema.resume_jsonl(log)
    if rows and (out / RUN).is_file():
        before = json.loads((out / RUN).read_text(encoding="utf-8"))
        changed = [key for key in now if now[key] != before.get(key)]
        if changed:
            was = ", ".join(f"{key} was {before.get(key)!r}, is {now[key]!r}" for key in changed)
            raise RunError(f"{out} holds another run: {was}. Give another --output")
    fine = [row for row in rows if row["status"] != "error"]
    if len(fine) < len(rows):
        schema.write_jsonl(log, fine)
    atomic.write(out / RUN, (json.dumps(now) + "\n").encode())
    return {row["id"]: row for row in fine}


def _predicted(
    predictor: Predictor, items: Sequence[Item], args: argparse.Namespace, out: Path
) -> Iterator[list[Row]]:
    """Rows of one batch after the other; photographs are read ahead in threads."""
    for group, photos in photographs.read_ahead(predictor, items, args.workers):
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
    judged.row["map"] = photographs.draw(
        predictor, out, item, photo, judged.map, predictor.thresholds.map
    )


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
