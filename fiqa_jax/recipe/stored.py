"""What an apply stage stores for later stages to read in place of photographs, and the reading.

A stage with `inputs=(("image", "vessels", "vessels"), ...)` gets batches whose `image` is what the
apply stage `vessels` stored under that name; splits and labels stay those of its own photographs.
"""

import collections
import dataclasses
import itertools
import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import jax
import numpy as np

from fiqa_jax.recipe.data import Data
from fiqa_jax.recipe.jobs import Job, RecipeError
from input_pipeline.sources import opening, splits
from input_pipeline.storage import cells, shards
from input_pipeline.storage.shards import ShardError, Shards
from input_pipeline.tables.examples import Source, Table

log = logging.getLogger(__name__)

ALONE = "stored"  # data.source of a stage that has no photographs
_NONE = shards.ShardReader((), ())
BYTES = ("vessels",)  # probabilities kept as 0..255
HALF = ("features", "inpainted", "anomaly")  # kept as float16


def compact(name: str, values: np.ndarray) -> np.ndarray:
    """An output as it is stored: `vessels` as uint8, features and pictures as float16."""
    if name in BYTES and values.dtype.kind == "f":
        return np.rint(np.clip(values, 0.0, 1.0) * 255.0).astype(np.uint8)
    if name in HALF:
        return values.astype(np.float16)
    return values


def split_off(
    directory: Path,
    ids: np.ndarray,
    parts: Iterator[dict[str, np.ndarray]],
    names: Sequence[str],
) -> list[dict[str, np.ndarray]]:
    """Writes some outputs to shards as they come; the first process does, all go through them.

    Args:
      directory: of the stage.
      ids: `[n] str` of the rows that come, in their order.
      parts: outputs of each batch.
      names: which are stored.

    Returns:
      The other outputs of each batch.

    Raises:
      RecipeError: an output that the method does not give.
    """
    rest: list[dict[str, np.ndarray]] = []

    def chosen(first: int) -> Iterator[dict[str, np.ndarray]]:
        del first  # what a killed stage left is of no use: its other outputs are gone
        for part in parts:
            if absent := [n for n in names if n not in part]:
                raise RecipeError(f"store={absent}: neither an output nor in the batch: {[*part]}")
            rest.append({k: v for k, v in part.items() if k not in names})
            yield {n: compact(n, part[n]) for n in names}

    kept = chosen(0)
    ahead = next(kept, None)
    if ahead is None:
        raise ValueError("nothing to predict: the split has no rows")
    stream = itertools.chain([ahead], kept)
    if jax.process_index() == 0:
        for old in directory.glob("rows*.json"):
            old.unlink()
        rows = shards.rows_of(sum(v[0].nbytes for v in ahead.values()))
        shards.fill(directory, ids.tolist(), rows, lambda _: stream)
    else:
        collections.deque(stream, 0)
    return rest


def folder(job: Job, stage: str) -> Shards:
    """What a stage that a job reads has stored.

    Raises:
      RecipeError: it stored nothing, or ran several times.
    """
    paths = job.needs[stage]
    if len(paths) != 1:
        raise RecipeError(f"stage {job.title!r} reads {stage!r}, which ran {len(paths)} times")
    try:
        return shards.opened(paths[0])
    except ShardError as error:
        raise RecipeError(
            f"stage {job.title!r} reads what {stage!r} stored: {error}; name it in its `store`"
        ) from None


def arrays(job: Job) -> dict[str, np.ndarray]:
    """Everything that `inputs` names, in memory, each in the order of its own folder."""
    return {name: folder(job, stage).all(what) for name, stage, what in job.config.inputs}


def data_of(job: Job, photographs: Callable[[], Data]) -> Data:
    """A job's data: its photographs, or what `inputs` puts in their place.

    With `data.source='stored'` there are no photographs: what the first of `inputs` stored is all
    there is, each row its own patient.

    Args:
      job: its config says.
      photographs: opens them.
    """
    if job.config.data.source != ALONE:
        return in_place_of_photographs(job, photographs())
    if not job.config.inputs:
        raise RecipeError(f"stage {job.title!r}: data.source is 'stored', but inputs is empty")
    ids = folder(job, job.config.inputs[0][1]).id
    none = np.array([""] * len(ids), ids.dtype)
    table = Table(ids, ids, none, {}, (), (), (), none)
    bare = Source(f"stored by {job.config.inputs[0][1]}", table, np.arange(len(ids)), _NONE)
    section = job.config.data
    split = splits.assign(table, section.split, section.seed, job.folds, job.fold)
    return in_place_of_photographs(job, Data(bare, split, section))


def in_place_of_photographs(job: Job, data: Data) -> Data:
    """The data with `inputs` in the place of the photographs; as it is where there are none.

    Raises:
      RecipeError: photographs of a split that a stage has nothing for.
    """
    if not job.config.inputs:
        return data
    parts = [(name, folder(job, stage), what) for name, stage, what in job.config.inputs]
    for (name, outputs, what), (_, stage, _) in zip(parts, job.config.inputs, strict=True):
        if what not in outputs.names:
            raise RecipeError(
                f"stage {job.title!r}: {name!r} is to be {what!r} of {stage!r}, which stored "
                f"{outputs.names}"
            )
    ids = data.source.table.id
    reader, items = shards.joined(ids, parts)
    there = (items >= 0).all(1)
    if not there.any():
        raise RecipeError(
            f"stage {job.title!r}: {[i[1] for i in job.config.inputs]} stored nothing for any of "
            f"its {len(ids):,} photographs; give the stages the same data"
        )
    if lost := int((~there & (data.split != "")).sum()):
        log.info("%s: nothing is stored for %d photographs, left out", job.title, lost)
    source = Source(f"{data.source.name}, stored", data.source.table, items, reader)
    kept = opening.subset(source, np.flatnonzero(there))
    return dataclasses.replace(data, source=kept, split=data.split[there])


def by_cells(job: Job, data: Data) -> Data:
    """Training data whose rows are single cells of what `inputs` gives.

    Raises:
      RecipeError: nothing is stored, or the grids differ.
    """
    try:
        source = cells.split(data.source, data.rows("train"))
    except ShardError as error:
        raise RecipeError(f"stage {job.title!r}, method.cells: {error}") from None
    section = data.section.copy_and_resolve_references()
    with section.unlocked():
        section.limit = 0  # it counts photographs, and has been obeyed
    return Data(source, np.full(len(source.table), "train"), section)


def cell_counts(data: Data) -> dict[str, tuple[int, ...]]:
    """`bad`: how many cells of the training photographs are not bad and bad, where labels are read.

    It joins the counts of classes in `DataSpec`.
    """
    reader = data.source.reader
    if not isinstance(reader, shards.ShardReader):
        return {}
    for name, place, what in reader.parts:
        if name == "bad":
            rows = data.source.items[data.rows("train"), place].tolist()
            cells = np.stack([reader.folders[place].row(row, (what,))[what] for row in rows])
            return {"bad": (int((cells == 0).sum()), int((cells == 1).sum()))}
    return {}


def shape_of_features(data: Data) -> tuple[int, ...]:
    """(h, w, C) of the features that a stage reads, () for none."""
    reads = [p[0] for p in getattr(data.source.reader, "parts", ())]
    if "features" not in reads:
        return ()
    return data.source.read(0)["features"].shape
