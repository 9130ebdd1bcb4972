"""What every command does around its work: one line for a person, and an exit status for a script.

| status | meaning |
| --- | --- |
| 0 | done: every photograph was judged, or is out of scope |
| 1 | nothing could start, or the work broke off: one line says why |
| 2 | wrong usage (argparse) |
| 3 | done, but some files failed; each has a row that says why |
| 4 | done, but no file could be judged or read |
| 130, 141, 143 | stopped: from the keyboard, by a reader that left (as `head` does), by SIGTERM |
"""

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from types import FrameType

from input_pipeline import plain_text

DONE, NOT_STARTED, USAGE, SOME_FAILED, ALL_FAILED = 0, 1, 2, 3, 4
INTERRUPTED, READER_LEFT, TERMINATED = 130, 141, 143

_later: list[bool] = []  # whether SIGTERM came, for each `gently` that is open


class Stopped(BaseException):
    """The process was asked to end by SIGTERM; no Exception, so that nothing keeps it."""


def run(name: str, work: Callable[[], int | None]) -> int:
    """Runs a command's work.

    Args:
      name: shown before the message.
      work: raises ValueError, OSError, ArithmeticError or MemoryError with a message that says what
        was wrong and what to do; returns an exit status, None for 0.

    Returns:
      Exit status, see the module. Errors go to stderr as one line, with control characters spelt
      out; those that no message was written for keep their traceback (all of them with the
      environment variable FIQA_TRACEBACK).
    """
    try:
        with _terminable():
            status = work() or DONE
            sys.stdout.flush()
    except BrokenPipeError:
        # What is still buffered has no reader either; without this Python complains at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return READER_LEFT
    except (ValueError, OSError, ArithmeticError, MemoryError) as error:
        if os.environ.get("FIQA_TRACEBACK"):
            raise
        text = str(error) or f"{type(error).__name__}: there is not enough memory"
        print(f"{name}: {plain_text.printable(text)}", file=sys.stderr)
        return NOT_STARTED
    except KeyboardInterrupt:
        print(f"\n{name}: stopped", file=sys.stderr)
        return INTERRUPTED
    except Stopped as stopped:
        said = f": {stopped}" if str(stopped) else ""
        print(f"{name}: asked to stop{said}", file=sys.stderr)
        return TERMINATED
    return status


def of_files(failed: int, total: int) -> int:
    """The status of work over files of which some failed: DONE, SOME_FAILED or ALL_FAILED."""
    if not failed:
        return DONE
    return ALL_FAILED if failed >= total else SOME_FAILED


@contextlib.contextmanager
def gently() -> Iterator[Callable[[], bool]]:
    """While it is open, SIGTERM only sets a flag, which the function it gives returns.

    For work that has a good moment to stop. A second SIGTERM ends it at once, and what ends before
    it looked at the flag is stopped behind it.
    """
    place = len(_later)
    _later.append(False)
    try:
        yield lambda: _later[place]
        missed = _later[place]
    finally:
        del _later[place:]
    if missed:
        raise Stopped


def _asked(number: int, frame: FrameType | None) -> None:
    del number, frame
    if _later and not _later[-1]:
        _later[:] = [True] * len(_later)
        return
    raise Stopped


@contextlib.contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM raises `Stopped`, so that files are closed and locks and half files go."""
    try:
        before = signal.signal(signal.SIGTERM, _asked)
    except ValueError:  # not the main thread: whoever runs that decides
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
