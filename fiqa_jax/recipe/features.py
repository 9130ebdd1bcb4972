"""An encoder's features of a source, computed once and kept for every stage and recipe.

They lie in `prepared/features/<key>/` (or the folder `data.store`), with the key made of the
encoder's digest (name, weights, settings), the photographs' digest and their side.
"""

import collections
import hashlib
import logging
import time
from collections.abc import Iterator
from pathlib import Path

import jax
import numpy as np

from fiqa_jax.methods import efiqa_labels
from fiqa_jax.pretrained import encoders
from fiqa_jax.pretrained.encoders import Encoder
from fiqa_jax.recipe.data import Data
from fiqa_jax.training.devices import Devices
from input_pipeline.storage import shards

log = logging.getLogger(__name__)

FOLDER = "features"
SMALL = ("map",)  # arrays of a photograph that are kept beside its features, where it has them


def key(encoder: Encoder, data: Data, size: int) -> str:
    """Name of the folder: what its contents depend on."""
    text = repr((1, encoder.digest, data.source.digest, data.section.side, size))
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def gigabytes(encoder: Encoder, data: Data, size: int) -> float:
    """What the features weigh, in 10^9 bytes."""
    grid = encoder.grid(size or data.section.side)
    return len(data.split) * grid * grid * encoder.channels * 2 / 1e9


def store(
    encoder: Encoder, data: Data, directory: Path, batch: int, devices: Devices, size: int = 0
) -> Path:
    """The features of every photograph of a source, computed where they are not there yet.

    Prints their size, and after the first batch the time they will take.

    Args:
      encoder: see `fiqa_jax.encoders.load`.
      data: photographs; all splits are computed.
      directory: holds `features/`.
      batch: photographs at a time, over all devices.
      devices: where it runs.
      size: pixels that photographs are resized to first; 0 for as they are.

    Returns:
      The folder: shards with `features [h, w, C] float16`, `seen [h, w] float32` (share of the
      cell inside the field of view) and, where photographs have one, `map [H, W] uint8`.
    """
    folder = directory / FOLDER / key(encoder, data, size)
    count, grid = len(data.split), encoder.grid(size or data.section.side)
    heavy = gigabytes(encoder, data, size)
    row = int(heavy * 1e9 / count)
    log.info(
        "features of %s photographs by %s: %d x %d x %d each, %.2f GB in all, in %s",
        f"{count:,}",
        encoder.name,
        grid,
        grid,
        encoder.channels,
        heavy,
        folder,
    )
    first = jax.process_index() == 0
    ids = data.source.table.id.tolist()
    variables = devices.place(encoder.variables)

    def compute(variables: object, batch: dict[str, jax.Array]) -> dict:
        cells = encoder.apply(variables, encoders.sized(batch["image"], size))
        seen = efiqa_labels.mean_cells((batch["fov"] > 0).astype(np.float32), grid)
        out = {"features": cells.astype(np.float16), "seen": seen, "mask": batch["mask"]}
        return out | {k: batch[k] for k in SMALL if k in batch}

    run = devices.predict(compute)

    def parts(begin: int) -> Iterator[dict[str, np.ndarray]]:
        began, done = time.perf_counter(), begin
        for number, rows in enumerate(data.some(np.arange(begin, count), batch)):
            out = {k: np.asarray(v) for k, v in run(variables, devices.put(rows)).items()}
            kept = out.pop("mask") > 0
            done += int(kept.sum())
            yield {k: v[kept] for k, v in out.items()}
            if number == 0:
                began = time.perf_counter()  # the first batch compiled
            elif number == 2 and first:
                rate = (time.perf_counter() - began) / 2 / batch
                log.info("features: about %s to go", _time(rate * (count - done)))

    rows = shards.rows_of(row)
    begin = shards.begun(folder, ids, rows)  # the same on all processes: none has written yet
    if first:
        shards.fill(folder, ids, rows, parts)
    else:
        collections.deque(parts(begin), 0)
    return folder


def _time(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
