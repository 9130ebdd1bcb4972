"""What a stage takes over from earlier ones: weights to start from, labels that a model gave."""

import dataclasses
import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fiqa_jax.evaluation.calibration import aligned
from fiqa_jax.inference import model_dir
from fiqa_jax.pretrained import tensors
from fiqa_jax.recipe.data import Data
from fiqa_jax.recipe.jobs import Job, RecipeError
from fiqa_jax.training.method import DataSpec
from fiqa_jax.training.state import TrainState
from input_pipeline import atomic

OUTPUTS = "outputs.npz"


def only(job: Job) -> Path:
    """The folder of the one run that `job.config.of` names.

    Raises:
      RecipeError: that stage ran several times.
    """
    paths = job.needs[job.config.of]
    if len(paths) != 1:
        raise RecipeError(
            f"stage {job.title!r} reads {job.config.of!r}, which ran {len(paths)} times; mark both "
            "with repeat=True"
        )
    return paths[0]


def warm_start(job: Job) -> Callable[[TrainState], TrainState] | None:
    """Puts the weights of `model.init` (a stage) or `model.weights` (a file) into a fresh state.

    A stage gives everything the two networks share, heads included; a file gives the trunk, or
    the whole of a network that has no such part. Heads that only one side has start fresh.

    Raises:
      RecipeError: both are set.
    """
    section = job.config.model
    if section.init and section.weights:
        raise RecipeError(f"stage {job.title!r}: set model.init or model.weights, not both")
    if not (section.init or section.weights):
        return None
    if section.init:
        path = job.needs[section.init][0] / "model" / model_dir.WEIGHTS
    else:
        path = Path(section.weights)

    def load(state: TrainState) -> TrainState:
        rename: tuple[tuple[str, str], ...] = ()
        if section.weights and "trunk" in state.params:
            rename = ((r"^(params|batch_stats)/", r"\1/trunk/"),)
        like = {"params": state.params, **state.model_state}
        fresh = _unshared_heads(path, state.params) if section.init else (r".*/heads/.*",)
        loaded = tensors.load(like, path, rename, (*fresh, *section.skip))
        params = loaded.pop("params")
        after = state.replace(params=params, model_state=loaded)
        if state.ema:
            after = after.replace(ema={"params": params, "model_state": loaded})
        return after

    return load


def _unshared_heads(path: Path, params: Any) -> tuple[str, ...]:
    stored = {n.split("/")[2] for n in tensors.read(path)[0] if n.startswith("params/heads/")}
    return tuple(f"params/heads/{h}/.*" for h in sorted(stored ^ set(params.get("heads", {}))))


def store(directory: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes an apply stage's outputs, with the `id [N]` of every row."""
    data = io.BytesIO()
    np.savez(data, allow_pickle=False, **{k: np.asarray(v) for k, v in arrays.items()})
    atomic.write(directory / OUTPUTS, data.getvalue())


def with_pseudo_labels(job: Job, data: Data) -> tuple[Data, tuple[str, ...]]:
    """Joins stored probabilities of defects to the photographs by id, where `labels` asks for it.

    Returns:
      The data with a column `details_prob [N, K] float32` (-1 where nothing was stored), and the K
      names; the data as it is and () where `labels` is empty.

    Raises:
      RecipeError: no probabilities, other names, or photographs that do not match.
    """
    if not job.config.labels:
        return data, ()
    path = job.needs[job.config.labels][0] / OUTPUTS
    with np.load(path, allow_pickle=False) as file:
        stored = dict(file)
    if "p_details" not in stored:
        raise RecipeError(
            f"stage {job.title!r}: {job.config.labels!r} stored {sorted(stored)}, no p_details; "
            "its model has no head for details"
        )
    names = tuple(stored["detail_names"].tolist())
    table = data.source.table
    check_names(job, data, dataclasses.replace(data.spec(), detail_names=names))
    values = stored["p_details"].astype(np.float32)
    if job.config.align_labels:
        values = aligned(values, stored["details_share"]).astype(np.float32)
    if job.config.shuffle_labels:  # control C2: another photograph's labels, as sets
        values = values[np.random.default_rng(job.seed).permutation(len(values))]
    given = dict(zip(stored["id"].tolist(), values, strict=True))
    absent = np.full(len(names), -1.0, np.float32)
    probability = np.stack([given.get(name, absent) for name in table.id.tolist()])
    missing = int((probability[data.rows("train")] < 0).any(-1).sum())
    if missing:
        raise RecipeError(
            f"stage {job.title!r}: {missing} training photographs have no stored pseudo-label in "
            f"{job.config.labels!r}; give both stages the same data and split"
        )
    return data.with_columns({"details_prob": probability}), names


def details_share(model: Mapping[str, Any]) -> np.ndarray:
    """Share `[K]` of each defect in what a model learned from, 0 where it had no label of its own.

    model: its config.
    """
    known = model["data"]["class_counts"]
    counts = [known.get(name, (0, 0)) for name in model["data"]["detail_names"]]
    return np.array([yes / max(no + yes, 1) for no, yes in counts])


def check_names(job: Job, data: Data, spec: DataSpec) -> None:
    """Raises RecipeError where the data has details of its own under other names than `spec`."""
    names = data.source.table.detail_names
    if names and names != spec.detail_names:
        raise RecipeError(
            f"stage {job.title!r}: the model names the details {spec.detail_names}, the data "
            f"{names}; give both the same data.details"
        )
