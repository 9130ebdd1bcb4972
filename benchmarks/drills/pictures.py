"""Mutated pictures of 24 formats through the reader: what is uncaught, slow, large or deadly.

Every eleventh goes through the whole reader, the others through decoding alone. Both happen in a
worker process that is watched from outside: a case that hangs or kills its process is counted, and
another process goes on with the next.
"""

import faulthandler
import multiprocessing
import os
import random
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import memory

from drills import mutation, seeds
from drills.outcomes import Counts, say
from input_pipeline.photo.decode import decode
from input_pipeline.photo.errors import PhotoError
from input_pipeline.photo.reader import read_photo

SLOW = 10.0  # seconds of the processor that a picture may take
STILL = 600.0  # seconds of the clock: of a worker that waits for something
LARGE = 1.2 * 2**30  # bytes that a process may reach over it
SIDE = 64
# Every so many cases: the whole reader; a file rather than bytes. Neither divides the 24 formats.
WHOLE, FROM_FILE = 11, 7
PART = 10_000  # cases of one worker
LIST = "outcomes"  # a worker's lines 'outcome MiB', one a case


def run(cases: int, root: Path, note: Callable[[Counts], None]) -> Counts:
    """Reads pictures number 0 to `cases`; `note` hears of the counts now and then."""
    files = seeds.formats()
    out: Counts = Counts({"formats": len(files)})
    done = 0
    context = multiprocessing.get_context("spawn")  # without the memory of who starts it
    while done < cases:
        (root / LIST).write_text("")
        first = done
        ours, its = context.Pipe(duplex=False)
        worker = context.Process(target=_worker, args=(files, done, cases, root, its), daemon=True)
        worker.start()
        its.close()
        ended = _watched(ours, root / LIST, worker.pid or 0)
        worker.kill()
        worker.join()
        for line in (root / LIST).read_text().split("\n")[:-1]:
            outcome, peak = line.split()
            out[outcome] += 1
            out["peak MiB"] = max(out["peak MiB"], int(peak))
            if int(peak) << 20 > LARGE:
                out["large"] += 1
                say(f"large: picture {done} ({_format(files, done)}), {peak} MiB")
            done += 1
        if ended and done < cases:
            out[ended] += 1
            say(f"{ended}: picture {done} ({_format(files, done)})")
            done += 1
        if done == first:
            raise RuntimeError("the worker ends before its first picture")
        out["cases"] = done
        note(out)
    return out


def _watched(ours: Connection, file: Path, pid: int) -> str:
    """Waits while a worker goes on: '' where it came to its end, else what happened to it."""
    size, since, used = -1, time.monotonic(), 0.0
    while True:
        try:
            if ours.poll(1.0):
                ours.recv()
                return ""
        except EOFError:
            return "crashed"
        now = file.stat().st_size
        if now != size:
            size, since, used = now, time.monotonic(), _processor(pid)
        elif _processor(pid) - used > SLOW or time.monotonic() - since > STILL:
            return "slow"


def _processor(pid: int) -> float:
    """Linux: seconds of the processor that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _format(files: dict[str, bytes], case: int) -> str:
    return [*files][case % len(files)]


def _worker(files: dict[str, bytes], first: int, end: int, root: Path, its: Connection) -> None:
    faulthandler.enable()
    with (root / LIST).open("w", buffering=1) as told:
        for case in range(first, min(end, first + PART)):
            told.write("{} {}\n".format(*_one(files, case, root)))
    its.send("end")


def _one(files: dict[str, bytes], case: int, root: Path) -> tuple[str, int]:
    """What comes of one picture, and the MiB that the process reached over it."""
    rng = random.Random(f"picture {case}")
    data = mutation.mutated(rng, files[_format(files, case)], files)
    source: bytes | Path = data
    if case % FROM_FILE == 0:
        source = root / "picture.dcm"
        source.write_bytes(data)
    memory.forget_peak()
    began = time.process_time()
    try:
        if case % WHOLE == 0:
            read_photo(source, SIDE)
        else:
            decode(source)
        outcome = "read"
    except PhotoError as error:
        outcome = "refused" if str(error) else "uncaught"
    except Exception as error:
        outcome = "uncaught"
        say(f"uncaught: picture {case} ({_format(files, case)}): {error!r}")
    if time.process_time() - began > SLOW:
        outcome = "slow"
    return outcome, memory.peak() >> 20
