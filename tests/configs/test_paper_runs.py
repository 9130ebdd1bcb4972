"""Every `:paper` goes from nothing to its end by doing what its messages say, one after the other.

At toy size, on folders laid out as the real sets are. Each message is read as a user reads it: the
flag in it is given what it asks for, nothing else.
"""

import functools
import json
import re

import numpy as np
import paper_sets
import pytest
import recipes

from fiqa_jax.inference import predictor
from fiqa_jax.predictions import schema
from fiqa_jax.pretrained import hub
from fiqa_jax.recipe import required, runner
from fiqa_jax.recipe.data import open_data
from fiqa_jax.recipe.jobs import RecipeError
from input_pipeline.readers import iqad
from input_pipeline.storage import shards
from input_pipeline.tables.table_error import TableError

pytestmark = pytest.mark.whole

PHOTOGRAPH = "data.path/MSHF dataset 2.0/Original/Local1/Local1-3.jpg"
ASKED = re.compile(r"give --config\.([\w.]+)=([\w.]*)$")


def follow(config, supplies, workdir):
    """Runs a recipe, giving what it asks for until it asks for nothing more.

    Args:
      config: a `:paper`.
      supplies: setting -> () -> its value; each is called when it is asked for.
      workdir: of the recipe.

    Returns:
      The settings it asked for, in order, and the messages.
    """
    wanted, said = [], []
    for _ in range(len(supplies) + 1):
        message = refusal(config, workdir)
        if not message:
            return wanted, said
        found = ASKED.search(message)
        assert found, f"no flag at the end of: {message}"
        assert found[1] not in wanted, f"asked for twice: {message}"
        assert found[1] in supplies, message
        assert "\n" not in message
        assert not workdir.exists()  # nothing was written, so that nothing has to be redone
        wanted.append(found[1])
        said.append(message)
        set_to(config, found[1], str(supplies[found[1]]()))
    raise AssertionError(f"still asks after {wanted}")


def empty_folders_are_told(config, supplies, workdir):
    """Everything is there but one thing, in whose place is an empty folder: one sentence about it.

    Done literally, what it says is that setting with the right thing, as in `follow`.
    """
    given = {name: str(supply()) for name, supply in supplies.items()}
    empty = workdir.parent / "empty"
    empty.mkdir()
    for name, value in given.items():
        set_to(config, name, value)
    for name, value in given.items():
        set_to(config, name, str(empty))
        message = refusal(config, workdir)
        assert f"--config.{name}" in message.rpartition(";")[2] or ASKED.search(message)[1] == name
        assert str(empty) in message
        assert "\n" not in message
        assert not workdir.exists()
        set_to(config, name, value)


def get(config, name):
    """A setting by its name on the command line, or a section."""
    return functools.reduce(lambda section, part: section[part], name.split("."), config)


def set_to(config, name, value):
    """As `--config.NAME=VALUE` does."""
    section, _, field = name.rpartition(".")
    (get(config, section) if section else config)[field] = value


def refusal(config, workdir):
    """What a run says that does not begin; '' of one that comes to its end."""
    try:
        runner.run(config, workdir)
    except (RecipeError, TableError) as error:
        return str(error)
    return ""


@pytest.fixture
def no_hub(monkeypatch):
    """As on a machine without `huggingface_hub`, or without a network: an id cannot be fetched."""
    monkeypatch.setattr(required, "_unreachable", lambda name: bool(hub.ID.fullmatch(name)))


def any_counts(config):
    """Toy sets have fewer photographs than the published counts, against which they are checked."""
    for stage in config.stage.values():
        stage.data.counts = "any"


EFIQA = {
    "stage.segmentor.path": paper_sets.segmentor,
    "stage.good.data.path": paper_sets.messidor2,
    "stage.good.data.exclude": paper_sets.excluded,
    "data.path": paper_sets.mshf,
    "stage.features.encoder": paper_sets.dinov3,
    "stage.eyeq_features.data.path": paper_sets.eyeq,
}


