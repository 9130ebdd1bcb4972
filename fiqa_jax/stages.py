"""What the four kinds of stage do: train, apply, fit, compare. Each works in its own folder."""

import dataclasses
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from fiqa_jax import (
    advice,
    audit,
    calibrate,
    compare,
    coreset,
    earlier,
    embedding,
    encoders,
    features,
    infer,
    map_fits,
    map_scores,
    methods,
    model_dir,
    outcomes,
    page,
    parallel,
    predictions,
    report_audit,
    stored,
    sweep,
    tensorboard,
    train,
)
from fiqa_jax.checkpoints import to_host
from fiqa_jax.data import Data, open_data
from fiqa_jax.defaults import resolved
from fiqa_jax.methods.base import Method
from fiqa_jax.plan import Job, RecipeError
from fiqa_jax.state import TrainState, variables
from input_pipeline import shards
from input_pipeline.table import TableError

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Context:
    """What stages share: the devices, the work directory and the sources opened so far."""

    devices: parallel.Devices
    workdir: Path
    opened: dict[str, Data] = dataclasses.field(default_factory=dict)

    def data(self, job: Job) -> Data:
        """A job's data; stages with the same `data` section and fold share one source.

        The first to open it prints the audit and leaves it in its folder for the report.
        """
        section = job.config.data
        key = f"{section.to_json_best_effort(sort_keys=True)} {job.fold} {job.folds}"
        if key not in self.opened:
            try:
                data = open_data(section, self.workdir, job.fold, job.folds)
            except TableError as error:
                raise TableError(f"stage {job.title!r}: {error}") from None
            if jax.process_index() == 0:
                found = audit.of_source(data.source, data.split, section.workers)
                log.info("%s", audit.text(found))
                page.save_section(job.directory, report_audit.section(found))
            self.opened[key] = data
        return self.opened[key]


def run(job: Job, context: Context) -> dict[str, Any]:
    """Runs one job to its end.

    Returns:
      Facts about the run for stage.json. Every process returns the same.
    """
    return KINDS[job.kind](job, context)


def train_stage(job: Job, context: Context) -> dict[str, Any]:
    """Trains a method; leaves `model/`, predictions of the validation and test splits, metrics."""
    config = job.config
    data, details = earlier.with_pseudo_labels(job, stored.data_of(job, lambda: context.data(job)))
    steps = train.count_steps(config.train, len(data.rows("train")))
    context.devices.check_batch(config.train.batch)
    spec = data.spec(steps, config.train.batch, details)
    counts = {**spec.class_counts, **stored.cell_counts(data)}
    features = stored.shape_of_features(data)
    spec = dataclasses.replace(spec, features=features, class_counts=counts)
    method = methods.build(config.uses, config, spec)
    predict = infer.predictor(method, context.devices, infer.LARGE)

    def evaluate(state: TrainState) -> Mapping[str, float]:
        outputs = predict_split(predict, variables(state), data, "val", job, context)
        return outcomes.scores(outputs, data, spec)

    if jax.process_index() == 0:
        describe(job, method)
    result = train.run(
        method,
        lambda start: data.train(config.train.batch, job.seed, start),
        evaluate if len(data.rows("val")) else None,
        context.devices,
        config.train,
        steps,
        job.seed,
        job.directory,
        warm=earlier.warm_start(job),
        writer=tensorboard.writer(job.directory / "tensorboard"),
    )
    weights = variables(result.state)
    facts = {
        "steps": steps,
        "step_used": result.step,
        "seconds_per_step": result.seconds_per_step,
        "input_wait": result.input_wait,
        "data": data.source.digest,
        "train_rows": spec.train_rows,
        **data.facts(),
    }
    if jax.process_index() == 0:
        stage = resolved(config)
        model_dir.save(
            job.directory / "model", job.title, config.uses, stage, spec, to_host(weights), {}
        )
    for name in ("val", "test"):
        if len(data.rows(name)):
            outputs = predict_split(predict, weights, data, name, job, context)
            facts[name] = outcomes.scores(outputs, data, spec)
            if jax.process_index() == 0:
                thresholds = advice.Thresholds()
                outcomes.write(job.directory, name, outputs, data, spec, thresholds, job.title)
    return facts


