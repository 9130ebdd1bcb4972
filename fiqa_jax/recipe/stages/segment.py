"""A stage that stores vessel maps of a published segmentor, which prepares photographs itself.

Of each photograph it is given what the stage's reader shows (`data.crop`), in the photograph's own
pixels and proportions. Its map is rounded to 8 bits, as its program saves it, and then brought to
the `data.side` pixels of the reading (Pillow's bilinear), which squashes it where the reader does.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
from PIL import Image

from fiqa_jax.inference import segmentors
from fiqa_jax.recipe import earlier, stored
from fiqa_jax.recipe.data import Data
from fiqa_jax.recipe.jobs import Job, RecipeError
from fiqa_jax.recipe.stages.context import Context
from input_pipeline import progress
from input_pipeline.photo.reader import full_resolution
from input_pipeline.sources.annotated import AnnotatedReader
from input_pipeline.sources.photo_files import PhotoReader
from input_pipeline.tables.examples import Arrays


def weights_of(job: Job) -> Path | None:
    """Weights of a published segmentor that the stage `of` left; None where it left a model."""
    if not job.config.of:
        return None
    path = earlier.only(job) / "model" / segmentors.WEIGHTS
    return path if path.is_file() else None


def run(job: Job, context: Context, weights: Path) -> dict[str, Any]:
    """Stores `vessels [S, S, 3] uint8` of every photograph of the split, by id.

    Args:
      job: `store` names `vessels` and what else of an example is kept (`fov`, `image`, `map`).
      context: opens the photographs.
      weights: of the segmentor.

    Raises:
      RecipeError: `store` without `vessels`.
      ValueError: scikit-image is missing, which some segmentors' preparation needs.
    """
    names = tuple(job.config.store)
    if "vessels" not in names:
        raise RecipeError(f"stage {job.title!r}: store={names}; expected 'vessels' among them")
    data = context.data(job)
    rows = data.rows(job.config.split)
    segment = segmentors.load(weights, own_field=True)
    ids = data.source.table.id[rows]
    parts = _parts(data, rows, names, segment)
    stored.split_off(job.directory, ids, parts, names)
    if jax.process_index() == 0:
        earlier.store(job.directory, {"id": ids})
    return {"rows": len(rows), "data": data.source.digest}


def _parts(
    data: Data, rows: np.ndarray, names: tuple[str, ...], segment: segmentors.Segment
) -> Iterator[Arrays]:
    hide = jax.process_index() != 0
    for row in progress.bar(len(rows), "photo", items=rows.tolist(), hide=hide):
        example = data.source.read(row)
        whole, fov = _whole(data, row, example)
        vessels = np.rint(np.clip(segment(whole, fov), 0.0, 1.0) * 255.0).astype(np.uint8)
        side = len(example["fov"])
        if vessels.shape[:2] != (side, side):
            small = Image.fromarray(vessels).resize((side, side), Image.Resampling.BILINEAR)
            vessels = np.asarray(small)
        kept = {**example, "vessels": vessels}
        yield {name: kept[name][None] for name in names if name in kept}


def _whole(data: Data, row: int, example: Arrays) -> tuple[np.ndarray, np.ndarray]:
    """What a row shows at full size `[h, w, 3] uint8`, and its field `[h, w] uint8`."""
    reader = data.source.reader
    files = reader.photo if isinstance(reader, AnnotatedReader) else reader
    if not isinstance(files, PhotoReader):  # drawn or degraded: there is no larger picture
        return example["image"], example["fov"]
    path = str(data.source.items[row])
    whole = full_resolution(path, files.open(path), files.erase)
    size = (whole.shape[1], whole.shape[0])
    fov = Image.fromarray(example["fov"]).resize(size, Image.Resampling.NEAREST)
    return whole, np.asarray(fov)