@pytest.mark.usefixtures("no_hub")
def test_efiqa_and_efiqa_cp(tmp_path):
    """The second goes on in the work directory of the first: they share all up to the adapter."""
    config = recipes.load("paper,tiny,grades", "efiqa")
    any_counts(config)
    supplies = {k: lambda k=k, f=f: f(tmp_path / k) for k, f in EFIQA.items()}
    work = tmp_path / "work"
    wanted, said = follow(config, supplies, work)
    assert wanted == [*EFIQA]
    assert said[0].startswith("stage 'segmentor' needs a vessel segmentor, published: R2-V2's bv")
    assert "Messidor_NSFS.txt of EFIQA's repository" in said[2]
    assert len(shards.opened(work / "good").id) == 3  # six but for three of the list
    assert len(shards.opened(work / "vessels").id) == 12
    facts = json.loads((work / "adapter" / "stage.json").read_text())["facts"]
    assert facts["train_rows"] == 12  # all of MSHF
    chosen = json.loads((work / "threshold" / "stage.json").read_text())["facts"]
    assert chosen["cells"] == 12 * 16  # those outside the field, too
    cells = shards.opened(work / "rated").all("cells")
    share = 19402 / 205312
    assert chosen["threshold"] == pytest.approx(np.quantile(cells, 1 - share, method="higher"))
    assert chosen["flagged"] <= share  # many toy cells are equally black
    model = json.loads((work / "model" / "config.json").read_text())
    assert (model["data"]["crop"], model["data"]["resample"]) == ("squash", "bicubic")
    row = predictor.Predictor(work / "model", allow_frame=True)(work.parent / PHOTOGRAPH)
    assert row["status"] == "ok"
    assert row["quality"] in ("good", "usable", "reject")
    tested = schema.load(work / "grades" / "predictions_test.csv")
    assert len(tested.id) == 6  # EyeQ's own test list

    after = recipes.load("paper,tiny", "efiqa_cp")
    any_counts(after)
    for name in wanted[:-1]:  # EyeQ is of the grades alone
        set_to(after, name, get(config, name))
    adapter = (work / "adapter" / "stage.json").stat().st_mtime_ns
    runner.run(after, work, redo=["pictures"])
    assert (work / "adapter" / "stage.json").stat().st_mtime_ns == adapter
    assert {"features", "fine_features"} <= {p.parent.name for p in work.glob("*/stage.json")}
    model = json.loads((work / "model" / "config.json").read_text())
    assert model["method"] == "nnpu"
    assert model["data"]["side"] == 4 * after.data.side


@pytest.mark.usefixtures("no_hub")
def test_empty_folders_for_efiqa(tmp_path):
    config = recipes.load("paper,grades", "efiqa")
    any_counts(config)
    supplies = {k: lambda k=k, f=f: f(tmp_path / k) for k, f in EFIQA.items()}
    empty_folders_are_told(config, supplies, tmp_path / "work")


def multitask(root, name):
    return {
        "stage.teacher.data.path": lambda: paper_sets.mshf(root / "mshf"),
        "model.weights": lambda: paper_sets.resnet(root),
        "data.path": lambda: getattr(paper_sets, name)(root / name),
    }


@pytest.mark.parametrize("name", ["eyeq", "deepdrid"])
def test_empty_folders_for_multitask(tmp_path, name):
    config = recipes.load(f"paper,set={name}", "multitask")
    any_counts(config)
    empty_folders_are_told(config, multitask(tmp_path, name), tmp_path / "work")


@pytest.mark.parametrize("name", ["eyeq", "deepdrid"])
def test_multitask(tmp_path, name):
    config = recipes.load(f"paper,tiny,set={name}", "multitask")
    any_counts(config)
    supplies = multitask(tmp_path, name)
    wanted, said = follow(config, supplies, tmp_path / "work")
    assert wanted == [*supplies]
    assert said[0].startswith("stage 'teacher' needs MSHF")
    assert "resnet18.safetensors is not there" in said[1]
    assert said[2].startswith("stage 'single' needs ")
    assert (tmp_path / "work" / "model" / "model.safetensors").is_file()


SETS = {
    "deepdr": "DEEPDR",
    "eyeq": "EYEQ",
    "drac": "DRAC",
    "ct": "IQAD-CT",
    "cxr": "IQAD-CXR",
}


def write_iqad(root, name):
    variant = SETS[name]
    sizes = len(iqad.DIAGNOSES[variant]), len(iqad.CODES[variant])
    return paper_sets.iqad(root / "iqad", variant, *sizes)


@pytest.mark.parametrize("name", SETS)
def test_empty_folders_for_mkcnet(tmp_path, name):
    config = recipes.load(f"paper:{name}", "mkcnet")
    any_counts(config)
    supplies = {"data.path": lambda: write_iqad(tmp_path, name)}
    empty_folders_are_told(config, supplies, tmp_path / "work")


@pytest.mark.parametrize("name", SETS)
def test_mkcnet(tmp_path, name):
    config = recipes.load(f"paper:{name},tiny", "mkcnet")
    any_counts(config)
    supplies = {"data.path": lambda: write_iqad(tmp_path, name)}
    wanted, said = follow(config, supplies, tmp_path / "work")
    assert wanted == ["data.path"]
    assert said[0].startswith("stage 'vanilla' needs IQAD")
    assert (tmp_path / "work" / "compare" / "compare.csv").is_file()


@pytest.mark.parametrize("name", SETS)
def test_mkcnets_sets_are_read_as_published(tmp_path, name):
    """Whole frames squashed, and the split of MKCNet's lists where they are its own."""
    config = recipes.load(f"paper:{name}", "mkcnet")
    any_counts(config)
    config.data.path = str(write_iqad(tmp_path, name))
    data = open_data(config.stage.second_order.data, tmp_path / "work")
    example = data.source.read(0)
    assert example["image"].shape == (256, 256, 3 if name in ("deepdr", "eyeq") else 1)
    counts = [len(data.rows(split)) for split in ("train", "val", "test")]
    assert counts == ([12, 6, 6] if name != "drac" else counts)
    assert min(counts) > 0
    classes = set(data.labels(data.rows("train"))["diagnosis"].tolist())
    assert classes == set(range(len(config.data.diagnosis)))
