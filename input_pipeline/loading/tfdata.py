"""The tf.data driver. Only reading, batching and prefetching happen here; nothing is random."""

import itertools
import os
from collections.abc import Callable, Generator
from typing import Any

import numpy as np

from input_pipeline import memory
from input_pipeline.loading.batches import WITHOUT_TENSORFLOW
from input_pipeline.loading.threads import check_spec

# Before TensorFlow is loaded, which is chatty otherwise. It computes nothing here.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

try:
    import tensorflow as tf
except ImportError as error:
    raise ImportError(f"the tf.data pipeline needs TensorFlow: {WITHOUT_TENSORFLOW}") from error

if tf.config.get_visible_devices("GPU"):
    tf.config.set_visible_devices([], "GPU")  # else TensorFlow takes the memory JAX needs

Arrays = dict[str, np.ndarray]

_AHEAD = 2  # batches read before they are asked for
_CALL = 4  # photographs read by one call from TensorFlow at most: a call costs 0.1 ms and more


def stream(
    read: Callable[[int], Arrays],
    rows_at: Callable[[int], np.ndarray],
    start: int,
    stop: int | None,
    workers: int,
) -> Generator[tuple[np.ndarray, Arrays], None, None]:
    """See `loading.batches.Stream`. An exception of `read` is raised in its batch's place.

    The arrays belong to TensorFlow and are read-only.
    """
    if stop is not None and start >= stop:
        return
    memory.keep_freed()
    first = rows_at(start)
    example = read(int(first[0]))
    names = sorted(example)
    spec = {name: (example[name].shape, example[name].dtype) for name in names}
    size = max(n for n in range(1, _CALL + 1) if len(first) % n == 0)
    failures: dict[int, Exception] = {}
    tickets = itertools.count(1)

    def load(rows: np.ndarray) -> list[Any]:
        arrays = {name: np.empty((size, *shape), dtype) for name, (shape, dtype) in spec.items()}
        ticket = 0
        # tf.data would turn an exception into an UnknownError with a traceback for a message.
        # It travels beside the data instead, as a number, and is raised where the batch is used.
        try:
            for place, row in enumerate(rows.tolist()):
                found = read(row)
                check_spec(found, spec, row)
                for name in names:
                    arrays[name][place] = found[name]
        except Exception as error:
            ticket = next(tickets)
            failures[ticket] = error
        return [np.int64(ticket), *(arrays[name] for name in names)]

    def load_op(rows: tf.Tensor) -> tuple[tf.Tensor, ...]:
        dtypes = [tf.int64, *(tf.as_dtype(spec[name][1]) for name in names)]
        ticket, *arrays = tf.numpy_function(load, [rows], dtypes)
        ticket.set_shape(())
        for name, array in zip(names, arrays, strict=True):
            array.set_shape((size, *spec[name][0]))
        return rows, ticket, *arrays

    def rows_op(step: tf.Tensor) -> tf.Tensor:
        rows = tf.numpy_function(rows_at, [step], tf.int64)
        return tf.reshape(rows, (len(first) // size, size))

    options = tf.data.Options()
    options.deterministic = True
    options.autotune.enabled = False  # `workers` says how many photographs are read at a time
    options.threading.private_threadpool_size = workers
    data = (
        tf.data.Dataset.range(start, np.iinfo(np.int64).max if stop is None else stop)
        .map(rows_op)
        .unbatch()
        .map(load_op, num_parallel_calls=2 * workers)
        .batch(len(first) // size)
        .prefetch(_AHEAD)
        .with_options(options)
    )
    batches = iter(data)
    try:
        for rows, bad, *arrays in batches:
            failed = bad.numpy()
            if failed.any():
                raise failures[int(failed[failed > 0][0])]
            # A view, where Tensor.numpy() copies. It keeps the tensor's memory alive.
            views = [np.asarray(memoryview(array)) for array in arrays]
            joined = [view.reshape(len(first), *view.shape[2:]) for view in views]
            yield rows.numpy().reshape(-1), dict(zip(names, joined, strict=True))
    finally:
        del batches, data  # ends the readers
