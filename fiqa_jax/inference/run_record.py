"""What a judged folder holds of its run: run.json, whether a run may go on in it, the tables."""

import argparse
import json
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from fiqa_jax.inference import inputs
from fiqa_jax.inference.inputs import Item
from fiqa_jax.inference.photos import RunError
from fiqa_jax.inference.predictor import Predictor
from fiqa_jax.predictions import parquet_table, schema
from fiqa_jax.predictions.row_log import RowLog
from fiqa_jax.predictions.schema import Row
from input_pipeline import atomic, records, sums
from input_pipeline.tables.folders import JUDGED, PARQUET, RUN, TABLE

LONGEST = 200  # bytes of an input's name in that of the output folder
PARQUET_HELP = f"also write the table as Parquet, {PARQUET} (extra cluster)"


def _asked(args: argparse.Namespace) -> dict[str, Any]:
    """What was asked to be judged, for run.json."""
    named = [str(inputs.expanded(one).resolve()) for one in args.inputs]
    return {"inputs": named, "recursive": args.recursive}


def default_output(given: Sequence[str]) -> str:
    """`photos/` -> `photos-judged`: a folder of the working directory named after the inputs."""
    first = inputs.expanded(given[0]).resolve()
    name = first.name if first.is_dir() else first.stem
    name = os.fsencode(name)[:LONGEST].decode("utf-8", "ignore")  # what follows must fit, too
    more = f"-and-{len(given) - 1}-more" if len(given) > 1 else ""
    return f"{name or 'photographs'}{more}-judged"


def check_inputs(out: Path, args: argparse.Namespace) -> None:
    """Raises: RunError: the folder that would be gone on with holds other photographs."""
    file = out / RUN
    before = read(file) if file.is_file() else {}
    changed = [key for key, value in _asked(args).items() if before.get(key) != value]
    if changed:
        was = ", ".join(f"{key} was {before.get(key)!r}" for key in changed)
        raise RunError(
            f"{out} holds another run ({was}); to judge these, give another --output DIR, or "
            "--resume to add them"
        )


def begin(
    out: Path,
    predictor: Predictor,
    args: argparse.Namespace,
    share: Mapping[str, Any],
    items: Iterable[Item],
) -> RowLog:
    """Rows of an earlier run, without those of files not read, which get a new try.

    Raises:
      RunError: a run of another model or other flags, or `items` that are other photographs under
        the ids of its rows, or its photographs under other ids; nothing is changed then.
    """
    now: dict[str, Any] = {"model": predictor.name, "allow_frame": args.allow_frame}
    now |= {"maps": args.maps, "ids": "below the input", **share}
    rows, began_in = RowLog(out / JUDGED), ""
    if rows and (out / RUN).is_file():
        before = read(out / RUN)
        changed = [key for key in now if now[key] != before.get(key)]
        if changed:
            was = ", ".join(f"{key} was {before.get(key)!r}, is {now[key]!r}" for key in changed)
            raise RunError(f"{out} holds another run: {was}. Give another --output")
        began_in = before.get("began_in", "")
    again, paths = set(), {}
    for row in rows.values():
        if row["status"] in ("error", "skipped"):
            again.add(row["id"])
        else:
            paths[row["id"]] = os.path.abspath(os.path.join(began_in, row["path"]))
    _check_ids(out, paths, items)
    rows.forget(again)
    now |= _asked(args) | {"began_in": os.getcwd()}
    now |= {"licence": predictor.licence} if predictor.licence else {}
    atomic.write(out / RUN, (json.dumps(now, indent=1) + "\n").encode())
    return rows


def _check_ids(out: Path, paths: Mapping[str, str], items: Iterable[Item]) -> None:
    """Raises: RunError: see `begin`. A folder that was moved or copied is still the same.

    Args:
      out: folder of the run; `paths`: of what it holds, by id, absolute.
      items: to be judged.
    """
    ids = {path: name for name, path in paths.items()}
    for item in items:
        path = os.path.abspath(item.shown)
        was = paths.get(item.id)
        if was not in (None, path) and _differ(was, path):
            raise RunError(
                f"{out} holds {item.id!r} for {was}, and these inputs give {path} the same id: "
                "judge all of them in one run, with another --output"
            )
        if was is None and path in ids:
            raise RunError(
                f"{out} holds {path} as {ids[path]!r}, these inputs make it {item.id!r}: give the "
                "inputs as before, or another --output"
            )


def _differ(one: str, other: str) -> bool:
    """Whether both files are there and hold different bytes."""
    try:
        return not os.path.samefile(one, other) and sums.digest(one) != sums.digest(other)
    except (OSError, ValueError):
        return False


def write_tables(out: Path, rows: Collection[Row], names: Sequence[str], parquet: bool) -> None:
    """Writes OUT/predictions.csv, and .parquet where it is asked for or there already.

    Args:
      out: folder of the run.
      rows: all rows, in order; `names`: of the columns.
      parquet: ask for it.
    """
    schema.write_csv(out / TABLE, rows, names)
    if parquet or (out / PARQUET).exists():
        parquet_table.write(out / PARQUET, rows, names)


def read(file: Path) -> dict[str, Any]:
    """What run.json holds.

    Raises:
      RunError: it is damaged.
    """
    what_to_do = "give another --output, or, if model and flags are those of before, delete it"
    return records.read(file, what_to_do, RunError)
