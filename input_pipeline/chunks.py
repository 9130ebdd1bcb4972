"""Runs a function over many items in several processes, with a progress bar."""

import functools
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tqdm import tqdm

_CHUNK = 8  # items per task: small enough for a steady bar, large enough to hide the hand-over


def run_chunks(
    function: Callable[[Sequence[Any]], list[Any]],
    items: Sequence[Any],
    workers: int,
    what: str,
) -> Iterator[tuple[int, Any]]:
    """Results of `function` over chunks of `items`, as they are ready.

    Processes, not threads: drawing and field finding hold Python's lock much of the time. joblib's
    need no `if __name__ == "__main__"` in the caller's script and do not fork a process that
    runs XLA. With one worker everything happens here.

    Args:
      function: picklable; takes a list of items and returns as many results.
      items: what to work on.
      workers: processes, at least 1.
      what: text beside the bar.

    Yields:
      (place in items, result), in no particular order.
    """
    chunks = [range(i, min(i + _CHUNK, len(items))) for i in range(0, len(items), _CHUNK)]
    with tqdm(total=len(items), desc=what, unit="image", dynamic_ncols=True) as bar:
        for places, results in _run(function, items, chunks, min(workers, len(chunks))):
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
    import joblib

    with joblib.Parallel(workers, return_as="generator_unordered", pre_dispatch="3*n_jobs") as pool:
        jobs = (
            joblib.delayed(_task)(function, places, [items[i] for i in places]) for places in chunks
        )
        yield from pool(jobs)


def _task(
    function: Callable[[Sequence[Any]], list[Any]], places: range, items: list[Any]
) -> tuple[range, list[Any]]:
    _end_with_parent()
    return places, function(items)


@functools.cache  # once in each process
def _end_with_parent() -> None:
    """Ends this process soon after its parent was killed; joblib's would wait for minutes."""

    def watch(parent: int) -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, args=(os.getppid(),), daemon=True).start()
