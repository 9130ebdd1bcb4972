"""Batches of a source for training and evaluation, by either driver.

A driver only reads: it turns rows into stacked arrays, several photographs at a time. What stands
in which batch comes from `order`, labels are gathered here, so both drivers give the same bytes.
"""

import importlib
from collections.abc import Callable, Generator, Iterator
from typing import Protocol

import numpy as np

from input_pipeline.loading import order
from input_pipeline.tables.examples import Source

Batch = dict[str, np.ndarray]
Read = Callable[[int], dict[str, np.ndarray]]

DRIVERS = {"tfdata": "input_pipeline.loading.tfdata", "threads": "input_pipeline.loading.threads"}
# What to do where TensorFlow, which tfdata needs, is not installed.
WITHOUT_TENSORFLOW = (
    "pip install 'fiqa-jax[train]', or read without it by --config.data.driver=threads"
)


class Stream(Protocol):
    """What a driver module gives under the name `stream`."""

    def __call__(
        self,
        read: Read,
        rows_at: Callable[[int], np.ndarray],
        start: int,
        stop: int | None,
        workers: int,
    ) -> Generator[tuple[np.ndarray, Batch], None, None]:
        """Yields (rows [b] int64, stacked arrays [b, ...]) for batches start, start + 1, ... stop.

        Args:
          read: one row's arrays; called from several threads at once.
          rows_at: rows [b] int64 of batch number k; b is the same for all k.
          start: number of the first batch.
          stop: number after the last batch; None for no end.
          workers: photographs read at a time.
        """
        ...


def train_batches(
    source: Source,
    rows: np.ndarray,
    *,
    batch: int,
    seed: int,
    start_step: int = 0,
    process_index: int = 0,
    process_count: int = 1,
    workers: int = 2,
    driver: str = "tfdata",
) -> Generator[Batch, None, None]:
    """Full batches without end, in the order of `order.batch_indices(seed, step, batch, n)`.

    Args:
      source: where the photographs are.
      rows: [n] int, rows of the source to train on.
      batch: examples per step over all processes.
      seed: of the order.
      start_step: step of the first batch; a resumed run gives the step it resumes at.
      process_index: which process this is.
      process_count: number of processes; each gets batch / process_count examples.
      workers: photographs read at a time.
      driver: 'tfdata' or 'threads'.

    Returns:
      Generator of dicts: the arrays of `source.read` stacked to [B, ...], every label of the table
      [B, ...] (absent = -1) and 'index' [B] int32, the row of the source. Close it when done.

    Raises:
      ValueError: no rows, or settings that do not fit; at once.
      PhotoError: from next(), when a photograph cannot be read.
    """
    rows = _checked(source, rows)
    if not len(rows):
        raise ValueError(f"{source.name}: no photographs to train on; the split holds no row")
    order.local(np.empty(batch), process_index, process_count)  # the one place that checks these

    def rows_at(step: int) -> np.ndarray:
        places = order.batch_indices(seed, step, batch, len(rows))
        return rows[order.local(places, process_index, process_count)]

    stream = _driver(driver)(source.read, rows_at, start_step, None, _positive(workers))
    return _labelled(source, stream)


def eval_batches(
    source: Source,
    rows: np.ndarray,
    *,
    batch: int,
    process_index: int = 0,
    process_count: int = 1,
    workers: int = 2,
    driver: str = "tfdata",
) -> Generator[Batch, None, None]:
    """Every row once, in the given order, with the last batch padded.

    The padding repeats the first row, so that all arrays are valid, and has mask 0. Every process
    gets `eval_steps(n, batch)` batches, some of which may be padding throughout.

    Args:
      source: where the photographs are.
      rows: [n] int, rows of the source; may be empty.
      batch: examples per batch over all processes.
      process_index: which process this is.
      process_count: number of processes; each gets batch / process_count examples.
      workers: photographs read at a time.
      driver: 'tfdata' or 'threads'.

    Returns:
      Generator of dicts as in `train_batches`, with 'mask' [B] float32, 0 = padding.

    Raises:
      ValueError: settings that do not fit; at once.
      PhotoError: from next(), when a photograph cannot be read.
    """
    rows = _checked(source, rows)
    order.local(np.empty(batch), process_index, process_count)
    steps = eval_steps(len(rows), batch)
    mask = np.zeros(steps * batch, np.float32)
    mask[: len(rows)] = 1
    padded = np.concatenate([rows, np.repeat(rows[:1], len(mask) - len(rows))])

    def at(values: np.ndarray, step: int) -> np.ndarray:
        return order.local(values[step * batch : (step + 1) * batch], process_index, process_count)

    stream = _driver(driver)(
        source.read, lambda step: at(padded, step), 0, steps, _positive(workers)
    )
    masks = (at(mask, step) for step in range(steps))
    return _labelled(source, stream, masks)


def eval_steps(n: int, batch: int) -> int:
    """Number of batches that hold `n` examples, the last one padded. Raises: ValueError."""
    if batch < 1:
        raise ValueError(f"batch {batch} must be at least 1")
    return -(-n // batch)


def _labelled(
    source: Source,
    stream: Generator[tuple[np.ndarray, Batch], None, None],
    masks: Iterator[np.ndarray] | None = None,
) -> Generator[Batch, None, None]:
    try:
        for rows, arrays in stream:
            labels = {name: values[rows] for name, values in source.table.labels.items()}
            double = sorted(arrays.keys() & labels.keys())
            if double:
                raise ValueError(
                    f"{source.name}: {double} are both read from the photograph and columns of "
                    "the table; rename the columns"
                )
            out = arrays | labels | {"index": rows.astype(np.int32)}
            if masks is not None:
                out["mask"] = next(masks)
            yield out
    finally:
        stream.close()


def _driver(name: str) -> Stream:
    if name not in DRIVERS:
        raise ValueError(f"data.driver is {name!r}, expected one of {sorted(DRIVERS)}")
    return importlib.import_module(DRIVERS[name]).stream


def _checked(source: Source, rows: np.ndarray) -> np.ndarray:
    rows = np.asarray(rows)
    if rows.ndim != 1 or (len(rows) and rows.dtype.kind not in "iu"):
        raise ValueError(f"rows are {rows.dtype} {rows.shape}, expected [n] int")
    if len(rows) and (rows.min() < 0 or rows.max() >= len(source.table)):
        raise ValueError(
            f"rows {rows.min()}..{rows.max()} reach outside {source.name} of {len(source.table)}"
        )
    return rows.astype(np.int64)


def _positive(workers: int) -> int:
    if workers < 1:
        raise ValueError(f"data.workers is {workers}, expected at least 1")
    return workers
