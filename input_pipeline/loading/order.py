"""Which example stands at which place: the only code that shuffles.

The training stream is the concatenation of one permutation per epoch, cut into full batches. It is
a pure function of (seed, step), so that a checkpoint need hold no more than the step, and any
number of processes sees the same stream.
"""

import functools

import numpy as np

_STREAM = 1  # keeps this stream apart from other uses of the same seed


@functools.lru_cache(maxsize=4)
def epoch_permutation(seed: int, epoch: int, n: int) -> np.ndarray:
    """Order of the `n` examples in one epoch.

    Args:
      seed: non-negative integer of the run.
      epoch: 0-based count of passes over the data.
      n: number of examples, at least 1.

    Returns:
      [n] int64 permutation of 0..n-1, read-only.

    Raises:
      ValueError: a negative seed or epoch, or an empty set.
    """
    if n < 1:
        raise ValueError(f"no examples to order: n = {n}, expected at least 1")
    if seed < 0 or epoch < 0:
        raise ValueError(f"seed {seed} and epoch {epoch} must not be negative")
    # Raw bits and a stable sort: NumPy promises the bits of a bit generator for all versions, but
    # not what Generator.permutation makes of them. Ties of 64-bit numbers are harmless.
    bits = np.random.PCG64(np.random.SeedSequence([seed, epoch], spawn_key=(_STREAM,)))
    permutation = np.argsort(bits.random_raw(n), kind="stable")
    permutation.setflags(write=False)
    return permutation


def batch_indices(seed: int, step: int, batch: int, n: int) -> np.ndarray:
    """Examples of training step `step`: places step*batch ... of the infinite stream.

    Place p holds entry p % n of epoch p // n's permutation. A batch may span epochs, and holds an
    example more than once where it is larger than the set.

    Args:
      seed: non-negative integer of the run.
      step: 0-based training step.
      batch: examples per step over all processes, at least 1.
      n: number of examples, at least 1.

    Returns:
      [batch] int64, each in 0..n-1.

    Raises:
      ValueError: a negative step or seed, an empty batch or set.
    """
    if step < 0 or batch < 1:
        raise ValueError(f"step {step} must not be negative and batch {batch} at least 1")
    epochs, places = np.divmod(np.arange(step * batch, (step + 1) * batch, dtype=np.int64), n)
    out = np.empty(batch, np.int64)
    for epoch in np.unique(epochs):
        here = epochs == epoch
        out[here] = epoch_permutation(seed, int(epoch), n)[places[here]]
    return out


def local(indices: np.ndarray, process_index: int, process_count: int) -> np.ndarray:
    """One process's contiguous share of a global batch; the shares in order make the batch.

    Args:
      indices: [B, ...] of the global batch.
      process_index: which process, 0..process_count-1.
      process_count: number of processes; must divide B.

    Returns:
      [B / process_count, ...] view.

    Raises:
      ValueError: B is not a multiple of process_count, or no such process.
    """
    size, rest = divmod(len(indices), process_count)
    if rest:
        raise ValueError(
            f"a batch of {len(indices)} does not divide among {process_count} processes; "
            f"set train.batch to a multiple of {process_count}"
        )
    if not 0 <= process_index < process_count:
        raise ValueError(f"process {process_index} of {process_count} does not exist")
    return indices[process_index * size : (process_index + 1) * size]
