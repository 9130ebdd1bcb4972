"""Mutated pictures of 24 formats through the reader: what is uncaught, slow, large or deadly.

Every third goes through the whole reader, the others through decoding alone. Both happen in a worker
process that is looked at from outside, so that a case that hangs or kills its process is counted,
and the next one goes on.
"""

import faulthandler
import multiprocessing
import random
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

from drills import mutation, seeds
from drills.outcomes import Counts, say

from input_pipeline.photo.decode import decode
from input_pipeline.photo.errors import PhotoError
from input_pipeline.photo.reader import read_photo

SLOW = 10.0  # seconds that a picture may take
LARGE = 1.2 * 2**30  # bytes that a process may reach over it
SIDE = 64
WHOLE = 3
FROM_FILE = 5  # every so many cases the picture is read from a file rather than from bytes


def run(cases: int, root: Path, note: Callable[[Counts], None]) -> Counts:
    """Reads pictures number 0 to `cases`; `note` hears of the counts now and then."""
    files = seeds.formats()
    out: Counts = Counts({"formats": len(files)})
    done = 0
    context = multiprocessing.get_context("fork")
    while done < cases:
        ours, its = context.Pipe(duplex=False)
        worker = context.Process(target=_worker, args=(files, done, cases, root, its), daemon=True)
        worker.start()
        its.close()
        while done < cases:
            try:
                found = ours.recv() if ours.poll(SLOW) else "slow"
            except EOFError:
                found = "crashed"
            if isinstance(found, str):
                out[found] += 1
                say(f"{found}: picture {done} ({_format(files, done)})")
                worker.kill()
                done += 1
                break
            outcome, peak = found
            out[outcome] += 1
            out["peak MiB"] = max(out["peak MiB"], peak >> 20)
            if peak > LARGE:
                out["large"] += 1
                say(f"large: picture {done} ({_format(files, done)}), {peak >> 20} MiB")
            done += 1
            if done % 2000 == 0:
                note(Counts({**out, "cases": done}))
        worker.join()
    out["cases"] = done
    note(out)
    return out


def _format(files: dict[str, bytes], case: int) -> str:
    return [*files][case % len(files)]


def _worker(files: dict[str, bytes], first: int, end: int, root: Path, its: Connection) -> None:
    faulthandler.enable()
    for case in range(first, end):
        rng = random.Random(f"picture {case}")
        data = mutation.mutated(rng, files[_format(files, case)], files)
        source: bytes | Path = data
        if case % FROM_FILE == 0:
            source = root / "picture.dcm"
            source.write_bytes(data)
        _forget_peak()
        began = time.monotonic()
        try:
            if case % WHOLE == 0:
                read_photo(source, SIDE)
            else:
                decode(source)
            outcome = "read"
        except PhotoError as error:
            outcome = "refused" if len(str(error)) < 600 else "uncaught"
        except Exception as error:
            outcome = "uncaught"
            say(f"uncaught: picture {case} ({_format(files, case)}): {error!r}")
        if time.monotonic() - began > SLOW:
            outcome = "slow"
        its.send((outcome, _peak()))


def _forget_peak() -> None:
    """Linux: the highest memory so far is forgotten."""
    Path("/proc/self/clear_refs").write_text("5")


def _peak() -> int:
    """Linux: bytes that the process reached at most since `_forget_peak`."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith("VmHWM"))
    return int(line.split()[1]) << 10
