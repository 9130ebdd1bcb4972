"""What a drill's cases come to, and which of it never may."""

import collections
import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

Counts = collections.Counter[str]
# Damage that is used without a word; an exception without a sentence; code of a stranger that ran;
# a case over the limit of time or of memory; a process that died; output that differs after a kill.
NEVER = ("silent", "uncaught", "executed", "slow", "large", "crashed", "differs", "lost", "doubled")
NEVER += ("out of order",)


def say(text: str) -> None:
    """A line about one case, cut."""
    print(text[:300], file=sys.stderr, flush=True)


class Book:
    """The results of all drills in one JSON file, written anew with every part that ends.

    Args:
      file: None to keep them in memory alone. Results of other drills that stand in it are kept.
    """

    def __init__(self, file: Path | None) -> None:
        self.file = file
        self.drills: dict[str, Any] = {}
        if file and file.is_file():
            self.drills = json.loads(file.read_text())["drills"]

    @contextlib.contextmanager
    def drill(self, name: str) -> Iterator[Callable[[Counts], None]]:
        """Times a drill; what it hands to `note` is written, also of a drill that is cut off."""
        began = time.monotonic()
        commit = _commit()

        def note(counts: Counts) -> None:
            seconds = round(time.monotonic() - began, 1)
            self.drills[name] = {"counts": dict(counts), "seconds": seconds, "commit": commit}
            if self.file:
                part = self.file.with_name(f"{self.file.name}.{os.getpid()}")
                part.write_text(json.dumps({"drills": self.drills}, indent=1) + "\n")
                part.replace(self.file)

        yield note


def _commit() -> str:
    told = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True)
    return told.stdout.strip()
