"""The four kinds of stage: train, apply, fit, compare. Each works in its own folder."""

from collections.abc import Callable
from typing import Any

from fiqa_jax.recipe.jobs import Job
from fiqa_jax.recipe.stages import apply, compare, fit, train
from fiqa_jax.recipe.stages.context import Context

KINDS: dict[str, Callable[[Job, Context], dict[str, Any]]] = {
    "train": train.run,
    "apply": apply.run,
    "fit": fit.run,
    "compare": compare.run,
}


def run(job: Job, context: Context) -> dict[str, Any]:
    """Runs one job to its end.

    Returns:
      Facts about the run for stage.json. Every process returns the same.
    """
    return KINDS[job.kind](job, context)
