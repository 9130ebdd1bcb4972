"""The recipe of families: who learns from what, and PatchCore and EyeQual run, tiny."""

import json
import re

import numpy as np
import pytest
import recipes

from fiqa_jax.inference import model_dir
from fiqa_jax.inference.predictor import Predictor
from fiqa_jax.recipe import jobs, runner
from input_pipeline import synthetic
from input_pipeline.storage import shards

pytestmark = pytest.mark.whole


@pytest.mark.parametrize("argument", ["", "tiny"])
def test_who_learns_from_what(argument, tmp_path):
    config = recipes.load(argument, "families")
    stages = {job.stage: job for job in jobs.unfold(config, tmp_path)}  # in an order that works
    assert config.deliver == "efiqa_cp"
    # good photographs are drawn, as those of inpainting; features are the adapter's
    assert config.stage.good_features.data == config.stage.good.data
    assert config.stage.patchcore.data == config.stage.good.data
    assert config.stage.good_features.data.lq_ratio == 0.0
    assert config.stage.good_features.of == config.stage.features.of
    assert set(stages["patchcore"].needs) == {"good_features"}
    # labels are of the photographs that all others learn from, too
    for name in ("eyequal", "classifier"):
        assert config.stage[name].data == config.stage.adapter.data
        assert not stages[name].needs
    assert config.stage.classifier.method.heads == ("ungradable",)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Features of raw pixels, so that no segmentor is needed."""
    workdir = tmp_path_factory.mktemp("families")
    config = recipes.load("tiny", "families")
    for name in ("features", "good_features"):
        config.stage[name].of, config.stage[name].encoder = "", "pixels"
    config.stages = ("features", "good_features", "patchcore", "patchcore_tested", "eyequal")
    config.deliver = "eyequal"
    runner.run(config, workdir)
    return workdir


def facts(workdir, stage):
    return json.loads((workdir / stage / "stage.json").read_text())["facts"]


def test_labels_of_both_kinds(run):
    counts = model_dir.read_config(run / "eyequal" / "model")["data"]["class_counts"]["ungradable"]
    assert min(counts) >= 3
    assert {"ungradable_auroc", "map_auroc"} <= set(facts(run, "eyequal")["test"])


def test_stored_maps_are_those_of_the_photographs(run):
    """From the tested photographs' features, and from the photographs themselves."""
    found = facts(run, "patchcore")
    assert found["members"] == round(0.1 * found["cells"])
    tested = shards.opened(run / "patchcore_tested").all("map")
    features = shards.opened(run / "features")
    assert tested.shape[1:] == features.row(0)["features"].shape[:2]
    assert 0 < tested.max() < 1
    assert (run / "patchcore_tested" / "rows_test.csv").read_text().startswith("id,map_auroc")


def test_patchcore_can_be_delivered(run):
    config = recipes.load("tiny", "families")
    for name in ("features", "good_features"):
        config.stage[name].of, config.stage[name].encoder = "", "pixels"
    config.stages = ("features", "good_features", "patchcore", "patchcore_tested", "eyequal")
    config.deliver = "patchcore"
    runner.run(config, run)  # every stage is finished already
    assert model_dir.read_config(run / "model")["method"] == "patchcore"
    card = (run / "model" / "model_card.md").read_text()
    assert f"| members | {facts(run, 'patchcore')['members']} |" in card
    assert re.search(r"Source: .*drawn", card)


@pytest.mark.parametrize("name", ["patchcore", "eyequal"])
def test_models_map_a_photograph(run, name):
    large = synthetic.example(9, 1, 160)["image"]
    row = Predictor(run / name / "model")(np.pad(large, ((8, 8), (8, 8), (0, 0))))
    assert row["status"] == "ok"
    assert 0 <= row["bad_area"] <= 1
    assert 0 <= row["score"] <= 1
