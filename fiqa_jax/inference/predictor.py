"""A trained model as a function: photographs in, prediction rows out.

from fiqa_jax.inference.predictor import Predictor
row = Predictor("model")("photo.jpg")
row["decision"], row["reasons"], row["advice"]
"""

import dataclasses
import hashlib
import json
import os
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fiqa_jax.evaluation import calibration
from fiqa_jax.inference import photo_limits
from fiqa_jax.maps import landmarks
from fiqa_jax.predictions import local_calibration
from fiqa_jax.predictions import rows as judge
from fiqa_jax.predictions.schema import Row
from fiqa_jax.predictions.triage import Thresholds
from fiqa_jax.pretrained import shipped
from input_pipeline.photo import decode
from input_pipeline.photo.errors import problem
from input_pipeline.photo.reader import Photo, PhotoError, read_photo

if TYPE_CHECKING:
    from fiqa_jax.inference.model_dir import Model


@dataclasses.dataclass(frozen=True)
class Judged:
    """One photograph's row, and its map where the model draws one."""

    row: Row
    map: NDArray[np.float32] | None  # [h, w] in [0, 1], 1 = bad
    places: landmarks.Sought | None = None  # its disc and macula, of a photograph that was judged


class Predictor:
    """Opens photographs as the model saw them in training and judges them.

    Args:
      model: a model directory, the name of one that comes with the package, or a loaded model.
      allow_frame: judge whatever can be read; else pictures that show anything but the inside of
        one eye are `out_of_scope` (fundus models only).
      batch: photographs of a group at most; on accelerators they go through the model together,
        and a smaller group is filled up, so that the model is compiled once.
      calibration: a file of `fiqa calibrate`: limits of the score fitted to a clinic's own labels.
      trust, encoder, engine, quick: see `model_dir.load`.

    Raises:
      model_dir.ModelError: not a model directory, or a model that judges nothing.
      CalibrationError: no calibration, or that of another model.
    """

    def __init__(
        self,
        model: "str | os.PathLike[str] | Model",
        *,
        allow_frame: bool = False,
        batch: int = 1,
        calibration: str | os.PathLike[str] = "",
        trust: str | Collection[str] = (),
        encoder: str = "",
        engine: str = "jax",
        quick: bool = False,
    ) -> None:
        if isinstance(model, (str, os.PathLike)):
            from fiqa_jax.inference import model_dir

            folder = shipped.find(model)
            trusted = (trust,) if isinstance(trust, str) else tuple(trust)
            self.model = model_dir.load(
                folder, trust=trusted, encoder=encoder, engine=engine, quick=quick
            )
            self.name = shipped.model_name(folder)
            if does := shipped.OTHERS.get(self.model.config.get("method", "")):
                raise model_dir.ModelError(
                    f"{self.name} {does} and judges no photographs: give the model of another "
                    f"stage, or one of {', '.join(shipped.judges())}"
                )
        else:
            self.model = model
            digest = _digest(json.dumps(model.config, sort_keys=True, default=list).encode())
            self.name = f"{model.config['name']}@{digest[:8]}"
        config = self.model.config
        data = config["data"]
        self.details = tuple(data["detail_names"])
        self.diagnosis = tuple(data["diagnosis_names"])
        self.thresholds = Thresholds.from_dict(config["thresholds"])
        self.licence = str(config.get("licence", ""))  # what a user must know of it, in a line
        judges_any = data["modality"] != "fundus" or data.get("allow_frame", False)
        self.allow_frame = allow_frame or judges_any
        self.batch = batch
        self._probability: dict[str, float] = {}  # of being bad, from the score
        if calibration:
            own = local_calibration.read(calibration)
            if own.model != self.name:
                raise local_calibration.CalibrationError(
                    f"{os.fspath(calibration)} was fitted to {own.model}, this is {self.name}: "
                    "judge with that model, or fit it again to predictions of this one"
                )
            self.thresholds = own.applied(self.thresholds)
            self._probability = own.probability
            self.name += f"+{own.digest}"

    def __call__(self, source: str | os.PathLike[str] | bytes | np.ndarray) -> Row:
        """The row of one photograph: a path, the bytes of a file, or an image array.

        A photograph that cannot be read gives a row with status `error`, never an exception.
        """
        path = os.fspath(source) if isinstance(source, (str, os.PathLike)) else ""
        photo = self.read(source)
        return self.judge([photo], [path], [path], [""])[0].row

    def read(
        self, source: str | os.PathLike[str] | bytes | np.ndarray, keep: bool = False
    ) -> Photo | PhotoError:
        """The photograph as the model sees it, `keep` for `larger`; or why it cannot be read.

        The last line of defence: whatever goes wrong with one file (a decoder's own error, no
        memory, a card that dies) is that file's error and never the run's.
        """
        data = self.model.config["data"]
        erase = tuple(tuple(box) for box in data["erase"])
        try:
            return read_photo(
                source,
                data["side"],
                modality=data["modality"],
                erase=erase,
                crop=data.get("crop", "field"),
                resample=data.get("resample", "bilinear"),
                keep=keep,
            )
        except PhotoError as error:
            return error
        except Exception as error:
            return unreadable(source, error)

    def larger(self, photo: Photo, side: int) -> Photo:
        """A photograph that was read with `keep`, at another side; as it is where that fails."""
        if photo.larger is None or side == len(photo.fov):
            return photo
        try:
            return photo.larger(side)
        except Exception:  # it was read once: what was judged can be shown
            return photo

    def judge(
        self,
        photos: Sequence[Photo | PhotoError],
        path: Sequence[str],
        id: Sequence[str],
        patient: Sequence[str],
    ) -> list[Judged]:
        """Rows of up to `batch` photographs, in their order."""
        fine = [i for i, photo in enumerate(photos) if self.in_scope(photo)]
        outputs: dict[str, NDArray[Any]] = {}
        rows: dict[int, Row] = {}
        if fine:
            seen = [photo for photo in (photos[i] for i in fine) if isinstance(photo, Photo)]
            given = self.filled(seen)
            raw = self.model.predict(given)
            raw = {key: np.asarray(value)[: len(fine)] for key, value in raw.items()}
            empty = np.array([bool(photo.empty) for photo in seen])
            raw = photo_limits.ungradable_where(raw, empty)
            fitted = self.model.config["temperature"]
            outputs = calibration.apply(judge.with_score(raw), fitted, self.details)
            if self._probability and "p_ungradable" not in outputs and "p_quality" not in outputs:
                score = np.asarray(outputs["score"], np.float64)
                outputs["p_ungradable"] = local_calibration.probability(score, self._probability)
            limit = self.thresholds.map
            places = [landmarks.sought(photo.image, photo.fov) for photo in seen]
            made = judge.rows_from_outputs(
                outputs,
                path=[path[i] for i in fine],
                id=[id[i] for i in fine],
                patient=[patient[i] or id[i] for i in fine],
                details=self.details,
                diagnosis=self.diagnosis,
                thresholds=self.thresholds,
                model=self.name,
                fov=given["fov"][: len(fine)],
                findings=[
                    photo_limits.findings(
                        photo,
                        outputs["map"][i] if "map" in outputs else None,
                        limit,
                        places[i],
                        frames=self.allow_frame,
                    )
                    for i, photo in enumerate(seen)
                ],
            )
            rows = dict(zip(fine, made, strict=True))
        out = []
        for i, photo in enumerate(photos):
            if i not in rows:
                out.append(Judged(self.failed(photo, path[i], id[i], patient[i]), None))
                continue
            at = fine.index(i)
            drawn = outputs["map"][at] if "map" in outputs else None
            out.append(Judged(rows[i], drawn, places[at]))
        return out

    def in_scope(self, photo: Photo | PhotoError) -> bool:
        """Whether there is a photograph, and of the kind that is judged."""
        return isinstance(photo, Photo) and (self.allow_frame or not photo.scope)

    def filled(self, photos: list[Photo]) -> dict[str, NDArray[Any]]:
        """`stacked` of up to `batch` photographs, the first one repeated: see `in_parts.filled`."""
        from fiqa_jax.inference import in_parts  # JAX, which --help does without

        count = in_parts.filled(len(photos), self.batch)
        return stacked(photos + photos[:1] * (count - len(photos)))

    def failed(self, photo: Photo | PhotoError, path: str, id: str, patient: str) -> Row:
        """The row of a photograph that is not judged: why it could not be read, or its kind."""
        unread = isinstance(photo, PhotoError)
        return judge.failed_row(
            path,
            id,
            "error" if unread else "out_of_scope",
            str(photo) if isinstance(photo, PhotoError) else photo.scope,
            self.name,
            self.details,
            self.diagnosis,
            patient,
        )

    def skipped(self, path: str, id: str, what: str) -> Row:
        """The row of a file of a folder that is no photograph."""
        return judge.failed_row(path, id, "skipped", what, self.name, self.details, self.diagnosis)


def stacked(photos: Sequence[Photo]) -> dict[str, NDArray[Any]]:
    """Photographs of one side as a batch: `image`, `fov` and `field_px`, `[N, ...]` each."""
    each = [photo.arrays() for photo in photos]
    return {key: np.stack([one[key] for one in each]) for key in each[0]}


def unreadable(source: str | os.PathLike[str] | bytes | np.ndarray, error: Exception) -> PhotoError:
    """The error of a photograph for one that no reader foresaw."""
    name = decode.name_of(source)
    if isinstance(error, MemoryError):
        seen, advice = "it needs more memory than there is", "export it smaller"
    else:
        text = " ".join(str(error).split())[:200]
        seen = f"it cannot be read ({type(error).__name__}{': ' if text else ''}{text})"
        advice = "open it in an image viewer; export or copy it again"
    return problem(name, seen, advice)


def _digest(*parts: bytes) -> str:
    whole = hashlib.sha256()
    for part in parts:
        whole.update(hashlib.sha256(part).digest())
    return whole.hexdigest()
