"""What a recipe asks for before it begins: the right flag, whichever section a stage follows."""

import pytest

from fiqa_jax import defaults
from fiqa_jax.recipe import jobs, required, runner
from fiqa_jax.recipe.jobs import RecipeError
from input_pipeline.tables.table_error import TableError


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
    assert required.flag_of(c, "first", "data.path") == "--config.data.path"
    assert required.flag_of(c, "own", "data.path") == "--config.stage.own.data.path"
    assert required.flag_of(c, "own", "data.root") == "--config.data.root"
    assert required.flag_of(c, "own", "path") == "--config.stage.own.path"
    c.stage.first.data.path = "x"  # as --config.stage.first.data.path=x does
    assert required.flag_of(c, "first", "data.path") == "--config.stage.first.data.path"
    assert (c.data.path, c.stage.own.data.path) == ("", "")


def test_one_thing_at_a_time_in_the_order_of_the_stages(tmp_path):
    c = recipe()
    todo = jobs.unfold(c, tmp_path)
    assert required.missing(c, todo) == (
        "stage 'first' needs a folder of photographs: give --config.data.path=FOLDER"
    )
    c.data.path = "x"
    c.model.weights = str(tmp_path / "none.safetensors")
    assert required.missing(c, todo).endswith("give --config.model.weights=FILE.safetensors")
    c.model.weights = ""
    c.stage.first.data.exclude = "?"
    assert "give --config.stage.first.data.exclude=FILE" in required.missing(c, todo)
    assert "give --config.stage.own.data.path=TABLE.csv" in required.missing(c, todo[1:])
    c.asks = (("own.data.path", "the table of the clinic"),)
    assert required.missing(c, todo[1:]).startswith(
        "stage 'own' needs the table of the clinic: give"
    )


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


def test_a_folder_without_what_it_should_hold_is_asked_for_again(tmp_path):
    c = recipe(path="x")
    c.stage.own.data.path = "x"
    defaults.add_stage(c, "there", "fit", artefact="model", path=str(tmp_path))
    defaults.add_stage(c, "features", "apply", features=True, encoder=str(tmp_path))
    todo = jobs.unfold(c, tmp_path / "work")
    assert required.missing(c, todo) == (
        "stage 'there' needs a model that was trained elsewhere, a directory or a converted file "
        f"({tmp_path} has no config.json): give --config.stage.there.path=PATH"
    )
    (tmp_path / "config.json").write_text("{}")
    assert required.missing(c, todo) == (
        "stage 'features' needs an encoder in a folder as it was downloaded, or in a converted "
        f"file ({tmp_path} has no config.json that says what network it holds): "
        "give --config.stage.features.encoder=FOLDER"
    )
    (tmp_path / "config.json").write_text('{"model_type": "dinov2"}')
    assert f"({tmp_path} lacks model.safetensors: download it again, in whole)" in required.missing(
        c, todo
    )
    (tmp_path / "model.safetensors").touch()
    assert required.missing(c, todo) == ""
