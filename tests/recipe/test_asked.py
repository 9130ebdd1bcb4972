"""What a recipe asks for before it begins: the right flag, whichever section a stage follows."""

import pytest
import recipes

from fiqa_jax import defaults
from fiqa_jax.recipe import asked, jobs, runner
from fiqa_jax.recipe.jobs import RecipeError
from fiqa_jax.recipe.stages.context import Context
from input_pipeline.tables.examples import TableError


def recipe(**data):
    c = defaults.base()
    c.method.update(defaults.METHODS["multitask"])
    c.data.update({"source": "folder", "cache": "none", "driver": "threads", **data})
    c.train.steps = 1
    defaults.add_stage(c, "first", "train")
    defaults.add_stage(c, "own", "train", data={"path": "", "source": "csv"})
    return c


def test_a_stage_that_follows_the_top_level_is_reached_there():
    c = recipe()
    assert asked.reaching(c, "first", "data.path") == "--config.data.path"
    assert asked.reaching(c, "own", "data.path") == "--config.stage.own.data.path"
    assert asked.reaching(c, "own", "data.root") == "--config.data.root"
    assert asked.reaching(c, "own", "path") == "--config.stage.own.path"
    c.stage.first.data.path = "x"  # as --config.stage.first.data.path=x does
    assert asked.reaching(c, "first", "data.path") == "--config.stage.first.data.path"
    assert (c.data.path, c.stage.own.data.path) == ("", "")


def test_one_thing_at_a_time_in_the_order_of_the_stages(tmp_path):
    c = recipe()
    todo = jobs.unfold(c, tmp_path)
    assert asked.missing(c, todo) == (
        "stage 'first' needs a folder of photographs: give --config.data.path=FOLDER"
    )
    c.data.path = "x"
    c.model.weights = str(tmp_path / "none.safetensors")
    assert asked.missing(c, todo).endswith("give --config.model.weights=FILE.safetensors")
    c.model.weights = ""
    c.stage.first.data.exclude = "?"
    assert "give --config.stage.first.data.exclude=FILE" in asked.missing(c, todo)
    assert "give --config.stage.own.data.path=TABLE.csv" in asked.missing(c, todo[1:])
    c.asks = (("own.data.path", "the table of the clinic"),)
    assert asked.missing(c, todo[1:]).startswith("stage 'own' needs the table of the clinic: give")


def test_nothing_is_written_before(tmp_path):
    with pytest.raises(RecipeError, match=r"stage 'first' needs"):
        runner.run(recipe(), tmp_path / "work")
    assert not (tmp_path / "work").exists()


@pytest.mark.parametrize("own", [False, True])
def test_messages_of_sources_name_the_flag_of_the_stage(tmp_path, own):
    """An empty folder: what is said of it is true of the stage that was to read it."""
    c = recipe(path=str(tmp_path / "none"))
    c.stage.own.data.path = "x"
    if own:
        c.stage.first.data.path = str(tmp_path / "none")
    flag = "--config.stage.first.data.path" if own else "--config.data.path"
    with pytest.raises(TableError) as caught:
        runner.run(c, tmp_path / "work")
    said = str(caught.value)
    assert said.startswith("stage 'first': ")
    assert f"there is no such folder; set {flag} to a folder" in said


EMPTY = {
    ("efiqa", "paper"): ("good", "no photographs in this folder or below"),
    ("efiqa_cp", "paper"): ("vessels", "no 'Individual_scores.xlsx.xlsx' in this folder or below"),
    ("mkcnet", "paper:eyeq"): ("vanilla", "no 'EYEQ/train.txt' in this folder or below"),
    ("multitask", "paper"): ("teacher", "no 'Individual_scores.xlsx.xlsx' in this folder or below"),
    ("multitask", "paper,set=deepdrid"): ("single", "no 'regular-fundus-training.csv' in this"),
}


@pytest.mark.parametrize("name", EMPTY, ids="-".join)
def test_an_empty_folder_is_told_what_it_lacks(tmp_path, name):
    """In one line: the stage that opens it, the folder, and the file that is missing in it."""
    stage, said = EMPTY[name]
    config = recipes.load(name[1], name[0])
    (tmp_path / "empty").mkdir()
    config.stage[stage].data.path = str(tmp_path / "empty")
    (job, *_) = (j for j in jobs.unfold(config, tmp_path / "work") if j.stage == stage)
    context = Context(None, tmp_path / "work", config)
    with pytest.raises(TableError) as caught:
        context.data(job)
    first = str(caught.value).splitlines()[0]
    assert first.startswith(f"stage {job.title!r}: ")
    assert said in first
    assert str(tmp_path / "empty") in first
