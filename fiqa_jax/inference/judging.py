"""Judging photographs from Python, in one line.

import fiqa_jax
fiqa_jax.judge("photo.jpg")[0]["decision"]
fiqa_jax.to_frame(fiqa_jax.judge("photos/"))
"""

import functools
import os
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fiqa_jax.inference import inputs
from fiqa_jax.inference.file_states import stamp
from fiqa_jax.inference.inputs import Item
from fiqa_jax.inference.predictor import Predictor
from fiqa_jax.predictions.schema import Row
from fiqa_jax.pretrained import shipped
from input_pipeline import plain_text

if TYPE_CHECKING:
    import pandas as pd

Source = str | os.PathLike[str] | bytes | NDArray[np.uint8]
Stamps = tuple[tuple[str, tuple[int, int] | None], ...]
BATCH = 16  # photographs that go through the model together


def judge(
    photographs: Source | Iterable[Source],
    *,
    model: str | os.PathLike[str] = shipped.DEFAULT,
    maps: bool = False,
    allow_frame: bool = False,
    calibration: str | os.PathLike[str] = "",
    trust: str | Collection[str] = (),
    encoder: str = "",
) -> list[Row]:
    """Judges photographs; a file that cannot be read is a row as well, never an exception.

    Args:
      photographs: one or many of: a path, a folder (its photographs, below it too), a manifest
        (CSV with a column path), the bytes of a file, a picture [H, W, 3] or [H, W] uint8 in RGB.
      model: a model directory, or the name of a model that comes with the package.
      maps: every row's `map` holds the quality map, [h, w] float32 in [0, 1], 1 = bad, or None.
      allow_frame: judge photographs without a round field of view, too.
      calibration: a file of `fiqa calibrate`.
      trust: modules, beside the package's methods, that may be run where the model names one.
      encoder: of a model that comes without: a file, a folder or an id on the Hugging Face hub.

    Returns:
      A row (dict) a photograph, in order: status, quality, probabilities, score (higher = worse),
      bad_area, reasons, advice, decision (accept | review | recapture), ...; see
      `fiqa_jax.predictions.schema`. Arrays and bytes get the ids '#0', '#1', ... by their place.

    Raises:
      InputError: a path that is not there.
      TypeError: what is no photograph, before any is judged.
      ModelError, CalibrationError: no model directory, no calibration for this model.
    """
    if isinstance(photographs, (str, os.PathLike, bytes, np.ndarray)):
        photographs = [photographs]
    given = list(photographs)
    for place, one in enumerate(given):
        if not isinstance(one, (str, os.PathLike, bytes, np.ndarray)):
            raise TypeError(
                f"photographs[{place}] is of type {type(one).__name__}; expected a path, the bytes "
                "of a file, or an array [H, W, 3] (np.asarray(picture) of a picture of Pillow)"
            )
    todo = _todo(given)
    if not todo:
        return []
    folder = shipped.find(model)
    name = "" if shipped.lacking(folder) else shipped.model_name(folder)
    limits = os.path.abspath(calibration) if calibration else ""
    trusted = (trust,) if isinstance(trust, str) else tuple(trust)
    batch = 1 if len(todo) == 1 else BATCH
    stamps = _stamps(limits), _stamps(encoder)
    predictor = _predictor(folder, name, allow_frame, limits, batch, trusted, encoder, stamps)
    rows: list[Row] = []
    for at in range(0, len(todo), predictor.batch):
        part = todo[at : at + predictor.batch]
        judged = predictor.judge(
            [predictor.read(source) for source, _ in part],
            [plain_text.as_text(item.path) for _, item in part],
            [item.id for _, item in part],
            [item.patient for _, item in part],
        )
        rows += [{**one.row, "map": one.map} if maps else one.row for one in judged]
    return rows


def to_frame(rows: Sequence[Row]) -> "pd.DataFrame":
    """Rows as a pandas table, a column a key; photographs without a value have NaN or None.

    Raises:
      ImportError: pandas is not installed.
    """
    try:
        import pandas as pd
    except ImportError:
        raise ImportError("to_frame needs pandas: pip install pandas") from None
    return pd.DataFrame(list(rows))


def _todo(photographs: Sequence[Source]) -> list[tuple[Source, Item]]:
    """What each stands for, with ids and patients as in one call of `fiqa predict` with all."""
    paths = [one for one in photographs if isinstance(one, (str, os.PathLike))]
    together = {os.path.abspath(item.path): item for item in inputs.collect(paths, recursive=True)}
    todo: list[tuple[Source, Item]] = []
    for place, one in enumerate(photographs):
        if isinstance(one, (str, os.PathLike)):
            alone = len(paths) == 1  # and looked through already
            items = together.values() if alone else inputs.collect([one], recursive=True)
            todo += [(i.path, together[os.path.abspath(i.path)]) for i in items]
        else:
            todo.append((one, Item("", f"#{place}", "")))
    return todo


def _stamps(path: str) -> Stamps:
    """Sizes and times of a file, or of what lies in and below a folder; () for no path."""
    if not path:
        return ()
    place = Path(path)
    return tuple((str(file), stamp(file)) for file in (place, *sorted(place.rglob("*"))))


@functools.lru_cache(maxsize=4)
def _predictor(
    folder: Path,
    name: str,
    allow_frame: bool,
    calibration: str,
    batch: int,
    trust: tuple[str, ...],
    encoder: str,
    stamps: tuple[Stamps, ...],
) -> Predictor:
    """Loaded and compiled once for a `name`, which has the digest of the files in it, and `stamps`
    of the files that do not lie in the model's folder.
    """
    return Predictor(
        folder,
        allow_frame=allow_frame,
        batch=batch,
        calibration=calibration,
        trust=trust,
        encoder=encoder,
    )
