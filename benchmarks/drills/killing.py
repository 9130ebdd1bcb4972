"""Kills: work in a child process that is killed at random moments and begun again.

This process must not have used JAX, so that it may fork; it may have imported it.
"""

import contextlib
import hashlib
import logging
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from drills.outcomes import Counts, say

Note = Callable[[Counts], None]
TRIES = 3  # kills for every time the work comes to its end, about
LATER = 0.1  # seconds at most between a new file and the kill
LEFT = 2000  # characters of what a child that failed had said


def killed(
    cases: int,
    root: Path,
    note: Note,
    work: Callable[[Path], None],
    seen: Callable[[Path], object],
) -> Counts:
    """Kills `work(folder)` until there were so many kills; what it ends as is compared each time.

    A kill comes behind a file, drawn among those that the work writes, whatever the machine's load.

    Args:
      cases: kills; root: an empty folder; note: hears of the counts.
      work: begins, or goes on, in a folder.
      seen: of a folder that is done: what has to be that of work which was left alone.
    """
    out, rng = Counts(), random.Random(f"{work.__qualname__} {cases}")
    whole, folder, log = root / "whole", root / "killed", root / "log"
    child = begin(lambda: work(whole), log)
    total = len(_watched(child, whole, set(), sys.maxsize))
    finished(child, log)
    want, known = seen(whole), set[str]()
    while True:
        child = begin(lambda: work(folder), log)
        if out["kills"] < cases:
            goal = len(known) + rng.randrange(max(2, 2 * total // TRIES))
            known = _watched(child, folder, known, goal)
            time.sleep(rng.uniform(0, LATER))
            if kill(child, log):
                out["kills"] += 1
                note(out)
                continue
        finished(child, log)
        same = seen(folder) == want
        out["ended alike" if same else "differs"] += 1
        if not same:
            say(f"differs: {folder}")
        if out["kills"] >= cases:
            return out
        shutil.rmtree(folder)
        known = set()


def begin(work: Callable[[], None], log: Path) -> int:
    """Does the work in a child; returns its number. What it says goes to `log`."""
    log.write_text("")
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        logging.disable(logging.CRITICAL)
        told = contextlib.redirect_stdout
        with log.open("a") as file, contextlib.redirect_stderr(file), told(file):
            work()
        status = 0
    except BaseException as error:
        print(f"the work failed: {error!r}", file=sys.__stderr__, flush=True)
    finally:
        os._exit(status)


def kill(child: int, log: Path) -> bool:
    """Ends a child at once; False where it had come to its end. Raises: RuntimeError: it failed."""
    if _alive(child):
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return True
    finished(child, log)
    return False


def finished(child: int, log: Path) -> None:
    """Waits for a child's end. Raises: RuntimeError: it failed."""
    while _alive(child):
        time.sleep(0.02)
    if _ended[child]:
        text = log.read_text(errors="replace")[-LEFT:]
        raise RuntimeError(f"the work ended with status {_ended[child]}; it said: {text}")


def digests(folder: Path, apart: tuple[str, ...]) -> dict[str, str]:
    """Names and SHA-256 of all files below a folder but those called as `apart` says."""
    files = [f for f in folder.rglob("*") if f.is_file() and f.name not in apart]
    return {f.relative_to(folder).as_posix(): digest(f) for f in files}


def digest(file: Path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


_ended: dict[int, int] = {}  # children that came to their end by themselves: their status


def _alive(child: int) -> bool:
    if child in _ended:
        return False
    found, status = os.waitpid(child, os.WNOHANG)
    if found:
        _ended[child] = os.waitstatus_to_exitcode(status)
    return not found


def _watched(child: int, folder: Path, known: set[str], goal: int) -> set[str]:
    """Waits for the child's end, or for as many names below the folder as `goal`; all names."""
    known = set(known)
    alive = True
    while alive and len(known) < goal:
        alive = _alive(child)
        known |= {f"{at}/{name}" for at, _, names in os.walk(folder) for name in names}
        time.sleep(0.05)
    return known
