"""Runs that cannot mean anything are refused, nothing is written; a second try needs no redo."""

import logging
import sys

import numpy as np
import pytest
import recipes
from PIL import Image

from fiqa_jax.recipe import jobs, preflight, runner
from fiqa_jax.recipe.jobs import RecipeError
from input_pipeline.tables.table_error import TableError

GRADES = ("good", "usable", "reject")


def table(folder, rows, header="path,quality"):
    """A CSV of photographs that are there, one line of cells after the name each."""
    lines = [header]
    for number, cells in enumerate(rows):
        (folder / f"{number}.png").touch()  # nobody looks into it
        lines.append(f"{number}.png,{cells}")
    (folder / "t.csv").write_text("\n".join(lines) + "\n")
    return str(folder / "t.csv")


def single(path, **data):
    c = recipes.load("single,tiny")
    with c.unlocked():
        c.data.update({"source": "csv", "path": path, **data})
    return c


def refused(config, tmp_path, error=RecipeError):
    with pytest.raises(error) as caught:
        runner.run(config, tmp_path / "work")
    assert not (tmp_path / "work").exists()
    return str(caught.value)


def test_one_class_for_training(tmp_path):
    said = refused(single(table(tmp_path, ["good"] * 10)), tmp_path)
    assert said.startswith("stage 'single': quality: all 7 labelled training photographs are good")
    assert "at least two classes are needed" in said


def test_without_tensorflow_nothing_begins(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    path = table(tmp_path, GRADES * 4)
    said = refused(single(path, driver="tfdata"), tmp_path)
    assert "data.driver=tfdata needs TensorFlow, which is not installed" in said
    assert "--config.data.driver=threads" in said


def test_one_class_in_one_split(tmp_path):
    rows = [f"{GRADES[k % 2]},{split}" for k, split in enumerate(["train"] * 6 + ["test"] * 4)]
    rows += ["reject,val"] * 3
    said = refused(single(table(tmp_path, rows, "path,quality,split")), tmp_path)
    assert "quality: all 3 labelled validation photographs are reject" in said


def test_one_class_of_gradability_and_of_diagnosis(tmp_path):
    path = table(tmp_path, ["1"] * 10, "path,gradable")
    assert "ungradable: all 7 labelled training photographs are gradable" in refused(
        single(path, classes=2), tmp_path
    )
    path = table(tmp_path, [f"{g},dr" for g in GRADES * 10], "path,quality,diagnosis")
    said = refused(single(path, diagnosis=("none", "dr")), tmp_path)
    assert "diagnosis: all" in said
    assert "photographs are dr" in said


def test_no_label_at_all_and_none_in_the_training_split(tmp_path):
    path = table(tmp_path, [""] * 10)
    assert "no training photograph of t.csv has a label" in refused(single(path), tmp_path)
    rows = [",train"] * 5 + [f"{g},{s}" for s in ("val", "test") for g in GRADES]
    path = table(tmp_path, rows, "path,quality,split")
    assert "no training photograph of t.csv has a label" in refused(single(path), tmp_path)


def test_no_validation_where_the_calibration_needs_it(tmp_path):
    path = table(tmp_path, GRADES * 10)
    said = refused(single(path, split=(0.8, 0.0, 0.2)), tmp_path)
    assert "no photographs for validation, which stage 'calibrated' needs" in said
    said = refused(single(path, split=(0.8, 0.2, 0.0)), tmp_path)
    assert "no photographs for test, which stage 'compare' needs" in said


def test_nothing_to_train_on(tmp_path):
    path = table(tmp_path, [f"{g},test" for g in GRADES * 3], "path,quality,split")
    said = refused(single(path), tmp_path)
    assert "t.csv leaves no photographs for training: its own splits hold test 9" in said


def test_fewer_patients_than_folds_and_than_splits(tmp_path):
    c = single(table(tmp_path, GRADES))
    c.repeat.fold = 5
    said = refused(c, tmp_path, TableError)
    assert "5 folds were asked for, but there are 3 patients" in said
    assert "2 patients cannot fill 3 splits" in refused(
        single(table(tmp_path, GRADES[:2])), tmp_path, TableError
    )


def test_what_can_be_learned_passes(tmp_path):
    for c in (
        single(table(tmp_path, GRADES * 10)),
        single(table(tmp_path, ["good", "reject"] * 10)),  # two of three grades
        single(table(tmp_path, [*GRADES, ""] * 10)),  # some without a label
        single(table(tmp_path, ["1", "0"] * 10, "path,gradable")),
    ):
        todo = jobs.unfold(c, tmp_path / "work")
        preflight.check(c, todo, todo)


def test_methods_without_labels_ask_for_none(tmp_path, caplog):
    """A folder of good photographs alone; and it is said at once that it is small."""
    table(tmp_path, ["good"] * 109)
    c = recipes.load("photos,tiny", "efiqa")
    c.data.path = str(tmp_path)
    todo = jobs.unfold(c, tmp_path / "work")
    with caplog.at_level(logging.WARNING):
        preflight.check(c, todo, todo)
    assert "of 109 photographs at most 33 will be kept, fewer than 200" in caplog.text


def test_a_second_try_needs_no_redo(tmp_path):
    """A photograph that cannot be read stops the stage after it began; nothing of it was made."""
    path = table(tmp_path, GRADES * 10)
    with pytest.raises(ValueError, match=r"png: an empty file"):
        runner.run(single(path), tmp_path / "work")
    assert (tmp_path / "work" / "single" / "started.json").is_file()
    rng = np.random.default_rng(0)
    for file in tmp_path.glob("*.png"):
        Image.fromarray(rng.integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(file)
    again = single(path, side=32)
    (job, *_) = jobs.unfold(again, tmp_path / "work")
    assert not jobs.is_done(job, [job])
    (job.directory / "checkpoints" / "4").mkdir(parents=True)
    with pytest.raises(RecipeError, match=r"was begun in .* data\.side: 48 -> 32"):
        jobs.is_done(job, [job])
