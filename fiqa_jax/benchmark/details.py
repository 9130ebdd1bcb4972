"""Which defect is it? A trained network beside a photograph's simplest numbers.

    python -m fiqa_jax.benchmark details --workdir runs/details

Takes a finished run of `configs/details.py` (or a recipe with stages of its kinds). The statistics
of `benchmark simple` are measured on the very photographs that the network was trained on, and
logistic regressions are fitted to them: on the one statistic that serves a defect best, on all, and
on all with their squares and products. Every cut-off is chosen for macro-F1, the network's on its
validation photographs, the regressions' on what they were fitted to. Then all are tested on the
photographs of an apply stage.

Per defect and for their mean: AUROC and macro-F1, and the network's lead, with intervals from
resampled patients; all numbers of a draw are from the same resampled patients.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ml_collections import ConfigDict
from numpy.typing import ArrayLike, NDArray

from fiqa_jax.benchmark import simple
from fiqa_jax.benchmark.detail_floors import Named, best_cut, features, regressions
from fiqa_jax.defaults import base
from fiqa_jax.evaluation import bootstrap, intervals, metrics
from fiqa_jax.predictions import schema
from fiqa_jax.recipe.data import Data, open_data
from fiqa_jax.report import markdown as tables
from input_pipeline import atomic, records

NETWORK = "network"
METRICS = ("auroc", "macro_f1")
MEAN = "mean of all"

Floats = NDArray[np.float64]


def table(
    truth: NDArray[np.int8],
    ways: Mapping[str, Named],
    patient: ArrayLike,
    details: Sequence[str],
    *,
    seed: int,
    draws: int = intervals.RANK_DRAWS,
) -> list[dict[str, Any]]:
    """Every way on the same photographs, with the lead of the first over each other.

    Args:
      truth: `[N, K]` 0 or 1.
      ways: name -> scores and cut-offs; the first is the network.
      patient: `[N]` any hashable.
      details: K names.
      seed: of the bootstrap.
      draws: of it.

    Returns:
      Rows with way, detail (a name or `MEAN`), metric, value, low, high, and for all ways but the
      first lead, lead_low, lead_high.
    """
    units = len(np.unique(np.asarray(patient)))
    whole = {
        name: _values(truth, statistics, np.ones((1, len(truth))))
        for name, statistics in ways.items()
    }
    weights = list(bootstrap.patient_weights(patient, draws, seed))
    again = {
        name: np.concatenate([_values(truth, statistics, weight) for weight in weights], axis=-1)
        for name, statistics in ways.items()
    }
    first = next(iter(ways))
    rows = []
    for name in ways:
        for m, metric in enumerate(METRICS):
            for k, detail in enumerate((*details, MEAN)):
                point, drawn = float(whole[name][m, k, 0]), again[name][m, k]
                interval = intervals.percentile(point, drawn, units, intervals.LEVEL)
                row: dict[str, Any] = {"way": name, "detail": detail, "metric": metric}
                row |= {"value": interval.value, "low": interval.low, "high": interval.high}
                if name != first:
                    ahead = float(whole[first][m, k, 0]) - point
                    gap = intervals.percentile(
                        ahead, again[first][m, k] - drawn, units, intervals.LEVEL
                    )
                    row |= {"lead": gap.value, "lead_low": gap.low, "lead_high": gap.high}
                rows.append(row)
    return rows


def _values(truth: NDArray[np.int8], statistics: Named, weight: Floats) -> Floats:
    """`[2, K + 1, D]`: METRICS of each defect and their mean, for weights `[D, N]`."""
    each = []
    for k in range(truth.shape[1]):
        y, score = truth[:, k].astype(np.int64), statistics.score[:, k]
        auroc = bootstrap.weighted_scores(y, _unit(score), weight, metrics.DETAIL)["auroc"]
        named = (score >= statistics.cut[k]).astype(np.int64)
        counts = [[weight @ ((y == a) & (named == b)) for b in (0, 1)] for a in (0, 1)]
        confusion = np.moveaxis(np.array(counts), -1, 0)
        each.append([auroc, metrics.count_scores(confusion, metrics.DETAIL)["macro_f1"]])
    values = np.array(each)  # [K, 2, D]
    return np.swapaxes(np.concatenate([values, values.mean(0, keepdims=True)]), 0, 1)


def _unit(score: Floats) -> Floats:
    """Ranks in (0, 1), ties alike: any score as something like a probability."""
    _, place = np.unique(score, return_inverse=True)
    return (place + 0.5) / (place.max() + 1)


def stage_data(workdir: Path, stage: str) -> Data:
    """The data of a stage of a finished run, from where the run kept it.

    Raises:
      ValueError: no run there, or no such stage.
    """
    file = workdir / "recipe.json"
    if not file.is_file():
        raise ValueError(f"{workdir}: no recipe.json; give the work directory of a finished run")
    stages = records.read(file)["stage"]
    if stage not in stages:
        raise ValueError(f"{workdir}: no stage {stage!r}; there are {', '.join(stages)}")
    section = ConfigDict({**base().data.to_dict(), **stages[stage]["data"]})
    return open_data(section, workdir, section.fold, section.folds)


def compared(workdir: Path, train: Sequence[str], apply: str, seed: int) -> list[dict[str, Any]]:
    """Fits and compares; see the module's docstring.

    Args:
      workdir: of a finished run.
      train: stages that the network was trained in; the last one's validation predictions set
        its cut-offs.
      apply: the apply stage whose photographs are the test.
      seed: of the bootstrap.

    Raises:
      ValueError: stages that are not there or name other defects.
    """
    test = schema.load(workdir / apply / "predictions_all.csv")
    details = test.details
    seen = schema.load(workdir / train[-1] / "predictions_val.csv")
    if seen.details != details:
        raise ValueError(f"{train[-1]} names {seen.details}, {apply} names {details}")
    cut = [
        best_cut(seen.truth["details"][:, k], seen.outputs["p_details"][:, k])
        for k in range(len(details))
    ]
    ways = {NETWORK: Named(test.outputs["p_details"], np.array(cut))}
    x, truth = [], []
    for stage in train:
        data = stage_data(workdir, stage)
        rows = data.rows("train")
        x.append(features(simple.measure(data.source, rows)))
        truth.append(data.source.table.labels["details"][rows])
    data = stage_data(workdir, apply)
    place = {name: row for row, name in enumerate(data.source.table.id.tolist())}
    rows = np.array([place[name] for name in test.id.tolist()])
    measured = features(simple.measure(data.source, rows))
    ways |= regressions(np.concatenate(x), np.concatenate(truth), measured, details)
    print(
        f"trained on {sum(map(len, x))} photographs of {', '.join(train)}; tested on {len(rows)} "
        f"of {len(set(test.patient.tolist()))} patients of {apply}"
    )
    return table(test.truth["details"].astype(np.int8), ways, test.patient, details, seed=seed)


def markdown(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows as Markdown, the lead of the network in the last column."""
    lines = []
    order = list(dict.fromkeys((r["metric"], r["detail"]) for r in rows))
    for metric, detail in order:
        for row in rows:
            if (row["metric"], row["detail"]) == (metric, detail):
                lead = _cell(row, "lead", "+.3f") if "lead" in row else ""
                value = _cell(row, "value", ".3f")
                lines.append((detail, metric, row["way"], value, lead))
    return tables.table(("defect", "metric", "way", "value", "lead of the network"), lines)


def _cell(row: Mapping[str, Any], name: str, form: str) -> str:
    prefix = "lead_" if name == "lead" else ""
    return f"{row[name]:{form}} [{row[prefix + 'low']:{form}}, {row[prefix + 'high']:{form}}]"


def add_arguments(p: argparse.ArgumentParser) -> None:
    """The flags; see the module's docstring."""
    p.add_argument("--workdir", required=True, help="of a run of configs/details.py")
    p.add_argument("--train", default="drawn,photos", help="training stages, in order")
    p.add_argument("--apply", default="elsewhere", help="apply stage that is the test")
    p.add_argument("--seed", type=int, default=0, help="of the bootstrap")
    p.add_argument("--output", default="", help="JSON file for the table")


def run(args: argparse.Namespace) -> None:
    """Prints a table and writes it where asked to.

    Raises:
      ValueError, OSError: nothing is printed or written then.
    """
    rows = compared(Path(args.workdir).absolute(), args.train.split(","), args.apply, args.seed)
    print(markdown(rows))
    if args.output:
        atomic.write(args.output, (json.dumps(rows, indent=1) + "\n").encode())
