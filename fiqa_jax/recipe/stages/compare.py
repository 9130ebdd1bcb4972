"""A stage that compares the predictions of several stages."""

from typing import Any

import jax

from fiqa_jax.recipe import (
    comparison,
    prior_sweep,
)
from fiqa_jax.recipe.jobs import Job
from fiqa_jax.recipe.stages.context import Context
from fiqa_jax.report import page


def run(job: Job, context: Context) -> dict[str, Any]:
    """Tables of the test predictions of several stages and all their repetitions."""
    del context
    if jax.process_index() != 0:
        return {}
    files = {
        stage: [p / f"predictions_{job.config.split}.csv" for p in paths]
        for stage, paths in job.needs.items()
    }
    compared = comparison.table(files, job.config.metrics, job.config.reference)
    comparison.write(compared, job.directory)
    if job.config.sweep:
        page.save_section(job.directory, prior_sweep.section(files, tuple(job.config.sweep)))
    return {"rows": len(compared.rows)}
