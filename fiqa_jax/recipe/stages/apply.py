"""A stage that stores what a finished stage's model, or a frozen encoder, makes of a split."""

import dataclasses
from pathlib import Path
from typing import Any

import jax
import numpy as np

from fiqa_jax.inference import model_dir, model_method
from fiqa_jax.predictions import triage
from fiqa_jax.pretrained import encoders, shipped
from fiqa_jax.recipe import (
    earlier,
    features,
    outcomes,
    stored,
)
from fiqa_jax.recipe.jobs import Job, RecipeError
from fiqa_jax.recipe.stages import segment
from fiqa_jax.recipe.stages.context import Context
from fiqa_jax.training import forward
from input_pipeline.storage import shards


def run(job: Job, context: Context) -> dict[str, Any]:
    """Predicts with a finished stage's model and stores its outputs by id, once."""
    if job.config.features:
        return encode(job, context)
    if weights := segment.weights_of(job):
        return segment.run(job, context, weights)
    model = model_dir.load(earlier.only(job) / "model", trust=context.trust)
    data = stored.data_of(job, lambda: context.data(job))
    side, wanted = model.config["data"]["side"], job.config.data.side
    if side != wanted:
        raise RecipeError(
            f"stage {job.title!r}: the model of {job.config.of!r} sees {side} px, data.side is "
            f"{wanted}; set --config.stage.{job.stage}.data.side={side}"
        )
    method = model_method.build(model.config, trust=context.trust)
    names = tuple(job.config.store)
    large = [n for n in forward.LARGE if n not in names]
    predict = forward.predictor(method, context.devices, large, keep=names)
    weights = context.devices.place(model.variables)
    batches = data.once(job.config.split, job.config.train.batch)
    parts: Any = forward.stream(predict, weights, batches, context.devices)
    if names:
        ids = data.source.table.id[data.rows(job.config.split)]
        parts = stored.split_off(job.directory, ids, parts, names)
    outputs = forward.join(parts)
    rows = outputs.pop("index")
    details = np.array(model.config["data"]["detail_names"])
    if jax.process_index() == 0:
        known = {"detail_names": details, "details_share": earlier.details_share(model.config)}
        earlier.store(job.directory, {"id": data.source.table.id[rows], **known, **outputs})
        if data.labels(rows):  # else there is nothing to compare the predictions with
            spec = dataclasses.replace(data.spec(), detail_names=tuple(details.tolist()))
            earlier.check_names(job, data, spec)
            outcomes.write(
                job.directory,
                job.config.split,
                {**outputs, "index": rows},
                data,
                spec,
                triage.Thresholds.from_dict(model.config["thresholds"]),
                shipped.model_name(earlier.only(job) / "model"),
            )
    return {"rows": len(rows), "data": data.source.digest}


def encode(job: Job, context: Context) -> dict[str, Any]:
    """Stores an encoder's features of all photographs, or finds them where they were computed."""
    config = job.config
    name = str(earlier.only(job) / "model") if config.of else config.encoder
    flag = f"--config.stage.{job.stage}.encoder"
    try:
        encoder = encoders.load(name, precision=config.model.precision, flag=flag)
    except (ValueError, FileNotFoundError) as error:
        raise RecipeError(f"stage {job.title!r}: {error}: {flag}=FOLDER or FILE") from None
    data = context.data(job)
    prepared = Path(data.section.store or context.workdir / "prepared")
    at = (encoder, data, prepared, config.train.batch, context.devices, config.size)
    folder = features.store(*at)
    if jax.process_index() == 0:
        shards.point(job.directory, folder)
    return {
        "rows": len(data.split),
        "data": data.source.digest,
        "encoder": config.of or name,
        "channels": encoder.channels,
        "gigabytes": features.gigabytes(encoder, data, config.size),
    }
