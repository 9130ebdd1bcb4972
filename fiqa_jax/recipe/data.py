"""A stage's data: the source its config names, its splits, and what a method may know of them."""

import dataclasses
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
from ml_collections import ConfigDict

from fiqa_jax.training.method import DataSpec
from input_pipeline.loading import batches, field_survey, order
from input_pipeline.sources import opening, splits
from input_pipeline.tables.examples import Source, class_counts, summary
from input_pipeline.tables.table_error import Setting, TableError

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Data:
    """An opened source whose rows are assigned to splits.

    Attributes:
      source: photographs and labels.
      split: `[N] str` train | val | test | ''.
      section: the stage's `data` section.
      fields: id -> what its field is like, of photographs where that may limit a decision.
      photographs: where the photographs themselves are, of rows that read something stored, too.
    """

    source: Source
    split: np.ndarray
    section: ConfigDict
    fields: Mapping[str, field_survey.Seen] = dataclasses.field(default_factory=dict)
    photographs: Source | None = None

    def rows(self, name: str) -> np.ndarray:
        """Rows `[n] int64` of a split; 'all' for every row; training rows obey `data.limit`."""
        if name == "all":
            return np.arange(len(self.split))
        places = np.flatnonzero(self.split == name)
        limit = self.section.limit
        if name == "train" and 0 < limit < len(places):
            kept = order.epoch_permutation(self.section.seed, 0, len(places))[:limit]
            places = np.sort(places[kept])
        return places

    def train(self, batch: int, seed: int, start: int) -> Iterator[dict[str, np.ndarray]]:
        """This process's share of endless full training batches from step `start` on."""
        return batches.train_batches(
            self.source, self.rows("train"), batch=batch, seed=seed, start_step=start, **self._how()
        )

    def once(self, name: str, batch: int) -> Iterator[dict[str, np.ndarray]]:
        """This process's share of a whole split, padded and masked."""
        return self.some(self.rows(name), batch)

    def some(self, rows: np.ndarray, batch: int) -> Iterator[dict[str, np.ndarray]]:
        """This process's share of some rows `[n] int`, padded and masked."""
        return batches.eval_batches(self.source, rows, batch=batch, **self._how())

    def _how(self) -> dict[str, Any]:
        return {
            "process_index": jax.process_index(),
            "process_count": jax.process_count(),
            "workers": self.section.workers,
            "driver": self.section.driver,
        }

    def labels(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """Label columns of some rows: quality, ungradable, details, diagnosis; absent = -1."""
        known = ("quality", "ungradable", "details", "diagnosis")
        return {k: v[rows] for k, v in self.source.table.labels.items() if k in known}

    def with_columns(self, columns: Mapping[str, np.ndarray]) -> "Data":
        """The same data with further per-row arrays `[N, ...]` in every batch."""
        return dataclasses.replace(self, source=opening.with_columns(self.source, dict(columns)))

    def facts(self) -> dict[str, Any]:
        """What a model card says of the data: source, splits with patients, the loader's notes."""
        table = self.source.table
        splits_of: dict[str, tuple[int, int]] = {}
        for name in ("train", "val", "test"):
            rows = self.rows(name)
            if len(rows):
                splits_of[name] = (len(rows), len(np.unique(table.patient[rows])))
        return {
            "source": self.source.name,
            "splits": splits_of,
            "patients_known": bool((table.patient != table.id).any()),
            "notes": table.notes,
        }

    def spec(self, details: tuple[str, ...] = ()) -> DataSpec:
        """What a method may know before the first batch.

        Args:
          details: names of pseudo-labelled defects where the table has none of its own.
        """
        table, rows = self.source.table, self.rows("train")
        counts: dict[str, tuple[int, ...]] = {}
        for label, counted in class_counts(table, rows).items():
            counts[label] = tuple(n for name, n in counted.items() if name != "absent")
        channels = 1 if self.section.modality == "slice" else 3
        return DataSpec(
            side=self.section.side,
            channels=channels,
            quality_names=table.quality_names,
            detail_names=details or table.detail_names,
            diagnosis_names=table.diagnosis_names,
            class_counts=counts,
            mean=tuple(self.section.mean),
            std=tuple(self.section.std),
        )


def open_data(section: ConfigDict, directory: Path, fold: int = 0, folds: int = 1) -> Data:
    """Opens a source, assigns splits, and leaves out pictures that show no eye, as use does.

    What cannot be read is left out if `data.on_bad` says so.

    Args:
      section: the stage's `data` section.
      directory: work directory; prepared photographs and the list of left-out files go there.
      fold, folds: which of how many patient-disjoint folds is tested.

    Raises:
      TableError, PhotoError, ValueError: bad tables, files or settings; each says what to do.
    """
    source = opening.make_source(section, directory)
    split = splits.assign(source.table, section.split, section.seed, folds, fold)
    log.info("%s", summary(source.name, dataclasses.replace(source.table, split=split)))
    if section.modality != "fundus":
        return Data(source, split, section)
    survey = field_survey.look(source, split, section.workers, directory)
    fields = {str(source.table.id[row]): field for row, field in survey.fields.items()}
    strict, frames = section.no_field == "error", survey.rows(field_survey.FRAME)
    if strict and section.on_bad == "error" and len(frames):
        first = source.table.path[frames[0]] or source.table.id[frames[0]]
        raise TableError(
            f"{source.name}: {len(frames)} of {len(split)} photographs have no round field of "
            f"view, which {Setting('data.no_field')}=error asks for, the first: {first}; all are "
            f"listed in {survey.file}. Leave them out by {Setting('data.on_bad')}=skip, or take "
            f"them whole by {Setting('data.no_field')}=frame"
        )
    if lines := survey.lines(kept=section.allow_frame, whole=not strict):
        for line in lines:
            log.warning("%s: %s", source.name, line)
        table = dataclasses.replace(source.table, notes=(*source.table.notes, *lines))
        source = dataclasses.replace(source, table=table)
    no_eye = survey.rows(field_survey.OUT_OF_SCOPE)
    if len(no_eye) and not section.allow_frame:
        keep = np.setdiff1d(np.arange(len(split)), no_eye)
        if not len(keep):
            raise TableError(
                f"{source.name}: none of {len(split)} photographs shows the inside of an eye, the "
                f"first: {survey.fields[int(no_eye[0])].seen}; give others, or set "
                f"{Setting('data.allow_frame')}=True to train on them all the same"
            )
        source, split = opening.subset(source, keep), split[keep]
    return Data(source, split, section, fields, source)
