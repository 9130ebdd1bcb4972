"""Small pictures of a report: the photographs a model got most wrong, and most surely right."""

import io
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fiqa_jax import defaults
from fiqa_jax.evaluation import metrics
from fiqa_jax.evaluation.decisions import predicted_class
from fiqa_jax.evaluation.metrics import Head
from fiqa_jax.maps import map_files
from fiqa_jax.predictions import advice
from fiqa_jax.predictions.schema import Predictions, Row
from fiqa_jax.report.page import Gallery, Picture
from input_pipeline import records
from input_pipeline.loading import field_survey
from input_pipeline.photo.reader import PhotoError, read_photo
from input_pipeline.sources import opening
from input_pipeline.tables.examples import Source
from input_pipeline.tables.table_error import TableError

log = logging.getLogger(__name__)
THUMBNAIL = 224  # pixels


class Photographs:
    """Finds the photograph of a row: the drawn map, the file, or the data of its stage."""

    def __init__(self, workdir: Path) -> None:
        recipe = workdir / "recipe.json"
        self._workdir = workdir
        self._stages: dict[str, Any] = records.read(recipe)["stage"] if recipe.is_file() else {}
        self._sources: dict[str, tuple[Source, dict[str, int]] | None] = {}
        files = [f for depth in ("", "*/", "*/*/") for f in workdir.glob(f"{depth}stage.json")]
        stages = [records.read(file) for file in files]
        self._digests = {stage.get("facts", {}).get("data") for stage in stages}

    def find(self, stage: str, row: Row, folder: Path) -> NDArray[np.uint8] | None:
        """[S, S, C] uint8, or None where the photograph cannot be had any more.

        Args:
          stage: name in the recipe; `row`: of its predictions; `folder`: that the row's `map` file
          is relative to.
        """
        drawn = folder / map_files.overlay_of(str(row["map"] or ""))
        if row["map"] and drawn.is_file():
            with Image.open(drawn) as image:
                return np.asarray(image.convert("RGB"))
        try:
            if (path := str(row["path"])) and Path(path).is_file():
                return read_photo(path, THUMBNAIL).image
            opened = self._source(stage)
            if opened and str(row["id"]) in opened[1]:
                return opened[0].read(opened[1][str(row["id"])])["image"]
        except (PhotoError, TableError, OSError) as error:
            log.warning("report: no picture of %s (%s)", row["id"], error)
        return None

    def _source(self, stage: str) -> tuple[Source, dict[str, int]] | None:
        data = self._stages.get(stage, {}).get("data")
        if data is None:
            return None
        key = json.dumps(data, sort_keys=True)
        if key not in self._sources:
            try:
                # Fields that are newer than the run have their defaults.
                whole = {**defaults.base().data.to_dict(), **data}
                source = opening.make_source(whole, self._workdir)
                # What shows no eye was left out: the rest has another digest than the whole.
                looked_at = field_survey.list_of(source, self._workdir).is_file()
                if source.digest not in self._digests and not looked_at:
                    raise TableError("they are not those of the run")
                place = {name: i for i, name in enumerate(source.table.id.tolist())}
                self._sources[key] = (source, place)
            except (TableError, PhotoError, OSError) as error:
                log.warning("report: no pictures of the photographs of %s: %s", stage, error)
                self._sources[key] = None
        return self._sources[key]


def galleries(
    predictions: Predictions,
    name: str,
    head: Head,
    photographs: Photographs,
    stage: str,
    folder: Path,
    count: int = 6,
) -> list[Gallery]:
    """The most confident errors of a head, and its surest correct answers, one of each class first.

    Args:
      predictions: predictions with rows; `name`, `head`: which of its heads.
      photographs, stage, folder: where pictures come from, see Photographs.find.
      count: pictures of each kind at most.
    """
    p, y = head.prob, head.truth
    full = np.stack([1 - p, p], -1) if p.ndim == 1 else p
    guess = predicted_class(p)
    sure = full[np.arange(len(y)), guess]
    order = np.argsort(-sure, kind="stable")
    order = order[y[order] >= 0]
    wrong = [int(i) for i in order if guess[i] != y[i]][:count]
    right = [int(i) for i in order if guess[i] == y[i]]
    first = [next((i for i in right if y[i] == k), None) for k in range(len(head.names))]
    right = list(dict.fromkeys([i for i in first if i is not None] + right))[:count]
    out = []
    for rows, kind, caption in (
        (wrong, "wrong", f"Most confident errors of {name}"),
        (right, "right", f"Surest correct answers of {name}"),
    ):
        pictures = []
        for i in rows:
            row = predictions.rows[i]
            image = photographs.find(stage, row, folder)
            said = f"true {head.names[y[i]]}, predicted {head.names[guess[i]]} ({sure[i]:.2f})"
            if image is not None:
                label = "\n".join([said, *_reasons(row)])
                pictures.append(Picture(f"{stage}-{name}-{kind}-{i}", thumbnail(image), label))
        if pictures:
            out.append(Gallery(tuple(pictures), caption))
    return out


def judged(
    rows: Sequence[Row], photographs: Photographs, folder: Path, count: int = 12
) -> list[Gallery]:
    """Photographs to take again, to review, or out of scope; the worst scores first, with advice.

    Args:
      rows: of a prediction file; `photographs`, `folder`: see Photographs.find.
      count: pictures of each kind at most.
    """
    out = []
    for kind in ("recapture", "review", "out_of_scope"):
        column = "status" if kind == "out_of_scope" else "decision"
        chosen = [row for row in rows if row[column] == kind]
        chosen = [row for row in chosen if kind == "out_of_scope" or row["status"] == "ok"]
        chosen.sort(key=lambda row: -float(row["score"] or 0))
        pictures: list[Picture] = []
        for row in chosen[:count]:
            image = photographs.find("", row, folder)
            if image is not None:
                text = [Path(str(row["path"])).name]
                if row["status"] == "ok":
                    text += [*_reasons(row), str(row["advice"])]
                name = f"{kind}-{len(pictures)}"
                pictures.append(Picture(name, thumbnail(image), "\n".join(text)))
        if pictures:
            title = kind.replace("_", " ")
            if kind == "out_of_scope":
                title += ": " + " ".join((advice.OUT_OF_SCOPE[0] + ".", advice.OUT_OF_SCOPE[1]))
            if len(chosen) > len(pictures):
                title += f" ({len(pictures)} of {len(chosen)} shown)"
            out.append(Gallery(tuple(pictures), title))
    return out


def thumbnail(image: NDArray[np.uint8]) -> bytes:
    """JPEG of an [S, S, 3] or [S, S, 1] uint8 photograph, at most THUMBNAIL pixels wide."""
    picture = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
    picture.thumbnail((THUMBNAIL, THUMBNAIL), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=88)
    return out.getvalue()


def _reasons(row: Row) -> list[str]:
    return [reason for reason in str(row["reasons"] or "").split("; ") if reason]


def graded(predictions: Predictions) -> dict[str, Head]:
    """Heads of a prediction file that have labels; see metrics.heads."""
    return metrics.heads(
        predictions.truth, predictions.outputs, predictions.details, predictions.diagnosis
    )
