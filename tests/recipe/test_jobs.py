"""Recipes: order, repetitions, staleness. Nothing is trained here."""

import os

import pytest

from fiqa_jax import defaults
from fiqa_jax.recipe import jobs as plan
from fiqa_jax.recipe import stage_files
from fiqa_jax.recipe.jobs import RecipeError
from input_pipeline.sums import DamageError


def recipe(**repeat):
    c = defaults.base()
    c.repeat.update(repeat)
    defaults.add_stage(c, "teacher", "train")
    defaults.add_stage(c, "single", "train", repeat=True)
    defaults.add_stage(c, "labels", "apply", of="teacher")
    defaults.add_stage(
        c, "student", "train", labels="labels", model={"init": "single"}, repeat=True
    )
    defaults.add_stage(c, "table", "compare", of=("single", "student"), reference="single")
    return c


def finish_all(jobs):
    for job in jobs:
        plan.begin(job)
        (job.directory / "predictions_test.csv").write_text(job.title)
        plan.finish(job, {})


def test_order_and_needs(tmp_path):
    jobs = plan.unfold(recipe(), tmp_path)
    assert [j.title for j in jobs] == ["teacher", "single", "labels", "student", "table"]
    student = jobs[3]
    assert student.needs == {
        "labels": (tmp_path / "labels",),
        "single": (tmp_path / "single",),
    }


def test_repetitions_pair_up(tmp_path):
    jobs = plan.unfold(recipe(seed=2, fold=3), tmp_path)
    titles = [j.title for j in jobs]
    assert titles[0] == "teacher"
    assert titles[1:7] == [f"single/seed{s}-fold{f}" for s in (0, 1) for f in (0, 1, 2)]
    student = next(j for j in jobs if j.title == "student/seed1-fold2")
    assert student.needs["single"] == (tmp_path / "single" / "seed1-fold2",)
    assert student.needs["labels"] == (tmp_path / "labels",)
    assert (student.seed, student.fold, student.folds) == (1, 2, 3)
    assert len(jobs[-1].needs["student"]) == 6


def test_unknown_and_later_stages(tmp_path):
    c = defaults.base()
    defaults.add_stage(c, "labels", "apply", of="teacher")
    defaults.add_stage(c, "teacher", "train")
    with pytest.raises(RecipeError, match="'labels' reads 'teacher', which does not come before"):
        plan.unfold(c, tmp_path)
    c.stages = ("labels", "nobody")
    c.stage.labels.of = ""
    with pytest.raises(RecipeError, match="names 'nobody'"):
        plan.unfold(c, tmp_path)


def test_finished_stages_are_known(tmp_path):
    jobs = plan.unfold(recipe(), tmp_path)
    assert not any(plan.is_done(j, jobs) for j in jobs)
    finish_all(jobs)
    assert all(plan.is_done(j, jobs) for j in jobs)


def test_changed_value_names_field_and_stages_downstream(tmp_path):
    finish_all(plan.unfold(recipe(), tmp_path))
    c = recipe()
    c.stage.single.optim.lr = 0.5
    jobs = plan.unfold(c, tmp_path)
    with pytest.raises(RecipeError) as error:
        plan.is_done(jobs[1], jobs)
    message = str(error.value)
    assert "optim.lr: 0.0001 -> 0.5" in message
    assert "--redo=single" in message
    assert "student, table" in message
    assert "teacher" not in message


def test_a_stage_that_was_only_begun_is_checked_too(tmp_path):
    jobs = plan.unfold(recipe(), tmp_path)
    plan.begin(jobs[0])
    assert not plan.is_done(jobs[0], jobs)
    c = recipe()
    c.data.side = 999
    other = plan.unfold(c, tmp_path)
    assert not plan.is_done(other[0], other)  # nothing was made yet: it begins anew
    (jobs[0].directory / "checkpoints" / "8").mkdir(parents=True)
    with pytest.raises(RecipeError, match=r"was begun .* data\.side: 128 -> 999"):
        plan.is_done(other[0], other)


def test_speed_settings_are_free(tmp_path):
    finish_all(plan.unfold(recipe(), tmp_path))
    c = recipe()
    c.data.workers = 7
    c.data.driver = "threads"
    jobs = plan.unfold(c, tmp_path)
    assert all(plan.is_done(j, jobs) for j in jobs)


def test_changed_input_is_noticed(tmp_path):
    jobs = plan.unfold(recipe(), tmp_path)
    finish_all(jobs)
    (tmp_path / "labels" / "predictions_test.csv").write_text("something else")
    plan.finish(jobs[2], {})
    with pytest.raises(RecipeError, match="input labels: its result has changed"):
        plan.is_done(jobs[3], jobs)


def test_redo_removes_what_follows(tmp_path):
    jobs = plan.unfold(recipe(), tmp_path)
    finish_all(jobs)
    assert plan.redo(jobs, ["labels"], tmp_path) == ["labels", "student", "table"]
    assert (tmp_path / "single").is_dir()
    assert not (tmp_path / "student").exists()
    with pytest.raises(RecipeError, match="--redo=nobody: no such stage"):
        plan.redo(jobs, ["nobody"], tmp_path)


def test_results_do_not_depend_on_where_the_folder_is(tmp_path):
    finish_all(plan.unfold(recipe(), tmp_path / "a"))
    (tmp_path / "a").rename(tmp_path / "b")
    jobs = plan.unfold(recipe(), tmp_path / "b")
    assert all(plan.is_done(j, jobs) for j in jobs)


@pytest.mark.parametrize("left", [0, 1, 30])
def test_a_stage_record_that_is_cut_off_is_named(tmp_path, left):
    file = tmp_path / "single" / "stage.json"
    file.parent.mkdir()
    stage_files.write(file, {"name": "single", "settings": {"seed": 0}, "inputs": {}})
    os.truncate(file, left)
    with pytest.raises(DamageError, match=r"stage\.json is damaged .*--redo=single"):
        stage_files.read(file)
