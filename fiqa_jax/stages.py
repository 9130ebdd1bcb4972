"""What the four kinds of stage do: train, apply, fit, compare. Each works in its own folder."""

import dataclasses
import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from fiqa_jax import (
    advice,
    calibrate,
    compare,
    infer,
    judge,
    methods,
    metrics,
    model_dir,
    parallel,
    predictions,
    pretrained,
    tensorboard,
    train,
)
from fiqa_jax.checkpoints import to_host
from fiqa_jax.data import Data, open_data
from fiqa_jax.defaults import resolved
from fiqa_jax.methods.base import DataSpec, Method
from fiqa_jax.plan import Job, RecipeError
from fiqa_jax.state import TrainState, variables

log = logging.getLogger(__name__)
OUTPUTS = "outputs.npz"


@dataclasses.dataclass(frozen=True)
class Context:
    """What stages share: the devices, the work directory and the sources opened so far."""

    devices: parallel.Devices
    workdir: Path
    opened: dict[str, Data] = dataclasses.field(default_factory=dict)

    def data(self, job: Job) -> Data:
        """A job's data; stages with the same `data` section and fold share one source."""
        section = job.config.data
        key = f"{section.to_json_best_effort(sort_keys=True)} {job.fold} {job.folds}"
        if key not in self.opened:
            self.opened[key] = open_data(section, self.workdir, job.fold, job.folds)
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
    data, details = _labelled(job, context.data(job))
    steps = train.count_steps(config.train, len(data.rows("train")))
    context.devices.check_batch(config.train.batch)
    spec = data.spec(steps, config.train.batch, details)
    method = methods.build(config.uses, config, spec)
    predict = infer.predictor(method, context.devices)

    def evaluate(state: TrainState) -> Mapping[str, float]:
        return scores(
            predict_split(predict, variables(state), data, "val", job, context), data, spec
        )

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
        warm=_warm(job),
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
    }
    if jax.process_index() == 0:
        stage = resolved(config)
        model_dir.save(
            job.directory / "model", job.title, config.uses, stage, spec, to_host(weights), {}
        )
    for name in ("val", "test"):
        if len(data.rows(name)):
            outputs = predict_split(predict, weights, data, name, job, context)
            facts[name] = scores(outputs, data, spec)
            if jax.process_index() == 0:
                thresholds = advice.Thresholds()
                write_predictions(job.directory, name, outputs, data, spec, thresholds, job.title)
    return facts


def apply_stage(job: Job, context: Context) -> dict[str, Any]:
    """Predicts with a finished stage's model and stores its outputs by id, once."""
    model = _model_of(job)
    data = context.data(job)
    side, wanted = model.config["data"]["side"], job.config.data.side
    if side != wanted:
        raise RecipeError(
            f"stage {job.title!r}: the model of {job.config.of!r} sees {side} px, data.side is "
            f"{wanted}; set --config.stage.{job.stage}.data.side={side}"
        )
    method = model_dir.build(model.config)
    predict = infer.predictor(method, context.devices)
    weights = context.devices.place(model.variables)
    outputs = predict_split(predict, weights, data, job.config.split, job, context)
    rows = outputs.pop("index")
    names = np.array(model.config["data"]["detail_names"])
    if jax.process_index() == 0:
        save_arrays(
            job.directory / OUTPUTS,
            {"id": data.source.table.id[rows], "detail_names": names, **outputs},
        )
        if data.labels(rows):  # else there is nothing to compare the predictions with
            spec = dataclasses.replace(data.spec(1, 1), detail_names=tuple(names.tolist()))
            _check_names(job, data, spec)
            write_predictions(
                job.directory,
                job.config.split,
                {**outputs, "index": rows},
                data,
                spec,
                advice.Thresholds.from_dict(model.config["thresholds"]),
                job.config.of,
            )
    return {"rows": len(rows), "data": data.source.digest}


def fit_stage(job: Job, context: Context) -> dict[str, Any]:
    """Fits a small artefact on a finished stage's stored predictions, and makes a model of both."""
    del context
    if job.config.artefact not in FITS:
        raise RecipeError(
            f"stage {job.title!r}: artefact {job.config.artefact!r} is none of {sorted(FITS)}"
        )
    if jax.process_index() != 0:
        return {}
    return FITS[job.config.artefact](job, _only(job))


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
    return {"rows": len(found.rows)}


def calibrate_fit(job: Job, of: Path) -> dict[str, Any]:
    """Temperature and thresholds from the validation predictions, merged into a copy of a model."""
    found = predictions.load(of / f"predictions_{job.config.split}.csv")
    fitted = calibrate.fit(found)
    config = model_dir.read_config(of / "model")
    config |= {"temperature": fitted.temperature, "thresholds": fitted.thresholds}
    target = job.directory / "model"
    target.mkdir(parents=True, exist_ok=True)
    copy_file(of / "model" / model_dir.WEIGHTS, target / model_dir.WEIGHTS)
    model_dir.write_config(target, config)
    return dataclasses.asdict(fitted)


KINDS: dict[str, Callable[[Job, Context], dict[str, Any]]] = {
    "train": train_stage,
    "apply": apply_stage,
    "fit": fit_stage,
    "compare": compare_stage,
}
FITS: dict[str, Callable[[Job, Path], dict[str, Any]]] = {"calibration": calibrate_fit}


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


def scores(outputs: Mapping[str, np.ndarray], data: Data, spec: DataSpec) -> dict[str, float]:
    """Metrics of gathered outputs against the labels of their rows, float64, on the host."""
    truth = data.labels(outputs["index"])
    heads = metrics.head_scores(truth, outputs, spec.detail_names, spec.diagnosis_names)
    return metrics.summary(heads, spec.detail_names)


