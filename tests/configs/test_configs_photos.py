"""The recipes on real photographs: who reads what, and one of them whole, on drawn stand-ins."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from recipes import load

from fiqa_jax.predictions import schema
from fiqa_jax.recipe import jobs, runner
from fiqa_jax.recipe.jobs import RecipeError
from input_pipeline import synthetic
from input_pipeline.sources import opening, splits

pytestmark = pytest.mark.whole


@pytest.fixture(scope="module")
def eyes(tmp_path_factory):
    """Ten synthetic eyes of five people with masks, and tables with columns of the real sets."""
    root = tmp_path_factory.mktemp("eyes")
    (root / "vessels").mkdir()
    hrf, chase = ["image,vessels"], ["original,vessels,participant"]
    for i in range(10):
        drawn = synthetic.draw(i, 96, "ab"[i % 2])
        Image.fromarray(drawn.image).save(root / f"{i}.png")
        Image.fromarray(drawn.vessels[..., 2]).save(root / "vessels" / f"{i}.png")
        hrf.append(f"{i}.png,vessels/{i}.png")
        chase.append(f"{i}.png,vessels/{i}.png,p{i // 2}")
    (root / "hrf.csv").write_text("\n".join(hrf))
    (root / "chase.csv").write_text("\n".join(chase))
    drimdb = ["original,quality,gradable"]
    drimdb += [f"{i}.png,{'good' if i < 6 else 'outlier'},{int(i < 6)}" for i in range(10)]
    (root / "drimdb.csv").write_text("\n".join(drimdb))
    return root


def with_paths(config, eyes):
    config.data.path = str(eyes / "chase.csv")
    config.stage.teacher.data.path = str(eyes / "hrf.csv")
    config.stage.single_drimdb.data.path = str(eyes / "drimdb.csv")
    return config


def test_every_set_serves_its_purpose_alone(eyes):
    config = with_paths(load("photos"), eyes)
    paths = {name: Path(config.stage[name].data.path).name for name in config.stages}
    assert {name for name, path in paths.items() if path == "hrf.csv"} == {"teacher"}
    external = {name for name, path in paths.items() if path == "drimdb.csv"}
    assert external == {"single_drimdb", "student_drimdb"}
    for name in config.stages:  # nothing is learnt or chosen from what they leave
        if external & set(jobs.needs(config.stage[name])):
            assert config.stage[name].kind == "compare"
    assert all(config.stage[name].kind == "apply" for name in external)


def test_children_are_split_as_such(eyes):
    section = with_paths(load("photos,tiny"), eyes).stage.student.data
    source = opening.make_source(section)
    split = splits.assign(source.table, section.split, section.seed)
    assert {*split} == {"train", "val", "test"}
    whose = {name: set(source.table.patient[split == name].tolist()) for name in set(split)}
    assert sum(map(len, whose.values())) == len(set.union(*whose.values())) == 5


def test_the_external_test_leaves_outliers_out_and_paints_the_stamp(eyes):
    section = with_paths(load("photos,tiny"), eyes).stage.student_drimdb.data
    source = opening.make_source(section)
    np.testing.assert_array_equal(source.table.labels["ungradable"], [0] * 6)
    (box,) = source.reader.erase
    assert box[0] <= 572
    assert box[1] <= 8
    assert box[2] >= 676
    assert box[3] >= 22


def test_a_path_that_is_not_given_is_asked_for(tmp_path):
    config = load("photos,tiny")
    config.data.path = "chase.csv"  # the teacher does not fall back on the students' photographs
    with pytest.raises(
        RecipeError, match=r"'teacher' .*give --config\.stage\.teacher\.data\.path="
    ):
        runner.run(config, tmp_path)


@pytest.mark.slow
def test_details_run_from_photographs_to_the_test_of_others(eyes, tmp_path):
    config = load("tiny", "details")
    config.stage.photos.data.path = str(eyes / "hrf.csv")
    config.stage.elsewhere.data.path = str(eyes / "chase.csv")
    runner.run(config, tmp_path)
    found = schema.load(tmp_path / "elsewhere" / "predictions_all.csv")
    assert found.id.tolist() == [f"{i}~{k}.png" for i in range(10) for k in range(2)]
    assert found.patient.tolist() == [f"p{i // 2}" for i in range(10) for _ in range(2)]
    assert found.truth["details"].shape == found.outputs["p_details"].shape == (20, 4)
    before = schema.load(tmp_path / "elsewhere_drawn" / "predictions_all.csv")
    np.testing.assert_array_equal(before.truth["details"], found.truth["details"])
    assert (before.outputs["p_details"] != found.outputs["p_details"]).any()
    record = json.loads((tmp_path / "photos" / "stage.json").read_text())
    assert record["facts"]["train_rows"] == 16
