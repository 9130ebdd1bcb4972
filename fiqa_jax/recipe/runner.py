"""Runs the stages of a config in order, each once, and goes on where an earlier run stopped."""

import contextlib
import json
import logging
import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
from ml_collections import ConfigDict

from fiqa_jax.defaults import resolved
from fiqa_jax.inference import model_dir
from fiqa_jax.recipe import jobs as plan
from fiqa_jax.recipe import preflight, required, stages
from fiqa_jax.recipe.jobs import Job, RecipeError
from fiqa_jax.report import build, model_card
from fiqa_jax.training import devices as parallel
from input_pipeline import atomic, lock

log = logging.getLogger(__name__)


def run(config: ConfigDict, workdir: Path, only: str = "", redo: Sequence[str] = ()) -> Path:
    """Runs a recipe.

    Args:
      config: complete, with stages; see `fiqa_jax.defaults`.
      workdir: absolute; every stage has a folder in it.
      only: run just this stage; what it reads must be finished.
      redo: stages to run again, with all that follows from them.

    Returns:
      The report's index page.

    Raises:
      RecipeError: stages that do not fit together, settings that differ from an earlier run's, or
        a set or weights that are not given.
      lock.InUseError: another run is at work on a stage.
      ValueError, FloatingPointError: from the stages; each says what was seen and what to do.
    """
    if not config.get("stages"):
        raise RecipeError("the config has no stages; add them with fiqa_jax.defaults.add_stage")
    jobs = plan.unfold(config, workdir)
    first = jax.process_index() == 0
    if redo and first:
        with contextlib.ExitStack() as held:
            for job in jobs:
                if job.stage in plan.gone(jobs, redo) and job.directory.is_dir():
                    held.enter_context(lock.held(job.directory))
            log.info("run again: %s", ", ".join(plan.redo(jobs, redo, workdir)))
    parallel.meet("redo")
    if only and only not in {j.stage for j in jobs}:
        raise RecipeError(f"--stage={only}: no such stage; there are {', '.join(config.stages)}")
    done = {job.title: plan.is_done(job, jobs) for job in jobs if not only or job.stage == only}
    if lacking := required.missing(config, [j for j in jobs if done.get(j.title) is False]):
        raise RecipeError(lacking)
    preflight.check(config, jobs, [j for j in jobs if done.get(j.title) is False])
    workdir.mkdir(parents=True, exist_ok=True)
    trust = frozenset(job.config.uses for job in jobs if job.kind == "train")
    context = stages.Context(parallel.make(config.parallel), workdir, config, trust=trust)
    parallel.meet("checked")
    if first:
        _write_run(config, workdir)
    for job in jobs:
        if job.title not in done:
            continue
        if done[job.title]:
            log.info("%s: finished earlier", job.title)
            continue
        with lock.held(job.directory) if first else contextlib.nullcontext():
            _run_job(job, jobs, context, first)
    if only:
        return workdir
    if first:
        with lock.held(workdir, wait=True):
            _deliver(config, jobs, workdir)
            page = build.write_report(workdir)
    parallel.meet("report")
    return page if first else workdir


def _run_job(job: Job, jobs: Sequence[Job], context: stages.Context, first: bool) -> None:
    if jax.process_count() == 1 and plan.is_done(job, jobs):
        log.info("%s: finished by another run", job.title)
        return
    for name, paths in job.needs.items():
        for path in paths:
            if not (path / plan.DONE).is_file():
                raise RecipeError(f"stage {job.title!r} reads {name!r}, which is not finished yet")
    log.info("%s: %s", job.title, job.kind)
    if first:
        plan.begin(job)
        atomic.clean(job.directory)
    parallel.meet(f"begin {job.title}")
    began = time.time()
    facts = stages.run(job, context)
    if first:
        seconds = round(time.time() - began, 1)
        plan.finish(job, {"facts": facts, "seconds": seconds, "versions": model_dir.versions()})
        log.info("%s: done in %.1f s", job.title, seconds)
    parallel.meet(f"finish {job.title}")


def _write_run(config: ConfigDict, workdir: Path) -> None:
    """config.json and versions.json of the whole recipe, for whoever finds the folder."""
    plan.write(workdir / "recipe.json", json.loads(json.dumps(resolved(config), default=list)))
    devices: dict[str, Any] = {
        "devices": [d.device_kind for d in jax.devices()],
        "processes": jax.process_count(),
        "xla_flags": os.environ.get("XLA_FLAGS", ""),
    }
    plan.write(workdir / "versions.json", {**model_dir.versions(), **devices})


def _deliver(config: ConfigDict, jobs: Sequence[Job], workdir: Path) -> None:
    """Copies the chosen stage's model to WORKDIR/model, in whole, and writes its card."""
    name = config.deliver
    chosen = [j for j in jobs if j.stage == name and (j.directory / "model").is_dir()]
    if not chosen:
        having = sorted({j.stage for j in jobs if (j.directory / "model").is_dir()})
        raise RecipeError(
            f"config.deliver is {name!r}; stages that leave a model: {', '.join(having) or 'none'}"
        )
    part, target = workdir / ".model.part", workdir / "model"
    shutil.rmtree(part, ignore_errors=True)
    shutil.copytree(chosen[0].directory / "model", part)
    shutil.rmtree(target, ignore_errors=True)
    part.rename(target)
    job = chosen[0]
    trained = job.needs[job.config.of][0] if job.config.get("of") else job.directory
    model_card.write(target, trained, config.seed)