def write_predictions(
    directory: Path,
    split: str,
    outputs: Mapping[str, np.ndarray],
    data: Data,
    spec: DataSpec,
    thresholds: advice.Thresholds,
    model: str,
) -> None:
    """predictions_<split>.csv with the true labels beside."""
    rows, table = outputs["index"], data.source.table
    made = judge.rows_from_outputs(
        {k: v for k, v in outputs.items() if k != "index"},
        path=table.path[rows].tolist(),
        id=table.id[rows].tolist(),
        patient=table.patient[rows].tolist(),
        details=spec.detail_names,
        diagnosis=spec.diagnosis_names,
        thresholds=thresholds,
        model=model,
        truth=data.labels(rows),
    )
    names = predictions.columns(spec.detail_names, spec.diagnosis_names, truth=True)
    predictions.write_csv(directory / f"predictions_{split}.csv", made, names)


def describe(job: Job, method: Method) -> None:
    """parameters.txt: every parameter's shape and the total."""
    from clu import parameter_overview

    shapes = jax.eval_shape(lambda: method.init(jax.random.key(0))).params
    table = parameter_overview.get_parameter_overview(shapes, include_stats=False)
    (job.directory / "parameters.txt").write_text(table + "\n")
    total = sum(x.size for x in jax.tree.leaves(shapes))
    log.info("%s: %s parameters, listed in parameters.txt", job.title, f"{total:,}")


def save_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes an .npz in whole or not at all."""
    part = path.with_name(f".{path.name}.part")
    with part.open("wb") as file:
        np.savez(file, allow_pickle=False, **{k: np.asarray(v) for k, v in arrays.items()})
    os.replace(part, path)


def copy_file(source: Path, target: Path) -> None:
    """Copies a file in whole or not at all."""
    part = target.with_name(f".{target.name}.part")
    part.write_bytes(source.read_bytes())
    os.replace(part, target)


def _only(job: Job) -> Path:
    paths = job.needs[job.config.of]
    if len(paths) != 1:
        raise RecipeError(
            f"stage {job.title!r} reads {job.config.of!r}, which ran {len(paths)} times; mark both "
            "with repeat=True"
        )
    return paths[0]


def _model_of(job: Job) -> model_dir.Model:
    return model_dir.load(_only(job) / "model")


def _warm(job: Job) -> Callable[[TrainState], TrainState] | None:
    """Loads `model.weights` (a file) or `model.init` (a stage) into a fresh state."""
    section = job.config.model
    if section.init and section.weights:
        raise RecipeError(f"stage {job.title!r}: set model.init or model.weights, not both")
    if section.init:
        path = job.needs[section.init][0] / "model" / model_dir.WEIGHTS
        rename: tuple[tuple[str, str], ...] = ()
        skip = tuple(section.skip)
    elif section.weights:
        path = Path(section.weights)
        rename = ((r"^(params|batch_stats)/", r"\1/trunk/"),)
        skip = (r".*/heads/.*", *section.skip)
    else:
        return None

    def load(state: TrainState) -> TrainState:
        like = {"params": state.params, **state.model_state}
        own = () if section.weights else _unshared_heads(path, state.params)
        found = pretrained.load(like, path, rename, (*own, *skip))
        params = found.pop("params")
        after = state.replace(params=params, model_state=found)
        if state.ema:
            after = after.replace(ema={"params": params, "model_state": found})
        return after

    return load


def _check_names(job: Job, data: Data, spec: DataSpec) -> None:
    own = data.source.table.detail_names
    if own and own != spec.detail_names:
        raise RecipeError(
            f"stage {job.title!r}: the model names the details {spec.detail_names}, the data "
            f"{own}; give both the same data.details"
        )


def _unshared_heads(path: Path, params: Any) -> tuple[str, ...]:
    """Patterns of heads that only the file or only the new network has: they start fresh."""
    stored = {n.split("/")[2] for n in pretrained.read(path)[0] if n.startswith("params/heads/")}
    return tuple(f"params/heads/{h}/.*" for h in sorted(stored ^ set(params.get("heads", {}))))


def _labelled(job: Job, data: Data) -> tuple[Data, tuple[str, ...]]:
    """Joins an apply stage's stored detail probabilities to the photographs by id."""
    if not job.config.labels:
        return data, ()
    stored = np.load(job.needs[job.config.labels][0] / OUTPUTS, allow_pickle=False)
    if "p_details" not in stored:
        raise RecipeError(
            f"stage {job.title!r}: {job.config.labels!r} stored {sorted(stored)}, no p_details; "
            "its model has no head for details"
        )
    names = tuple(stored["detail_names"].tolist())
    table = data.source.table
    _check_names(job, data, dataclasses.replace(data.spec(1, 1), detail_names=names))
    probability = np.full((len(table), len(names)), -1.0, np.float32)
    place = {one: i for i, one in enumerate(table.id.tolist())}
    rows = np.array([place[i] for i in stored["id"].tolist()], np.int64)
    values = stored["p_details"].astype(np.float32)
    if job.config.shuffle_labels:  # control C2: another photograph's labels, as sets
        values = values[np.random.default_rng(job.seed).permutation(len(values))]
    probability[rows] = values
    missing = int((probability[data.rows("train")] < 0).any(-1).sum())
    if missing:
        raise RecipeError(
            f"stage {job.title!r}: {missing} training photographs have no stored pseudo-label in "
            f"{job.config.labels!r}; give both stages the same data and split"
        )
    return data.with_columns({"details_prob": probability}), names