def apply_stage(job: Job, context: Context) -> dict[str, Any]:
    """Predicts with a finished stage's model and stores its outputs by id, once."""
    if job.config.features:
        return encode_stage(job, context)
    model = model_dir.load(earlier.only(job) / "model")
    data = stored.data_of(job, lambda: context.data(job))
    side, wanted = model.config["data"]["side"], job.config.data.side
    if side != wanted:
        raise RecipeError(
            f"stage {job.title!r}: the model of {job.config.of!r} sees {side} px, data.side is "
            f"{wanted}; set --config.stage.{job.stage}.data.side={side}"
        )
    method = model_dir.build(model.config)
    names = tuple(job.config.store)
    large = [n for n in infer.LARGE if n not in names]
    predict = infer.predictor(method, context.devices, large, keep=names)
    weights = context.devices.place(model.variables)
    batches = data.once(job.config.split, job.config.train.batch)
    parts: Any = infer.stream(predict, weights, batches, context.devices)
    if names:
        ids = data.source.table.id[data.rows(job.config.split)]
        parts = stored.split_off(job.directory, ids, parts, names)
    outputs = infer.join(parts)
    rows = outputs.pop("index")
    details = np.array(model.config["data"]["detail_names"])
    if jax.process_index() == 0:
        known = {"detail_names": details, "details_share": earlier.details_share(model.config)}
        earlier.store(job.directory, {"id": data.source.table.id[rows], **known, **outputs})
        if data.labels(rows):  # else there is nothing to compare the predictions with
            spec = dataclasses.replace(data.spec(1, 1), detail_names=tuple(details.tolist()))
            earlier.check_names(job, data, spec)
            outcomes.write(
                job.directory,
                job.config.split,
                {**outputs, "index": rows},
                data,
                spec,
                advice.Thresholds.from_dict(model.config["thresholds"]),
                job.config.of,
            )
    return {"rows": len(rows), "data": data.source.digest}


def encode_stage(job: Job, context: Context) -> dict[str, Any]:
    """Stores an encoder's features of all photographs, or finds them where they were computed."""
    own = job.config
    name = str(earlier.only(job) / "model") if own.of else own.encoder
    flag = f"--config.stage.{job.stage}.encoder"
    encoder = encoders.load(name, precision=own.model.precision, flag=flag)
    data = context.data(job)
    prepared = Path(data.section.store or context.workdir / "prepared")
    at = (encoder, data, prepared, own.train.batch, context.devices, own.size)
    folder = features.of(*at)
    if jax.process_index() == 0:
        shards.point(job.directory, folder)
    return {
        "rows": len(data.split),
        "data": data.source.digest,
        "encoder": own.of or name,
        "channels": encoder.channels,
        "gigabytes": features.gigabytes(encoder, data, own.size),
    }


def fit_stage(job: Job, context: Context) -> dict[str, Any]:
    """Fits a small artefact on a finished stage's stored predictions, and makes a model of both."""
    if job.config.artefact not in FITS:
        raise RecipeError(
            f"stage {job.title!r}: artefact {job.config.artefact!r} is none of {sorted(FITS)}"
        )
    if jax.process_index() != 0:
        return {}
    of = earlier.only(job) if job.config.of else job.directory
    return FITS[job.config.artefact](job, of, lambda: context.data(job))


def compare_stage(job: Job, context: Context) -> dict[str, Any]:
    """Tables of the test predictions of several stages and all their repetitions."""
    del context
    if jax.process_index() != 0:
        return {}
    files = {
        stage: [p / f"predictions_{job.config.split}.csv" for p in paths]
        for stage, paths in job.needs.items()
    }
    found = compare.table(files, job.config.metrics, job.config.reference)
    compare.write(found, job.directory)
    if job.config.sweep:
        page.save_section(job.directory, sweep.section(files, tuple(job.config.sweep)))
    return {"rows": len(found.rows)}


def calibrate_fit(job: Job, of: Path, data: map_fits.Opened) -> dict[str, Any]:
    """Temperature and thresholds from the validation predictions, merged into a copy of a model."""
    del data
    found = predictions.load(of / f"predictions_{job.config.split}.csv")
    fitted = calibrate.fit(found)
    config = model_dir.read_config(of / "model")
    config |= {"temperature": fitted.temperature, "thresholds": fitted.thresholds}
    model_dir.copy(of / "model", job.directory / "model", config)
    return dataclasses.asdict(fitted)


KINDS: dict[str, Callable[[Job, Context], dict[str, Any]]] = {
    "train": train_stage,
    "apply": apply_stage,
    "fit": fit_stage,
    "compare": compare_stage,
}
FITS: dict[str, Callable[[Job, Path, map_fits.Opened], dict[str, Any]]] = {
    "calibration": calibrate_fit,
    "coreset": coreset.coreset_fit,
    "embedding": embedding.pictures,
    "threshold": map_fits.threshold_fit,
    "map": map_fits.map_fit,
    "pictures": map_fits.pictures_fit,
    "select": map_fits.select_fit,
    "model": map_fits.model_fit,
    "scores": map_scores.scores_fit,
}


def predict_split(
    predict: infer.Predictor,
    weights: Any,
    data: Data,
    split: str,
    job: Job,
    context: Context,
) -> dict[str, np.ndarray]:
    """Outputs for every row of a split; see `infer.run`."""
    batches = data.once(split, job.config.train.batch)
    return infer.run(predict, weights, batches, context.devices)


def describe(job: Job, method: Method) -> None:
    """parameters.txt: every parameter's shape and the total."""
    from clu import parameter_overview

    shapes = jax.eval_shape(lambda: method.init(jax.random.key(0))).params
    table = parameter_overview.get_parameter_overview(shapes, include_stats=False)
    (job.directory / "parameters.txt").write_text(table + "\n")
    total = sum(x.size for x in jax.tree.leaves(shapes))
    log.info("%s: %s parameters, listed in parameters.txt", job.title, f"{total:,}")
