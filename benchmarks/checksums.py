"""What checksums cost, as a share of the run that takes them: processor time, in one run.

    PYTHONPATH=. python -W ignore benchmarks/checksums.py predict --photographs 200
    PYTHONPATH=. python -W ignore benchmarks/checksums.py train multitask:single \
        --config.data.count=300 --config.train.epochs=4

Counted is everything between the call and the end of a SHA-256 and of the lists of them, whichever
thread does it; names and settings are hashed the same way and count, too, so that the share is at
most what is printed.
"""

import argparse
import functools
import hashlib
import json
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from absl import flags
from drills import seeds

from fiqa_jax import main as training
from fiqa_jax import predict
from fiqa_jax.recipe import command_line
from input_pipeline import sums

LISTS = ("digest", "write", "check", "check_folder", "read")  # of `sums`
DISTINCT = 8  # photographs that are drawn; the others are saved from them at other qualities


class Clock:
    """Processor seconds spent in the functions it was put around, over all threads."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.calls = 0
        self._lock = threading.Lock()
        self._inside = threading.local()

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, timed; within another one of these it is part of that."""

        @functools.wraps(function)
        def timed(*args: Any, **named: Any) -> Any:
            if getattr(self._inside, "yes", False):
                return function(*args, **named)
            self._inside.yes, began = True, time.thread_time()
            try:
                return function(*args, **named)
            finally:
                self._inside.yes = False
                with self._lock:
                    self.seconds += time.thread_time() - began
                    self.calls += 1

        return timed


def photographs(folder: Path, count: int, side: int) -> None:
    """JPEG files of synthetic eyes."""
    folder.mkdir()
    drawn = [seeds.photograph(k, side) for k in range(min(DISTINCT, count))]
    for k in range(count):
        data = seeds.encoded(drawn[k % len(drawn)], "JPEG", quality=80 + k // len(drawn) % 16)
        (folder / f"{k:04d}.jpg").write_bytes(data)


def main() -> int:
    """Command line; prints the share."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("what", choices=("predict", "train"))
    parser.add_argument("config", nargs="?", default="multitask:single", help="train: of configs/")
    parser.add_argument("--photographs", type=int, default=200, help="of predict")
    parser.add_argument("--side", type=int, default=1024, help="of predict, pixels")
    args, rest = parser.parse_known_args()
    clock = Clock()
    for name in LISTS:
        setattr(sums, name, clock.around(getattr(sums, name)))
    hashlib.sha256 = clock.around(hashlib.sha256)
    hashlib.file_digest = clock.around(hashlib.file_digest)
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        if args.what == "predict":
            photographs(root / "photographs", args.photographs, args.side)
            command = [str(root / "photographs"), "--output", str(root / "out"), *rest]
            work = functools.partial(predict.main, command)
        else:
            name, _, variant = args.config.partition(":")
            config = f"configs/{name}.py{':' if variant else ''}{variant}"
            command = ["train", "--config", config, "--workdir", str(root / "work"), *rest]
            sys.argv = command_line.resolved(command)  # ml_collections looks there for what is set
            flags.FLAGS(sys.argv)
            work = functools.partial(training.main, ["train"])
        clock.seconds, clock.calls, began = 0.0, 0, time.process_time()
        status = work()
        if status:
            return int(status)
        whole = time.process_time() - began
    found = {"checksums": round(clock.seconds, 3), "run": round(whole, 1), "calls": clock.calls}
    print(json.dumps({**found, "share": f"{100 * clock.seconds / whole:.2f} %"}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
