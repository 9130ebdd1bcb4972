"""`fiqa predict` whose processes are killed, on Dask and as shares, beside one that is left alone.

    python benchmarks/cluster.py --count 5000

Judged are COUNT files, synthetic photographs again and again under names of their own, with a model
that compiles at once (`drills.mean_colour`; --model names another): by one process; by --scheduler
local with two processes, one of which, drawn, is killed (SIGKILL) at random moments; by --shard,
each share killed once at a random moment and begun again, then fiqa merge. Printed are the kills
that came before the end, files that are lost or doubled, and cells of the CSV and of the Parquet
that differ from the CSV of the one process. Linux alone.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
from drills import untrained
from many_files import repeated
from PIL import Image

from fiqa_jax import defaults
from fiqa_jax.inference.run_shards import FOLDER
from fiqa_jax.predictions import schema
from fiqa_jax.training.method import DataSpec
from input_pipeline import synthetic
from input_pipeline.tables.folders import JUDGED, PARQUET, TABLE


def drawn(folder: Path, kinds: int, side: int) -> list[Path]:
    """Synthetic photographs `00.jpg` ... of `side` pixels."""
    folder.mkdir()
    for k in range(kinds):
        image = Image.fromarray(synthetic.draw(k, side, "a").image)
        image.save(folder / f"{k:02d}.jpg", quality=92)
    return sorted(folder.iterdir())


def graded(folder: Path) -> Path:
    """A model directory of `drills.mean_colour`, as it is before any training."""
    config = defaults.base()
    config.data.side = 64
    data = DataSpec(64, 3, (), (), (), {}, config.data.mean, config.data.std)
    return untrained.save(folder, "drills.mean_colour", config, data)


def start(command: str, flags: list[str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as file:
        given = [sys.executable, "-m", f"fiqa_jax.{command}", *flags]
        here = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
        env = {**os.environ, "PYTHONPATH": here}  # of drills.mean_colour
        return subprocess.Popen(given, stdout=file, stderr=file, env=env)


def lines(out: Path) -> int:
    """Rows that a run has written so far, into its folder or those of its shares."""
    files = [*out.glob(JUDGED), *out.glob(f"{FOLDER}/*/{JUDGED}")]
    return sum(file.read_bytes().count(b"\n") for file in files)


def workers(child: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """The processes that a run started to judge in."""
    try:
        below = psutil.Process(child.pid).children(recursive=True)
        return [one for one in below if "spawn_main" in " ".join(one.cmdline())]
    except psutil.Error:
        return []


def on_dask(flags: list[str], out: Path, moments: list[int], rng: random.Random) -> int:
    """A run on two processes of which one is killed at each of the moments; how many were."""
    child, killed = start("predict", flags, out.parent / "log"), 0
    while child.poll() is None:
        if moments and lines(out) >= moments[0]:
            moments.pop(0)
            if there := workers(child):
                rng.choice(there).send_signal(signal.SIGKILL)
                killed += 1
        time.sleep(0.2)
    ended(child)
    return killed


def as_shares(given: list[str], out: Path, count: int, shares: int, rng: random.Random) -> int:
    """Shares one after the other, each killed once; how many were killed before their end."""
    killed, log = 0, out.parent / "log"
    for place in range(1, shares + 1):
        flags = [*given, "--output", str(out), "--shard", f"{place}/{shares}"]
        before, moment = lines(out), rng.randrange(1, count // shares)
        child = start("predict", flags, log)
        while child.poll() is None:
            if lines(out) - before >= moment:
                child.send_signal(signal.SIGKILL)
            time.sleep(0.2)
        killed += child.returncode == -signal.SIGKILL
        ended(start("predict", flags, log))
    ended(start("merge", [str(out), "--parquet"], log))
    return killed


def ended(child: subprocess.Popen[bytes]) -> None:
    if status := child.wait():
        sys.exit(f"{' '.join(map(str, child.args))} ended with status {status}")


def compared(out: Path, whole: Path) -> dict[str, int]:
    """Files lost and doubled, cells that differ from those of the table of one process."""
    want = schema.read_rows(whole / TABLE)
    text = schema.read_rows(out / TABLE)
    typed = schema.read_rows(out / PARQUET)
    ids = [row["id"] for row in text]
    cells = [{k: "" if v is None else str(v) for k, v in row.items()} for row in typed]

    def differ(rows: list[schema.Row]) -> int:
        pairs = zip(rows, want, strict=True)
        return sum(one.get(k) != other[k] for one, other in pairs for k in other)

    return {
        "lost": len({row["id"] for row in want} - {*ids}),
        "doubled": len(ids) - len({*ids}),
        "CSV": differ(text),
        "Parquet": differ(cells),
    }


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    p.add_argument("--count", type=int, default=5000, help="files")
    p.add_argument("--kinds", type=int, default=25, help="photographs that differ")
    p.add_argument("--side", type=int, default=128, help="pixels of each")
    p.add_argument("--kills", type=int, default=3, help="of a process on Dask")
    p.add_argument("--shares", type=int, default=4, help="of the run by --shard")
    p.add_argument("--model", default="", help="(drills.mean_colour)")
    p.add_argument("--seed", type=int, default=0, help="of the moments")
    p.add_argument("--output", type=Path, help="JSON of what is printed")
    args = p.parse_args()
    rng, found = random.Random(args.seed), []
    with tempfile.TemporaryDirectory() as at:
        work = Path(at)
        folder = repeated(drawn(work / "drawn", args.kinds, args.side), args.count, work / "in")
        model = args.model or str(graded(work / "model"))
        given = [str(folder), "--recursive", "--model", model, "--trust", "drills.mean_colour"]
        whole = work / "whole"
        ended(start("predict", [*given, "--output", str(whole), "--parquet"], work / "log"))
        print("| run | files | killed | lost | doubled | cells of CSV, of Parquet that differ |")
        print("| --- | --- | --- | --- | --- | --- |")
        runs = {"one process": whole, "Dask, two processes": work / "dask"}
        runs |= {f"{args.shares} shares, merged": work / "shares"}
        for name, out in runs.items():
            killed = 0
            if out.name == "dask":
                flags = [*given, "--output", str(out), "--parquet"]
                flags += ["--scheduler", "local", "--processes", "2"]
                moments = sorted(rng.sample(range(1, args.count), args.kills))
                killed = on_dask(flags, out, moments, rng)
            elif out.name == "shares":
                killed = as_shares(given, out, args.count, args.shares, rng)
            row = {"run": name, "files": args.count, "killed": killed, **compared(out, whole)}
            found.append(row)
            print(
                f"| {name} | {args.count:,} | {killed} | {row['lost']} | {row['doubled']} | "
                f"{row['CSV']}, {row['Parquet']} |",
                flush=True,
            )
    if args.output:
        args.output.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
