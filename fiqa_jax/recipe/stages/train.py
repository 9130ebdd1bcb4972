"""A stage that trains a method."""

import dataclasses
import logging
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from fiqa_jax import methods
from fiqa_jax.defaults import resolved
from fiqa_jax.evaluation import intervals
from fiqa_jax.inference import model_dir
from fiqa_jax.predictions import triage
from fiqa_jax.pretrained import shipped
from fiqa_jax.recipe import (
    earlier,
    outcomes,
    stored,
)
from fiqa_jax.recipe.data import Data
from fiqa_jax.recipe.jobs import Job
from fiqa_jax.recipe.stages.context import Context
from fiqa_jax.training import forward, loop, tensorboard
from fiqa_jax.training.checkpoints import to_host
from fiqa_jax.training.method import Method, Run
from fiqa_jax.training.state import TrainState, variables

_FALLING = intervals.LOWER_IS_BETTER | {"mse", "bce", "error"}  # and what rows are measured by

log = logging.getLogger(__name__)


def run(job: Job, context: Context) -> dict[str, Any]:
    """Trains a method; leaves `model/`, predictions of the validation and test splits, metrics."""
    config = job.config
    data, details = earlier.with_pseudo_labels(job, stored.data_of(job, lambda: context.data(job)))
    single = config.method.get("cells", 0)  # of a batch, dealt out by themselves
    fed = stored.by_cells(job, data) if single else data
    batch, rows = single or config.train.batch, len(fed.rows("train"))
    steps = loop.count_steps(config.train, rows, batch, bool(config.model.weights))
    context.devices.check_batch(config.train.batch)
    context.devices.check_batch(batch)
    spec = data.spec(details)
    counts = {**spec.class_counts, **stored.cell_counts(data)}
    features = stored.shape_of_features(data)
    spec = dataclasses.replace(spec, features=features, class_counts=counts)
    length = Run(steps, batch, rows)
    method = methods.build(config.uses, config, spec, length, trust=context.trust)
    predict = forward.predictor(method, context.devices, forward.LARGE)

    def evaluate(state: TrainState) -> Mapping[str, float]:
        outputs = predict_split(predict, variables(state), data, "val", job, context)
        return outcomes.scores(outputs, data, spec)

    if jax.process_index() == 0:
        describe(job, method)
    result = loop.run(
        method,
        lambda start: fed.train(batch, job.seed, start),
        evaluate if len(data.rows("val")) else None,
        context.devices,
        config.train,
        steps,
        job.seed,
        job.directory,
        warm=earlier.warm_start(job),
        writer=tensorboard.writer(job.directory / "tensorboard"),
        falling=_FALLING,
    )
    weights = variables(result.state)
    facts = {
        "steps": steps,
        "step_used": result.step,
        "seconds_per_step": result.seconds_per_step,
        "input_wait": result.input_wait,
        "data": data.source.digest,
        "train_rows": len(data.rows("train")),
        **data.facts(),
    }
    if jax.process_index() == 0:
        stage = resolved(config)
        model_dir.save(
            job.directory / "model", job.title, config.uses, stage, spec, to_host(weights), {}
        )
    called = ""
    if jax.process_index() == 0:  # as predict calls it, so that predictions tell their model
        called = shipped.model_name(job.directory / "model")
    for name in ("val", "test"):
        if len(data.rows(name)):
            outputs = predict_split(predict, weights, data, name, job, context)
            facts[name] = outcomes.scores(outputs, data, spec)
            if jax.process_index() == 0:
                thresholds = triage.Thresholds()
                outcomes.write(job.directory, name, outputs, data, spec, thresholds, called)
    return facts


def predict_split(
    predict: forward.Predictor,
    weights: Any,
    data: Data,
    split: str,
    job: Job,
    context: Context,
) -> dict[str, np.ndarray]:
    """Outputs for every row of a split; see `infer.run`."""
    batches = data.once(split, job.config.train.batch)
    return forward.run(predict, weights, batches, context.devices)


def describe(job: Job, method: Method) -> None:
    """parameters.txt: every parameter's shape and the total."""
    from clu import parameter_overview

    shapes = jax.eval_shape(lambda: method.init(jax.random.key(0))).params
    table = parameter_overview.get_parameter_overview(shapes, include_stats=False)
    (job.directory / "parameters.txt").write_text(table + "\n")
    total = sum(x.size for x in jax.tree.leaves(shapes))
    log.info("%s: %s parameters, listed in parameters.txt", job.title, f"{total:,}")
