"""`fiqa predict` on ever more files: memory, processor time a file, and a kill in the middle.

    python benchmarks/many_files.py FOLDER --counts 1000 5000 20000 [--picture many_files.png]

Each folder holds the photographs of FOLDER again and again, under names of their own. Every run is
one `fiqa predict` with its report; the one on the most files is killed (SIGKILL) once about half of
its rows are written, and gone on with by --resume. Printed are the peak of resident memory (of the
larger part of a run in two), processor time a file without the program's start (model compiled
before), and rows that are lost or doubled. Linux alone.
"""

import argparse
import csv
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from input_pipeline.photo.file_type import SUFFIXES
from input_pipeline.tables.folders import JUDGED, TABLE

FEW = 17  # files: one more than predict judges at a time
TICKS = os.sysconf("SC_CLK_TCK")


def repeated(photographs: list[Path], count: int, folder: Path) -> Path:
    """A folder of `count` names (hard links, else copies) in parts of a thousand."""
    for k in range(count):
        source = photographs[k % len(photographs)]
        target = folder / f"{k // 1000:03d}" / f"{k:06d}{source.suffix.lower()}"
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(source, target)
        except OSError:
            target.write_bytes(source.read_bytes())
    return folder


def run(folder: Path, out: Path, model: str, kill_at: int, resume: bool) -> tuple[int, float]:
    """One predict; kills it once so many rows are written (0: never). MiB at most, seconds."""
    flags = ["--recursive", "--model", model, "--output", str(out), *["--resume"] * resume]
    with (out.parent / "log").open("ab") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", "fiqa_jax.predict", *flags, str(folder)], stdout=log, stderr=log
        )
    peak, taken = 0, 0.0
    while child.poll() is None:
        try:
            status = Path(f"/proc/{child.pid}/status").read_text()
            fields = Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            break
        held = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")]
        peak = max([peak, *(int(kib) >> 10 for kib in held)])
        taken = (int(fields[11]) + int(fields[12])) / TICKS
        rows = out / JUDGED
        if kill_at and rows.exists() and rows.read_bytes().count(b"\n") >= kill_at:
            child.send_signal(signal.SIGKILL)
            kill_at = 0
        time.sleep(0.3)
    child.wait()
    return peak, taken


def picture(found: list[dict[str, float]], file: Path) -> None:
    """Memory and processor time a file against the number of files."""
    from matplotlib.figure import Figure

    from fiqa_jax.report import figures

    counts = [one["files"] for one in found]
    figure = Figure((9, 3.2), dpi=figures.DPI, layout="constrained")
    told = {"MiB": "memory at most, MiB", "ms": "processor time a file, ms"}
    for ax, (key, label) in zip(figure.subplots(1, 2), told.items(), strict=True):
        ax.plot(counts, [one[key] for one in found], "o-", color=figures.COLOURS[0])
        ax.set_xscale("log")
        ax.set_xticks(counts, [f"{count:,}" for count in counts])
        ax.minorticks_off()
        ax.set_ylim(0, 1.3 * max(one[key] for one in found))
        ax.set_xlabel("files")
        ax.set_ylabel(label)
        figures.plain(ax)
    file.write_bytes(figures.png(figure))


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    p.add_argument("folder", type=Path)
    p.add_argument("--counts", type=int, nargs="+", default=[1000, 5000, 20000])
    p.add_argument("--model", default="open")
    p.add_argument("--output", type=Path, help="JSON of what is printed")
    p.add_argument("--picture", type=Path, help="the same as a picture")
    args = p.parse_args()
    photographs = sorted(f for f in args.folder.iterdir() if f.suffix.lower() in SUFFIXES)
    counts, found = sorted(args.counts), []
    with tempfile.TemporaryDirectory() as at:
        work = Path(at)
        few = repeated(photographs, FEW, work / "few")
        run(few, work / "compiled", args.model, 0, False)
        _, start = run(few, work / "first", args.model, 0, False)
        print(f"{start:.1f} s for the start and {FEW} files, counted out\n")
        print("| files | MiB | ms a file | lost | doubled |")
        print("| --- | --- | --- | --- | --- |")
        for count in counts:
            folder, out = repeated(photographs, count, work / f"in{count}"), work / f"out{count}"
            half = count // 2 if count == counts[-1] else 0
            peak, seconds = run(folder, out, args.model, half, False)
            starts = 1
            if half:
                again, more = run(folder, out, args.model, 0, True)
                peak, seconds, starts = max(peak, again), seconds + more, 2
            with (out / TABLE).open(encoding="utf-8", newline="") as file:
                ids = [row["id"] for row in csv.DictReader(file)]
            lost, doubled = count - len(set(ids)), len(ids) - len(set(ids))
            each = 1000 * (seconds - starts * start) / (count - starts * FEW)
            found.append(
                {"files": count, "MiB": peak, "ms": each, "lost": lost, "doubled": doubled}
            )
            print(f"| {count:,} | {peak:,} | {each:.1f} | {lost} | {doubled} |", flush=True)
    if args.output:
        args.output.write_text(json.dumps(found, indent=1) + "\n")
    if args.picture:
        picture(found, args.picture)


if __name__ == "__main__":
    main()
