"""The driver without TensorFlow: a pool of threads that reads a bounded number of batches ahead."""

import collections
import concurrent.futures
from collections.abc import Callable, Generator

import numpy as np

from input_pipeline import memory

Arrays = dict[str, np.ndarray]

_AHEAD = 2  # batches read before they are asked for


def stream(
    read: Callable[[int], Arrays],
    rows_at: Callable[[int], np.ndarray],
    start: int,
    stop: int | None,
    workers: int,
) -> Generator[tuple[np.ndarray, Arrays], None, None]:
    """See `loading.batches.Stream`. An exception of `read` is raised in its batch's place.

    The threads write straight into the batch. Closing the generator ends them.
    """
    if stop is not None and start >= stop:
        return
    memory.keep_freed()
    first = rows_at(start)
    spec = {name: (x.shape, x.dtype) for name, x in read(int(first[0])).items()}
    ahead = max(_AHEAD, -(-workers // len(first)))  # small batches: no thread is left idle

    def fill(batch: Arrays, place: int, row: int) -> None:
        example = read(row)
        check_spec(example, spec, row)
        for name, x in example.items():
            batch[name][place] = x

    pool = concurrent.futures.ThreadPoolExecutor(workers, "reader")
    pending: collections.deque = collections.deque()
    k = start
    try:
        while True:
            while (stop is None or k < stop) and len(pending) <= ahead:
                rows = rows_at(k)
                batch = {name: np.empty((len(rows), *s), d) for name, (s, d) in spec.items()}
                jobs = [pool.submit(fill, batch, i, int(row)) for i, row in enumerate(rows)]
                pending.append((rows, batch, jobs))
                k += 1
            if not pending:
                return
            rows, batch, jobs = pending.popleft()
            for job in jobs:
                job.result()
            yield rows, batch
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def check_spec(example: Arrays, spec: dict[str, tuple], row: int) -> None:
    """Raises: ValueError where an example's arrays are not named, shaped and typed as `spec` says.

    Args:
      example: arrays of one row.
      spec: name -> (shape, dtype), from the first row read.
      row: of the source, for the message.
    """
    seen = {name: (x.shape, x.dtype) for name, x in example.items()}
    if seen != spec:
        raise ValueError(
            f"row {row} gives {seen}, the first row read gave {spec}; every photograph of a source "
            "must have the same arrays"
        )
