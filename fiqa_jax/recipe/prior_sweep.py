"""How a diagnosis fares as more photographs are of low quality, from one set of predictions.

MKCNet's out-of-distribution test asks for sets with another share of low quality. Here the test
photographs are weighted instead: those of low quality together weigh as much as the share says,
those of high quality the rest. That is what a larger set with this share would give on average, if
photographs of one quality are alike, and no photograph is left out.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from fiqa_jax.evaluation import bootstrap, metrics
from fiqa_jax.evaluation.decisions import predicted_class
from fiqa_jax.recipe.repetitions import Runs, by_quality, join
from fiqa_jax.report import figures
from fiqa_jax.report.page import Item, Picture, Section, Table

METRICS = {"accuracy": "accuracy", "macro_f1": "macro-F1", "auroc": "AUROC"}


def weights(low: np.ndarray, shares: Sequence[float]) -> np.ndarray:
    """Weight of every photograph `[S, N]` for S shares of low quality; each row sums to N.

    Args:
      low: `[N] bool`, of low quality.
      shares: in [0, 1].

    Raises:
      ValueError: a share outside [0, 1], or no photograph of a quality that is asked for.
    """
    r = np.asarray(shares, np.float64)[:, None]
    if (r < 0).any() or (r > 1).any():
        raise ValueError(f"shares of low quality lie in [0, 1], not {tuple(shares)}")
    count = {True: int(low.sum()), False: int((~low).sum())}
    if (not count[True] and r.any()) or (not count[False] and (r < 1).any()):
        raise ValueError(
            f"{count[True]} photographs of low and {count[False]} of high quality cannot be "
            f"weighted to shares of {tuple(shares)}; a test split needs both"
        )
    by_kind = low / max(count[True], 1), ~low / max(count[False], 1)
    return len(low) * (r * by_kind[0][None] + (1 - r) * by_kind[1][None])


def values(run: Runs, shares: Sequence[float]) -> dict[str, np.ndarray]:
    """Metrics of the diagnosis by share, mean over seeds.

    Args:
      run: a stage with diagnoses and known quality.
      shares: of low quality.

    Returns:
      Metric (a key of METRICS) to `[S]`.
    """
    truth, names = run.truth["diagnosis"], run.names["diagnosis"]
    low = by_quality(run.truth)["lq"]
    here = (truth >= 0) & (low | by_quality(run.truth)["hq"])
    y, weight = truth[here], weights(low[here], shares)
    metrics_of: dict[str, list[np.ndarray]] = {name: [] for name in METRICS}
    for prob in run.prob["diagnosis"][:, here]:
        guess = predicted_class(prob)
        cells = np.eye(len(names) ** 2)[y * len(names) + guess]
        counts = (weight @ cells).reshape(-1, len(names), len(names))
        ranked = bootstrap.weighted_scores(y, prob, weight, names)
        scored = {**metrics.count_scores(counts, names), **ranked}
        for name in METRICS:
            metrics_of[name].append(scored[name])
    return {name: np.mean(each, axis=0) for name, each in metrics_of.items()}


def section(files: Mapping[str, Sequence[Path]], shares: Sequence[float]) -> Section:
    """Table and curves of every stage, for the report.

    Args:
      files: stage -> its prediction files, as for `compare.table`.
      shares: of low quality.

    Raises:
      ValueError: stages without diagnoses, or without a true quality.
    """
    rows: dict[str, dict[str, np.ndarray]] = {}
    for stage, paths in files.items():
        run = join(stage, paths)
        if "diagnosis" not in run.prob or not by_quality(run.truth):
            raise ValueError(
                f"compare.sweep: {stage!r} has no diagnosis, or its photographs no known quality"
            )
        rows[stage] = values(run, shares)
    items: list[Item] = [
        "The diagnosis on the test photographs, weighted to a share of low quality; mean over "
        "seeds, no intervals."
    ]
    for name, label in METRICS.items():
        head = ("stage", *(f"{share:.0%} low" for share in shares))
        body = tuple((s, *(f"{v:.3f}" for v in metrics_of[name])) for s, metrics_of in rows.items())
        items.append(Table(head, body, label))
        panel = {
            s: [[(100 * x, v) for x, v in zip(shares, metrics_of[name], strict=True)]]
            for s, metrics_of in rows.items()
        }
        drawn = figures.curves(panel, label, None, "per cent of low quality")
        items.append(Picture(f"sweep-{name}", drawn, ""))
    return Section("More or fewer photographs of low quality", tuple(items))
