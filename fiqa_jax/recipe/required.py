"""What a recipe cannot begin without: sets, lists and weights that only its user can give.

Checked before anything runs or is written, one thing at a time, each in a sentence that names the
stage and the flag that reaches it.
"""

from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

from ml_collections import ConfigDict

from fiqa_jax.pretrained import encoders, hub, shipped
from fiqa_jax.recipe.jobs import Job
from input_pipeline import readers
from input_pipeline.readers import READERS
from input_pipeline.tables.exclude import ASK
from input_pipeline.tables.file_paths import expanded
from input_pipeline.tables.table_error import Setting, TableError

_WITHOUT_PATH = ("drawn", "stored")  # data.source of stages that need no path


def missing(config: ConfigDict, jobs: Iterable[Job]) -> str:
    """A sentence about the first thing that is missing; '' where nothing is.

    Args:
      config: of the recipe; its `asks` says in words what some settings are.
      jobs: those that will run, in their order.
    """
    words = dict(config.get("asks", ()))
    for job in jobs:
        for field, value, what, seen in _lacking(job):
            said = words.get(f"{job.stage}.{field}", words.get(field, what))
            found = f" ({seen})" if seen else ""
            flag = flag_of(config, job.stage, field)
            return f"stage {job.title!r} needs {said}{found}: give {flag}={value}"
    return ""


def flag_of(config: ConfigDict, stage: str, field: str) -> str:
    """The flag that sets a stage's field: the top level's where the stage follows it.

    Args:
      config: of the recipe, with the references of its stages.
      stage: its name.
      field: such as 'data.path' or, of the stage itself, 'path'.
    """
    flag = f"--config.stage.{stage}.{field}"
    section, _, name = field.rpartition(".")
    if not section or name not in config.get(section, {}):
        return flag
    before = config[section][name]
    if not isinstance(before, str) or config.stage[stage][section][name] != before:
        return flag
    with config.unlocked():
        config[section][name] = f"{before}\0"
        follows = config.stage[stage][section][name] != before
        config[section][name] = before
    return f"--config.{field}" if follows else flag


def with_stage(error: TableError, config: ConfigDict, job: Job) -> TableError:
    """The error of a source that names the stage it is of, and the settings as they reach it."""

    def reached(setting: Setting) -> str:
        return setting.called(flag_of(config, job.stage, setting.name))

    return TableError(f"stage {job.title!r}: {error.worded(reached)}")


def _lacking(job: Job) -> Iterable[tuple[str, str, str, str]]:
    """(field, what to put there, the thing in words, what is wrong with what is there)."""
    section, data = job.config, job.config.data
    if job.kind in ("train", "apply") and data.source not in _WITHOUT_PATH:
        if not data.path:
            table = data.source == "csv" or (data.source == "degraded" and data.base == "csv")
            yield "data.path", "TABLE.csv" if table else "FOLDER", _words(data.source, table), ""
        if data.exclude == ASK:
            what = "a list of the photographs to leave out, one name a line"
            yield "data.exclude", "FILE", what, ""
    if job.kind == "train" and section.model.weights and not Path(section.model.weights).is_file():
        what = "weights to start from, as `python -m fiqa_jax.convert --list` says how to get and "
        seen = f"{section.model.weights} is not there"
        if Path(section.model.weights).exists():
            seen = f"{section.model.weights} is no file"
        yield "model.weights", "FILE.safetensors", f"{what}convert them", seen
    if job.kind == "fit" and section.artefact == "model":
        what = "a model that was trained elsewhere, a directory or a converted file"
        if not section.path:
            yield "path", "PATH", what, ""
        elif seen := _no_model(section.path):
            yield "path", "PATH", what, seen
    if job.kind == "apply" and section.features and _unreachable(section.encoder):
        what = f"the encoder {section.encoder}, and `huggingface_hub`, which fetches it, is not "
        what += "installed (pip install 'fiqa-jax[hub]'), or a folder that it was downloaded to"
        yield "encoder", "FOLDER", what, ""
    elif job.kind == "apply" and section.features and (seen := _no_encoder(section.encoder)):
        what = "an encoder in a folder as it was downloaded, or in a converted file"
        yield "encoder", "FOLDER", what, seen


def _no_model(path: str) -> str:
    """Why neither a file nor a model directory is there, '' where one is."""
    given = shipped.find(expanded(path))
    if given.is_file() or (given / shipped.CONFIG).is_file():
        return ""
    lacks = f"has no {shipped.CONFIG}" if given.is_dir() else "is not there"
    return f"{path} {lacks}"


def _no_encoder(name: str) -> str:
    """Why a folder holds no encoder, '' where it does; other names are looked up when it runs."""
    folder = Path(name)
    if name in (encoders.PIXELS, "shipped") or not name or not folder.is_dir():
        return ""
    try:
        hub.weights(folder)
    except ValueError as error:
        return str(error).partition(";")[0]
    return ""


def _words(source: str, table: bool) -> str:
    if source.partition("/")[0] in READERS:
        title = readers.named(source)[0].title
        return f"{title}; `python -m input_pipeline.prepare {source} --help` says what to get"
    return "a table of photographs" if table else "a folder of photographs"


def _unreachable(encoder: str) -> bool:
    """Whether a name is an id on the Hugging Face hub, and nothing here could fetch it."""
    is_id = bool(hub.ID.fullmatch(encoder)) and not Path(encoder).exists()
    return is_id and find_spec("huggingface_hub") is None
