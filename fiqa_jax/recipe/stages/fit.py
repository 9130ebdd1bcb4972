"""A stage that fits a small artefact to what a finished stage stored."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax

from fiqa_jax.inference import model_dir
from fiqa_jax.predictions import calibration_fit, schema
from fiqa_jax.pretrained import shipped
from fiqa_jax.recipe import (
    earlier,
    fit_coreset,
    fit_embedding,
    fit_maps,
    map_scores,
)
from fiqa_jax.recipe.jobs import Job, RecipeError
from fiqa_jax.recipe.stages.context import Context


def run(job: Job, context: Context) -> dict[str, Any]:
    """Fits a small artefact on a finished stage's stored predictions, and makes a model of both."""
    if job.config.artefact not in FITS:
        raise RecipeError(
            f"stage {job.title!r}: artefact {job.config.artefact!r} is none of {sorted(FITS)}"
        )
    if jax.process_index() != 0:
        return {}
    stage_folder = earlier.only(job) if job.config.of else job.directory
    return FITS[job.config.artefact](job, stage_folder, lambda: context.data(job))


def calibrate_fit(job: Job, stage_folder: Path, data: fit_maps.Opened) -> dict[str, Any]:
    """Temperature and thresholds from the validation predictions, merged into a copy of a model."""
    del data
    predictions = schema.load(stage_folder / f"predictions_{job.config.split}.csv")
    fitted = calibration_fit.fit(predictions)
    if not job.config.band:
        fitted = dataclasses.replace(fitted, thresholds={}, band=None)
    config = model_dir.read_config(stage_folder / "model")
    config |= {"temperature": fitted.temperature, "thresholds": fitted.thresholds}
    config |= {"calibrated_from": shipped.model_name(stage_folder / "model")}
    model_dir.copy(stage_folder / "model", job.directory / "model", config)
    return dataclasses.asdict(fitted)


FITS: dict[str, Callable[[Job, Path, fit_maps.Opened], dict[str, Any]]] = {
    "calibration": calibrate_fit,
    "coreset": fit_coreset.coreset_fit,
    "embedding": fit_embedding.pictures,
    "threshold": fit_maps.threshold_fit,
    "map": fit_maps.map_fit,
    "pictures": fit_maps.pictures_fit,
    "select": fit_maps.select_fit,
    "model": fit_maps.model_fit,
    "scores": map_scores.scores_fit,
}
