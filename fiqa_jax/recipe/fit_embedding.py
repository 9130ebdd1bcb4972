"""Pictures of what a diagnosing network has learned: its embedding, and how its tasks conflict."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fiqa_jax.predictions import schema
from fiqa_jax.recipe import earlier
from fiqa_jax.recipe.jobs import Job, RecipeError
from fiqa_jax.recipe.repetitions import by_quality
from fiqa_jax.report import figures, page
from fiqa_jax.report.page import Item, Picture, Section

FEWEST = 3  # photographs that two components need


def components(features: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The first two principal components.

    Args:
      features: `[N, D]`, N at least 3.

    Returns:
      `[N, 2]` of unit variance, and the share of the variance that each holds `[2]`.
    """
    from sklearn.decomposition import PCA

    pca = PCA(2, whiten=True, svd_solver="full")
    return pca.fit_transform(np.asarray(features, np.float64)), pca.explained_variance_ratio_


def pictures(job: Job, stage_folder: Path, data: Any = None) -> dict[str, Any]:
    """A fit stage's artefact: two pictures from an apply stage's stored outputs, for the report.

    Args:
      job: its `split` says which predictions.
      stage_folder: folder of an apply stage of a method that gives `embedding` (MKCNet).
      data: not needed.

    Returns:
      Facts: what the pictures show in numbers.

    Raises:
      RecipeError: outputs without an embedding, or too few.
    """
    del data
    with np.load(stage_folder / earlier.OUTPUTS, allow_pickle=False) as file:
        stored = {name: file[name] for name in file.files if name in ("id", "embedding")}
    if "embedding" not in stored or len(stored["id"]) < FEWEST:
        raise RecipeError(
            f"stage {job.title!r}: {job.config.of!r} stored no embedding of at least {FEWEST} "
            "photographs; point `of` to an apply stage of MKCNet's"
        )
    predictions = schema.load(stage_folder / f"predictions_{job.config.split}.csv")
    place = {name: k for k, name in enumerate(stored["id"].tolist())}
    points, share = components(
        stored["embedding"][[place[name] for name in predictions.id.tolist()]]
    )
    groups = by_quality(predictions.truth)
    marks = groups.get("lq", np.zeros(len(points), bool))
    drawn = figures.scatter(points, predictions.truth["diagnosis"], predictions.diagnosis, marks)
    items: list[Item] = [
        Picture(
            "embedding",
            drawn,
            f"What the diagnosis is read from: the first two principal components ({share[0]:.0%} "
            f"and {share[1]:.0%} of the variance). Crosses are of low quality.",
        )
    ]
    facts: dict[str, Any] = {"variance": share.tolist()}
    measures = stage_folder / f"rows_{job.config.split}.csv"
    if measures.is_file():
        with measures.open(encoding="utf-8", newline="") as opened:
            cosine = np.array([float(row["conflict"] or "nan") for row in csv.DictReader(opened)])
        cosine = cosine[np.isfinite(cosine)]
        against = float((cosine < 0).mean())
        facts |= {"conflicting": against, "cosine": float(cosine.mean())}
        items.append(
            Picture(
                "conflict",
                figures.histogram(cosine, (-1.0, 1.0), "cosine of the two gradients"),
                "What diagnosis and quality ask of the map they share, photograph by photograph: "
                f"below 0 they conflict ({against:.0%}).",
            )
        )
    page.save_section(job.directory, Section(f"{job.title}: embedding and conflict", tuple(items)))
    return facts
