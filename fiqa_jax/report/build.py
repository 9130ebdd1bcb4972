"""report.html of a work directory, made from its files only.

    fiqa report WORKDIR

Reads recipe.json, every stage's stage.json, metrics.jsonl, predictions_*.csv, compare.csv and
section.json (see `page.save_section`: how a method adds a part of its own), and the
predictions.csv of `fiqa_jax.predict`. The pictures also lie as files in WORKDIR/report.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from fiqa_jax.predictions import schema
from fiqa_jax.report import gallery, page
from fiqa_jax.report.comparison_page import compare_section
from fiqa_jax.report.page import Item, Picture, Section, Table
from fiqa_jax.report.stage_page import Run, stage_sections
from input_pipeline import atomic, records
from input_pipeline.tables import folders

PAGE, FOLDER = "report.html", "report"
_USE = "For research; not a medical device."


class ReportError(ValueError):
    """A directory that holds nothing to report on."""


def write_report(workdir: str | os.PathLike[str], sections: Sequence[Section] = ()) -> Path:
    """Writes WORKDIR/report.html and its pictures.

    Args:
      workdir: of a recipe, of one stage, or the output of `fiqa_jax.predict`.
      sections: further ones, shown at the end.

    Returns:
      Path of the page.

    Raises:
      ReportError: a directory without any result.
      PredictionsError: a damaged prediction file.
    """
    root = Path(workdir)
    stages = find(root)
    photographs = gallery.Photographs(root)
    made: list[Section] = []
    if (root / folders.TABLE).is_file():
        made.append(_judged(root, photographs))
    if len(stages) > 1:
        made.append(_overview(root, stages))
    for name, runs in stages.items():
        if (runs[0].directory / "compare.csv").is_file():
            made.append(compare_section(name, runs[0].directory / "compare.csv"))
    shown = _delivered(root) or set(stages if len(stages) == 1 else ())
    for name, runs in stages.items():
        made += stage_sections(name, runs, photographs, opened=name in shown)
    made += sections
    if not made:
        raise ReportError(
            f"{root} holds nothing to report on; expected a recipe's work directory, one stage's "
            "folder, or the output folder of fiqa_jax.predict"
        )
    made.sort(key=lambda section: not section.first)
    title = records.read_if_there(root / "recipe.json").get("name") or root.resolve().name
    _write(root, page.render(title, _lead(root, stages), made), page.pictures(made))
    return root / PAGE


def find(root: Path) -> dict[str, list[Run]]:
    """Finished stages by name, in the recipe's order, with all their repetitions."""
    files = sorted(root.glob("stage.json")) + sorted(root.glob("*/stage.json"))
    files += sorted(root.glob("*/*/stage.json"))
    stages: dict[str, list[Run]] = {}
    for file in files:
        record = records.read_if_there(file)
        stages.setdefault(record["name"], []).append(Run(file.parent, record))
    if not stages and any(root.glob("predictions_*.csv")):
        stages[root.resolve().name] = [Run(root, {})]
    order = list(records.read_if_there(root / "recipe.json").get("stages", ()))
    return dict(sorted(stages.items(), key=lambda s: order.index(s[0]) if s[0] in order else -1))


def _delivered(root: Path) -> set[str]:
    """The stage whose model is delivered, and the one it was fitted on."""
    recipe = records.read_if_there(root / "recipe.json")
    name = recipe.get("deliver", "")
    source = recipe.get("stage", {}).get(name, {}).get("of", "")
    return {name, source} - {""} if isinstance(source, str) else {name}


def _lead(root: Path, stages: Mapping[str, Sequence[Run]]) -> str:
    facts = records.read_if_there(root / "versions.json")
    parts = []
    if stages:
        runs = sum(len(runs) for runs in stages.values())
        seconds = sum(run.record.get("seconds", 0) for runs in stages.values() for run in runs)
        parts.append(f"{len(stages)} stages, {runs} runs, {_time(seconds)}.")
    if facts.get("devices"):
        devices = facts["devices"]
        parts.append(f"{len(devices)} x {devices[0]}, jax {facts.get('jax', '?')}.")
    return " ".join([*parts, _USE])


def _overview(root: Path, stages: Mapping[str, Sequence[Run]]) -> Section:
    rows = []
    for name, runs in stages.items():
        test = [run.record.get("facts", {}).get("test") or {} for run in runs]
        names = [key for key in test[0] if key.endswith("_macro_f1")]
        values = [
            (key.removesuffix("_macro_f1"), [t[key] for t in test if t.get(key) is not None])
            for key in names
        ]
        shown = [f"{head} {np.mean(v):.3f}" for head, v in values if v]
        seconds = sum(run.record.get("seconds", 0) for run in runs)
        kind = str(runs[0].record.get("kind", ""))
        rows.append((name, kind, str(len(runs)), _time(seconds), ", ".join(shown[:3])))
    head = ("stage", "kind", "runs", "time", "macro-F1 on the test split, mean over runs")
    columns = len(head) if any(row[-1] for row in rows) else len(head) - 1
    items: list[Item] = [Table(head[:columns], tuple(row[:columns] for row in rows))]
    if (root / "model").is_dir():
        chosen = records.read_if_there(root / "recipe.json").get("deliver", "")
        items.append(
            f"The model to use lies in {root.name}/model" + f" (stage {chosen})." * bool(chosen)
        )
    return Section("Stages", tuple(items))


def _judged(root: Path, photographs: gallery.Photographs) -> Section:
    """What `fiqa_jax.predict` left: counts, and what to take again with the reasons."""
    rows = schema.read_rows(root / folders.TABLE)
    items: list[Item] = []
    for column in ("status", "decision", "quality"):
        values = [str(row[column]) for row in rows if row[column]]
        counts = {value: values.count(value) for value in dict.fromkeys(values)}
        if counts:
            body = tuple((v, str(c), f"{c / len(values):.0%}") for v, c in counts.items())
            items.append(Table((column, "photographs", "share"), body))
    items += gallery.judged(rows, photographs, root)
    failed = [(str(row["path"]), str(row["error"])) for row in rows if row["status"] == "error"]
    if failed:
        items.append(Table(("file", "why it could not be read"), tuple(failed)))
    return Section(f"{len(rows):,} photographs judged", tuple(items))


def _time(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _write(root: Path, text: str, pictures: Sequence[Picture]) -> None:
    folder = root / FOLDER
    folder.mkdir(exist_ok=True)
    names = set()
    for picture in pictures:
        name = "".join(c if c.isalnum() or c in "-_." else "_" for c in picture.name)
        name += page.suffix(picture.data)
        names.add(name)
        (folder / name).write_bytes(picture.data)
    for old in folder.iterdir():
        if old.name not in names and old.suffix in (".png", ".jpg"):
            old.unlink()
    atomic.write(root / PAGE, text.encode())
