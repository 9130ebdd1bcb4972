"""Whether a run can mean anything, as far as its tables tell: looked at before it begins.

Only tables are read, no photographs, so that an answer comes at once and nothing is written: labels
of one class, no labels, splits that are empty where they are needed, fewer patients than folds.
"""

import importlib.util
import logging
from collections.abc import Iterator, Sequence

from ml_collections import ConfigDict

from fiqa_jax.recipe import photo_selection, required
from fiqa_jax.recipe.data import Data
from fiqa_jax.recipe.jobs import Job, RecipeError
from input_pipeline.loading.batches import WITHOUT_TENSORFLOW
from input_pipeline.readers import READERS
from input_pipeline.sources import opening, splits
from input_pipeline.tables.examples import class_counts
from input_pipeline.tables.table_error import Setting, TableError

log = logging.getLogger(__name__)

TABLES = ("csv", "folder", *READERS)  # data.source whose table is read without photographs
GRADE, HEADS = "grade", ("grade", "details", "diagnosis")  # grade: quality, else gradability
# Method -> heads that it learns; of others nothing is known.
LEARNS: dict[str, tuple[str, ...]] = {
    "multitask": HEADS,
    "mkcnet": (GRADE, "diagnosis"),
    "grader": (GRADE,),
    "eyequal": (GRADE,),
    "cell_grades": (GRADE,),
}
SPLITS = {"train": "training", "val": "validation", "test": "test"}


def check(config: ConfigDict, jobs: Sequence[Job], todo: Sequence[Job]) -> None:
    """Looks at the tables of the stages that will run, and says what is known of their outcome.

    Args:
      config: of the recipe; `jobs`: all of them; `todo`: those that will run.

    Raises:
      TableError: a table that cannot be read or split.
      RecipeError: a run that cannot mean anything, or that lacks the library that reads for it.
    """
    opened: dict[str, Data] = {}
    drivers = {job.config.data.driver for job in todo if "data" in job.config}
    if "tfdata" in drivers and importlib.util.find_spec("tensorflow") is None:
        raise RecipeError(
            f"data.driver=tfdata needs TensorFlow, which is not installed: {WITHOUT_TENSORFLOW}"
        )
    for job in todo:
        data = _opened(config, job, opened)
        if data is None:
            continue
        try:
            _check_rows(job, data, [other for other in jobs if job.stage in other.needs])
        except TableError as error:
            raise RecipeError(str(required.with_stage(error, config, job))) from None
        warning = photo_selection.too_few(len(data.source.table)) if _selects(job) else ""
        if warning:
            log.warning("stage %r: %s", job.title, warning)


def _selects(job: Job) -> bool:
    return job.kind == "fit" and job.config.artefact == "select"


def _opened(config: ConfigDict, job: Job, opened: dict[str, Data]) -> Data | None:
    """A job's table with its splits, None for jobs without one; each is read once."""
    section = job.config.data
    if job.kind not in ("train", "apply") and not _selects(job):
        return None
    if section.source.partition("/")[0] not in TABLES or not section.path:
        return None
    key = f"{section.to_json_best_effort(sort_keys=True)} {job.fold} {job.folds}"
    if key not in opened:
        try:
            source = opening.listed(section)
            split = splits.assign(source.table, section.split, section.seed, job.folds, job.fold)
        except TableError as error:
            raise required.with_stage(error, config, job) from None
        opened[key] = Data(source, split, section)
    return opened[key]


def _check_rows(job: Job, data: Data, readers: Sequence[Job]) -> None:
    """Raises TableError where a job's data cannot do, with what to do."""
    name = data.source.name
    if job.kind == "apply" and not len(data.rows(job.config.split)):
        raise TableError(
            f"{name} has no photographs in the split {job.config.split!r}: {_having(data)}"
        )
    if job.kind != "train":
        return
    if not len(data.rows("train")):
        raise TableError(
            f"{name} leaves no photographs for training: its own splits hold "
            f"{_having(data)}; give it training photographs, or leave its splits out"
        )
    for split, who in _needed(job, readers):
        if not len(data.rows(split)):
            raise TableError(
                f"no photographs for {SPLITS[split]}, which {who}; set "
                f"{Setting('data.split')} to shares with some (it is {tuple(data.section.split)}), "
                f"or give {name} such a split"
            )
    _check_labels(job, data)


def _having(data: Data) -> str:
    counts = [(name, int((data.split == name).sum())) for name in (*SPLITS, "")]
    return ", ".join(f"{name or 'no split'} {count}" for name, count in counts if count)


def _needed(job: Job, readers: Sequence[Job]) -> Iterator[tuple[str, str]]:
    """(split, who needs it) of a training job."""
    if job.config.train.select:
        yield "val", f"train.select={job.config.train.select} needs"
    for other in readers:
        fits = other.kind == "fit" and other.config.artefact == "calibration"
        if (fits or other.kind == "compare") and other.config.split in SPLITS:
            yield other.config.split, f"stage {other.title!r} needs"


def _check_labels(job: Job, data: Data) -> None:
    """Raises TableError where nothing can be learned from the labels, or be said of what was."""
    section, table = job.config, data.source.table
    heads = [h for h in LEARNS.get(section.uses, ()) if not (section.labels and h == "details")]
    if asked_for := section.method.get("heads", ()):
        wanted = {GRADE if h in ("quality", "ungradable") else h for h in asked_for}
        heads = [head for head in heads if head in wanted]
    if not heads:
        return
    counts = {s: class_counts(table, data.rows(s)) for s in SPLITS}
    known = [name for head in heads for name in _labels(head, counts["train"], table.detail_names)]
    if not any(_classes(counts["train"][name]) for name in known):
        raise TableError(
            f"no training photograph of {data.source.name} has a label; give it a column of labels "
            "(docs/train.md names them), or say which is which by "
            f"{Setting('data.columns')}"
        )
    for name in known:
        for split, says in SPLITS.items():
            there = _classes(counts[split][name])
            if len(there) == 1 and not (name in table.detail_names and len(known) > 1):
                many = sum(counts[split][name][k] for k in there)
                raise TableError(
                    f"{name}: all {many} labelled {says} photographs are {there[0]}; at least two "
                    f"classes are needed. Give {data.source.name} photographs of others, or set "
                    f"{Setting('data.split')} (it is {tuple(data.section.split)}) so that "
                    "each split holds some"
                )


def _labels(
    head: str, counts: dict[str, dict[str, int]], details: tuple[str, ...]
) -> Sequence[str]:
    """The labels of a head that the table has."""
    if head == "details":
        return details
    if head == GRADE:
        return [name for name in ("quality", "ungradable") if name in counts][:1]
    return [head] if head in counts else []


def _classes(counts: dict[str, int]) -> list[str]:
    return [name for name, count in counts.items() if count and name != "absent"]
