"""From quality maps to whole photographs: how well maps tell labelled bad photographs from good.

The network learned without labels. They come in here alone, for one threshold and perhaps a weight
of each cell, which are always found on other photographs than those that they judge.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from fiqa_jax.maps import pooling
from fiqa_jax.recipe import stored
from fiqa_jax.recipe.data import Data
from fiqa_jax.recipe.jobs import Job, RecipeError
from fiqa_jax.report import page
from input_pipeline import records

METRICS = {
    "balanced_accuracy": "balanced accuracy",
    "f1": "F1",
    "mcc": "MCC",
    "auroc": "AUROC",
    "ap": "AP",
}
TITLE = "Maps against labels"
TEXT = (
    "The maps were learned without labels. Here they are held against the labels of whole "
    "photographs, good photographs being the positive class. A rule judges a photograph by what "
    "was found on the other four fifths of them."
)
SEEN = (
    "The network has learned from these very photographs, though not from their labels: on others "
    "expect less."
)


def scores_fit(job: Job, stage_folder: Path, data: Callable[[], Data]) -> dict[str, Any]:
    """Metrics of two rules on labelled photographs, and the weights of the second.

    The rules: the mean of the map, and its weighted sum with learned weights
    (`fiqa_jax.maps.pooling`). `inputs` gives `map`; the stage's data gives the label `ungradable`.
    Writes pooling.npz (`weight [h, w]`, `tau`, learned on all photographs) and a
    section of the report.

    With fewer photographs of a kind than folds nothing is measured, and the report says so.

    Raises:
      RecipeError: no labels.
    """
    maps, bad = _labelled(job, data())
    counts = {"photographs": len(bad), "bad": int(bad.sum())}
    if min(counts["bad"], len(bad) - counts["bad"]) < pooling.FOLDS:
        note = (
            f"{len(bad):,} labelled photographs, {counts['bad']:,} of them bad: too few of a kind "
            f"for {pooling.FOLDS} folds, so that the maps are not held against the labels."
        )
        page.save_section(job.directory, page.Section(TITLE, (note,)))
        return counts
    mean, seed = maps.reshape(len(maps), -1).mean(1), int(job.config.data.seed)
    by_weight = pooling.by_pooling(maps, bad, seed=seed)
    rows = {
        "mean of the map": pooling.summary(bad, pooling.by_threshold(mean, bad, seed=seed), mean),
        "weights learned": pooling.summary(bad, by_weight, by_weight),
    }
    learned = pooling.fit(maps, bad, seed=seed)
    np.savez(job.directory / "pooling.npz", weight=learned.weight, tau=learned.tau)
    page.save_section(job.directory, section(rows, _seen_in_training(job, stage_folder), **counts))
    return {**counts, **rows}


def section(
    rows: dict[str, dict[str, float]], seen: bool, photographs: int, bad: int
) -> page.Section:
    """The report's table of `scores_fit`.

    Args:
      rows: rule -> metrics of `pooling.summary`.
      seen: the network learned from these photographs.
      photographs, bad: their numbers.
    """
    table = page.Table(
        ("rule", *METRICS.values()),
        tuple((rule, *(f"{metrics[m]:.3f}" for m in METRICS)) for rule, metrics in rows.items()),
        f"{photographs:,} photographs, {bad:,} of them bad; {pooling.FOLDS} folds.",
    )
    return page.Section(TITLE, (TEXT, *((SEEN,) if seen else ()), table))


def _seen_in_training(job: Job, stage_folder: Path) -> bool:
    """Whether the network of `stage_folder` has learned from the photographs that are judged."""
    ((_, stage, _),) = job.config.inputs
    trained, judged = (
        records.read(path / "stage.json")["settings"]
        for path in (stage_folder, job.needs[stage][0])
    )
    same = all(trained[f"data.{k}"] == judged[f"data.{k}"] for k in ("source", "path", "split"))
    return same and judged["split"] in ("all", "train")


def _labelled(job: Job, data: Data) -> tuple[np.ndarray, np.ndarray]:
    """Stored maps `[N, h, w] float32` and labels `[N] int` of photographs that have both."""
    table = data.source.table
    if "ungradable" not in table.labels:
        raise RecipeError(
            f"stage {job.title!r}: {data.source.name} has no label of quality to hold maps against"
        )
    ((_, stage, what),) = job.config.inputs
    stored_maps = stored.folder(job, stage)
    label = dict(zip(table.id.tolist(), table.labels["ungradable"].tolist(), strict=True))
    bad = np.array([label.get(name, -1) for name in stored_maps.id.tolist()])
    known = bad >= 0
    return stored_maps.all(what)[known].astype(np.float32), bad[known]
