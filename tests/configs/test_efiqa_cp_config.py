"""EFIQA-CP's recipe: who reads what in each variant, one run whole, its maps in benchmarks."""

import json

import numpy as np
import pytest
import recipes
from PIL import Image

from fiqa_jax import defaults, predict
from fiqa_jax.benchmark import __main__ as benchmark
from fiqa_jax.inference import model_dir
from fiqa_jax.recipe import jobs
from input_pipeline import synthetic
from input_pipeline.storage import shards

PALETTE = [0, 0, 0, 106, 153, 78, 232, 168, 56, 193, 69, 69]


@pytest.mark.parametrize("argument", ["", "tiny", "photos", "paper", "features", "sweep,tiny"])
def test_the_trio_differs_in_nothing_but_network_and_risk(argument, tmp_path):
    config = recipes.load(argument, "efiqa_cp")
    stages = {job.stage: job for job in jobs.unfold(config, tmp_path)}  # in an order that works
    plain = {name: defaults.resolved(config.stage[name]) for name in ("adapter", "cnn", "efiqa_cp")}
    assert [plain[n]["method"].get("risk") for n in plain] == [None, "bce", "nnpu"]
    plain["cnn"]["method"]["risk"] = "nnpu"
    assert plain["cnn"] == plain["efiqa_cp"]
    assert all(("bad", "labels", "bad") in stage["inputs"] for stage in plain.values())
    assert stages["cp_tested"].config.split == stages["tested"].config.split
    assert "cp_tested" in stages["pictures"].needs
    sweep = {n: config.stage[n].method.prior for n in stages if n.startswith("prior_")}
    assert list(sweep.values()) == ([0.01, 0.02, 0.1, 0.2] if "sweep" in argument else [])


def test_paper_has_the_published_settings():
    config = recipes.load("paper", "efiqa_cp")
    own, stage = config.stage.efiqa_cp.method, config.stage.efiqa_cp
    assert (own.width, own.ratio, own.prior, own.beta, own.variant) == (512, 1, 0.05, 0.0, "clamp")
    assert (own.surrogate, own.include_positives, own.field) == ("logistic", False, False)
    assert (stage.optim.lr, stage.optim.weight_decay, stage.train.batch) == (1e-3, 0.01, 16)
    assert (stage.optim.schedule, stage.train.epochs) == ("constant", 100.0)
    fine = config.stage.fine_features
    assert (fine.size, fine.data.side, fine.data.crop) == (0, 1024, "squash")
    assert config.deliver == "cp_maps"


@pytest.mark.parametrize("photos", [False, True])
def test_with_features_the_trio_reads_the_same(photos):
    config = recipes.load("features,photos" if photos else "features", "efiqa_cp")
    read = {name: set(config.stage[name].inputs) for name in ("adapter", "cnn", "efiqa_cp")}
    assert read["adapter"] == read["cnn"] == read["efiqa_cp"]
    assert "image" not in config.stage.vessels.store
    assert len(config.stage.cnn.method.blocks) == 1  # as many cells out as in
    assert config.stage.cnn.augment.train == ""
    assert config.deliver == "cp_maps"
    assert config.stage.cp_maps.inputs == config.stage.maps.inputs


@pytest.fixture(scope="module")
def run(shared_run):
    return shared_run / "work"


@pytest.mark.whole
def test_the_network_reads_photographs_and_their_labels(run):
    stored = shards.opened(run / "vessels")
    row = stored.row(0)
    assert row["image"].shape == (64, 64, 3)
    assert row["image"].dtype == np.uint8
    config = model_dir.read_config(run / "efiqa_cp" / "model")
    assert config["method"] == "nnpu"
    assert "encoder" not in config
    facts = json.loads((run / "efiqa_cp" / "stage.json").read_text())["facts"]
    assert {"bce", "flagged", "map_auroc"} <= set(facts["test"])
    # what was stored of a tested photograph is what the delivered model gives
    tested = shards.opened(run / "cp_tested")
    place = stored.id.tolist().index(tested.id[0])
    batch = {k: stored.row(place)[k][None] for k in ("image", "fov")}
    out = model_dir.load(run / "efiqa_cp" / "model").predict(batch)
    assert out["map"].shape == (1, 4, 4)
    np.testing.assert_allclose(out["map"][0], tested.row(0)["map"], atol=1e-6)


@pytest.mark.whole
def test_predicted_maps_in_funpiqs_format(run, capsys, tmp_path):
    (tmp_path / "annotations").mkdir()
    (tmp_path / "photographs").mkdir()
    pad = ((12, 12), (20, 20))
    for k in range(4):
        eye = synthetic.example(5, k, 160, "abc", 1.0)
        codes = np.kron(eye["map"], np.ones((160 // len(eye["map"]),) * 2, np.uint8))
        codes = np.pad(np.where((eye["fov"] > 0) & (codes < 4), codes, 0), pad).astype(np.uint8)
        picture = Image.new("P", codes.shape[::-1])
        picture.putpalette(PALETTE)
        picture.putdata(codes.ravel().tolist())
        picture.save(tmp_path / "annotations" / f"{k}.png")
        photograph = Image.fromarray(np.pad(eye["image"], (*pad, (0, 0))))
        photograph.save(tmp_path / "photographs" / f"{k}.png")
    out = tmp_path / "out"
    arguments = [
        str(tmp_path / "photographs"),
        "--model",
        str(run / "efiqa_cp" / "model"),
        "--maps",
    ]
    assert predict.main([*arguments, "--allow-frame", "--output", str(out)]) == 0
    folders = {"maps": out / "maps", "annotations": tmp_path / "annotations"}
    folders["photographs"] = tmp_path / "photographs"
    argv = [x for name, folder in folders.items() for x in (f"--{name}", str(folder))]
    assert benchmark.main(["funpiq", *argv]) == 0
    text = capsys.readouterr().out
    assert "4 photographs of 4 patients" in text
    assert "| maps, image mean |" in text
