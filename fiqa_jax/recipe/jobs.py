"""A recipe unfolded into jobs: which stage, which repetition, where, after which others."""

import dataclasses
import hashlib
import json
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from fiqa_jax.defaults import resolved
from fiqa_jax.recipe.stage_files import check, lasting
from fiqa_jax.recipe.stage_files import read as read
from fiqa_jax.recipe.stage_files import write as write
from input_pipeline import sums
from input_pipeline.storage.shards import LIST

DONE = "stage.json"
STARTED = "started.json"
# Where and how fast a stage runs does not change what comes out.
FREE = (
    "data.workers",
    "data.driver",
    "data.cache",
    "data.store",
    "train.log_every",
    "train.keep",
)


class RecipeError(ValueError):
    """A recipe that cannot go on; says which stage, which field, and what to do."""


@dataclasses.dataclass(frozen=True)
class Job:
    """One run of one stage.

    Attributes:
      stage: its name in the config.
      kind: train | apply | fit | compare.
      config: the stage's own ConfigDict.
      seed: of this repetition.
      fold, folds: which part is tested.
      repeat: how the repetition is called in paths, '' where the stage runs once.
      directory: where its results go.
      needs: directories of the jobs it reads, by stage name; a stage that reads a repeated one
        while running once itself (compare) gets all of its repetitions.
    """

    stage: str
    kind: str
    config: ConfigDict
    seed: int
    fold: int
    folds: int
    repeat: str
    directory: Path
    needs: Mapping[str, tuple[Path, ...]]

    @property
    def title(self) -> str:
        """The stage, with its repetition where there is one."""
        return f"{self.stage}/{self.repeat}" if self.repeat else self.stage


def needs(stage: ConfigDict) -> tuple[str, ...]:
    """Names of the stages that a stage reads: `sources`, `labels`, `inputs` and `model.init`."""
    sources = stage.get("of", ())
    names = (sources,) if isinstance(sources, str) else tuple(sources)
    names += tuple(other for _, other, _ in stage.get("inputs", ()))
    needed = (*names, stage.get("labels", ""), stage.model.init)
    return tuple(dict.fromkeys(n for n in needed if n))


def unfold(config: ConfigDict, workdir: Path) -> list[Job]:
    """Jobs in the order they run.

    Raises:
      RecipeError: a stage that is not defined, or that reads one which comes later or not at all.
    """
    jobs: list[Job] = []
    places: dict[str, dict[str, Path]] = {}
    for name in config.stages:
        if name not in config.get("stage", {}):
            raise RecipeError(f"config.stages names {name!r}, but config.stage has no such entry")
        stage = config.stage[name]
        places[name] = {}
        for repeat, seed, fold in _repetitions(config, stage):
            read: dict[str, tuple[Path, ...]] = {}
            for other in needs(stage):
                if other not in places or other == name:
                    raise RecipeError(
                        f"stage {name!r} reads {other!r}, which does not come before it; the order "
                        f"is {tuple(config.stages)}"
                    )
                known = places[other]
                read[other] = (known[repeat],) if repeat in known else tuple(known.values())
            directory = workdir / name / repeat if repeat else workdir / name
            places[name][repeat] = directory
            folds = config.repeat.fold if repeat else 1
            if folds == 1:
                fold, folds = stage.data.fold, stage.data.folds
            jobs.append(Job(name, stage.kind, stage, seed, fold, folds, repeat, directory, read))
    return jobs


def _repetitions(config: ConfigDict, stage: ConfigDict) -> list[tuple[str, int, int]]:
    seeds, folds = config.repeat.seed, config.repeat.fold
    if not stage.repeat or (seeds == 1 and folds == 1):
        return [("", config.seed, 0)]
    out = []
    for s in range(seeds):
        for f in range(folds):
            parts = ([f"seed{s}"] if seeds > 1 else []) + ([f"fold{f}"] if folds > 1 else [])
            out.append(("-".join(parts), config.seed + s, f))
    return out


def flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested dict -> {'data.side': 224, ...}; tuples become lists, as JSON has them."""
    out: dict[str, Any] = {}
    for key, value in tree.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            out.update(flat(value, name + "."))
        else:
            out[name] = json.loads(json.dumps(value, default=list))
    return out


def settings(job: Job) -> dict[str, Any]:
    """What decides a job's result: its resolved stage config, seed and fold; JSON-ready."""
    values = flat(resolved(job.config))
    kept = {k: v for k, v in values.items() if k not in FREE}
    return {**kept, "seed": job.seed, "fold": job.fold, "folds": job.folds}


def changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Sentences 'field: old -> new' for every setting that differs."""
    keys = sorted({*before, *now})
    absent = object()
    return [
        f"{k}: {before.get(k, '(none)')!r} -> {now.get(k, '(none)')!r}"
        for k in keys
        if before.get(k, absent) != now.get(k, absent)
    ]


def downstream(jobs: Iterable[Job], stage: str) -> list[str]:
    """The stages that read `stage`, directly or through others, in order."""
    hit = {stage}
    out = []
    for job in jobs:
        if job.stage not in hit and hit & set(job.needs):
            hit.add(job.stage)
            out.append(job.stage)
    return out


def is_done(job: Job, jobs: Iterable[Job]) -> bool:
    """Whether the job's results stand and belong to this config.

    Raises:
      RecipeError: it is finished, or was begun, with other settings or other inputs; names the
        fields and the stages downstream.
    """
    finished, started = read(job.directory / DONE), read(job.directory / STARTED)
    if finished:
        check(job.directory, job.stage)
    before = finished or started
    if before is None:
        return False
    differences = changed(before["settings"], settings(job))
    if finished:
        for name, paths in job.needs.items():
            for path in paths:
                made = (read(path / DONE) or {}).get("result", "")
                if finished["inputs"].get(str_key(path, job)) != made:
                    differences.append(f"input {name}: its result has changed")
    if differences and not finished and not _kept(job.directory):
        return False  # it stopped before it had anything to go on from
    if differences:
        after = downstream(jobs, job.stage)
        state = "finished" if finished else "begun"
        raise RecipeError(
            f"stage {job.title!r} was {state} in {job.directory} with other settings: "
            f"{'; '.join(differences)}. Give --redo={job.stage} to run it again"
            + (f" (and what follows from it: {', '.join(after)})" if after else "")
            + ", or another --workdir"
        )
    return finished is not None


def _kept(directory: Path) -> bool:
    """Whether a stage that was begun left work that the same settings would go on from."""
    return any(directory.glob("checkpoints/*")) or any(directory.glob("rows*.json"))


def str_key(path: Path, job: Job) -> str:
    """A need's directory relative to the work directory: the same when the folder moves."""
    root = job.directory.parent.parent if job.repeat else job.directory.parent
    return path.relative_to(root).as_posix()


def begin(job: Job) -> None:
    """Writes down the settings a job was begun with."""
    job.directory.mkdir(parents=True, exist_ok=True)
    write(job.directory / STARTED, {"settings": settings(job)})


def finish(job: Job, extra: Mapping[str, Any]) -> None:
    """Marks a job as finished, with digests of its inputs and of its own results."""
    inputs = {}
    for paths in job.needs.values():
        for path in paths:
            inputs[str_key(path, job)] = (read(path / DONE) or {}).get("result", "")
    record = {
        "name": job.stage,
        "kind": job.kind,
        "repeat": job.repeat,
        "settings": settings(job),
        "inputs": inputs,
        "result": digest(job.directory),
        **extra,
    }
    write(job.directory / DONE, record)
    (job.directory / STARTED).unlink(missing_ok=True)
    sums.write(job.directory, lasting(job.directory), sums.read(job.directory))


def redo(jobs: list[Job], names: Iterable[str], workdir: Path) -> list[str]:
    """Removes the results of stages and of everything that follows from them.

    Returns:
      The names of the stages that were removed.

    Raises:
      RecipeError: a name that is no stage.
    """
    away = gone(jobs, names)
    for name in away:
        shutil.rmtree(workdir / name, ignore_errors=True)
    return away


def gone(jobs: list[Job], names: Iterable[str]) -> list[str]:
    """The stages that `redo` removes. Raises: RecipeError: a name that is no stage."""
    known = list(dict.fromkeys(job.stage for job in jobs))
    changed: list[str] = []
    for name in names:
        if name not in known:
            raise RecipeError(f"--redo={name}: no such stage; there are {', '.join(known)}")
        changed += [name, *downstream(jobs, name)]
    return list(dict.fromkeys(changed))


def digest(directory: Path) -> str:
    """SHA-256 over a job's lasting results: model, outputs, predictions and artefacts.

    Of arrays in shards their list counts, which holds digests of the arrays.
    """
    total = hashlib.sha256()
    lasting = (".safetensors", ".npz", ".csv")
    for path in sorted(p for p in directory.rglob("*") if p.suffix in lasting or p.name == LIST):
        if "checkpoints" in path.relative_to(directory).parts:
            continue
        total.update(path.relative_to(directory).as_posix().encode())
        with path.open("rb") as file:
            total.update(hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest()
