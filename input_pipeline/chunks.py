"""Runs a function over many items in several processes, with a progress bar."""

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from input_pipeline import progress

# A process per worker is enough: more threads inside would only take each other's time.
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

_WORTH = 32  # items for each process at least: starting one takes as long as reading some dozens
_CHUNK = 8  # items per task: small enough for a steady bar, large enough to hide the hand-over


def run_chunks(
    function: Callable[[Sequence[Any]], list[Any]],
    items: Sequence[Any],
    workers: int,
    what: str,
) -> Iterator[tuple[int, Any]]:
    """Results of `function` over chunks of `items`, as they are ready.

    Processes, not threads: drawing and field finding hold Python's lock much of the time. joblib's
    (loky) need no `if __name__ == "__main__"` in the caller's script and do not fork a process
    that runs XLA. With one worker, or few items, everything happens here.

    Args:
      function: picklable; takes a list of items and returns as many results.
      items: what to work on.
      workers: processes, at least 1.
      what: text beside the bar.

    Yields:
      (place in items, result), in no particular order.
    """
    chunks = [range(i, min(i + _CHUNK, len(items))) for i in range(0, len(items), _CHUNK)]
    workers = min(workers, len(items) // _WORTH)
    with progress.bar(len(items), "image", what) as bar:
        for places, results in _run(function, items, chunks, workers):
            yield from zip(places, results, strict=True)
            bar.update(len(places))


def _run(
    function: Callable[[Sequence[Any]], list[Any]],
    items: Sequence[Any],
    chunks: list[range],
    workers: int,
) -> Iterator[tuple[range, list[Any]]]:
    if workers <= 1:
        for places in chunks:
            yield places, function([items[i] for i in places])
        return
    from joblib.externals.loky import FIRST_COMPLETED, ProcessPoolExecutor, wait

    pool = ProcessPoolExecutor(
        workers, initializer=_end_with, initargs=(os.getpid(),), env=_ONE_THREAD
    )
    pending: dict[Any, range] = {}
    try:
        for places in chunks:
            if len(pending) >= 3 * workers:
                done, _ = wait(pending, return_when=FIRST_COMPLETED)
                for job in done:
                    yield pending.pop(job), job.result()
            pending[pool.submit(function, [items[i] for i in places])] = places
        while pending:
            done, _ = wait(pending, return_when=FIRST_COMPLETED)
            for job in done:
                yield pending.pop(job), job.result()
    finally:
        pool.shutdown(wait=True, kill_workers=bool(pending))


def _end_with(parent: int) -> None:
    """Ends this process soon after its parent was killed: it would wait for work forever."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    if os.name != "nt":  # where a child keeps its parent's number for good
        threading.Thread(target=watch, daemon=True).start()
