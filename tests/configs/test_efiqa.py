"""The recipe of EFIQA, tiny, from end to end: stages, delivered model, report, benchmark."""

import json

import numpy as np
import pytest
import recipes
import whole_run
from PIL import Image

from fiqa_jax.benchmark import __main__ as benchmark
from fiqa_jax.inference import model_dir
from fiqa_jax.inference.predictor import Predictor
from fiqa_jax.recipe import runner
from fiqa_jax.report import build, maps_page
from input_pipeline import synthetic
from input_pipeline.storage import shards

pytestmark = pytest.mark.whole


@pytest.fixture(scope="module")
def run(shared_run):
    workdir = shared_run / "work"
    return workdir / build.PAGE, workdir


def facts(workdir, stage):
    return json.loads((workdir / stage / "stage.json").read_text())["facts"]


def test_threshold_was_fitted_on_good_maps_held_out(run):
    _, workdir = run
    found = shards.opened(workdir / "held_out")
    cells, seen = found.all("cells"), found.all("seen")
    value = facts(workdir, "threshold")["threshold"]
    inside = cells[seen >= 0.5]
    assert (inside > value).mean() <= 0.01
    config = model_dir.read_config(workdir / "threshold" / "model")
    assert config["settings"]["method"]["threshold"] == value
    good = shards.opened(workdir / "good")
    assert set(found.id) < set(good.id)


def test_labels_follow_from_cells_and_threshold(run):
    _, workdir = run
    found = shards.opened(workdir / "labels")
    bad, cells, seen = (found.all(n) for n in ("bad", "cells", "seen"))
    value = facts(workdir, "threshold")["threshold"]
    np.testing.assert_array_equal(bad == 1, (cells > value) & (seen >= 0.5))
    np.testing.assert_array_equal(bad == 255, seen < 0.5)


def test_vessel_maps_are_stored_as_bytes(run):
    _, workdir = run
    row = shards.opened(workdir / "vessels").row(0)
    assert row["vessels"].dtype == np.uint8
    assert row["vessels"].shape == (64, 64, 3)
    assert set(row) == {"vessels", "fov", "map", "image"}


def test_the_delivered_model_maps_a_photograph(run):
    _, workdir = run
    photograph = synthetic.example(9, 0, 64)
    model = model_dir.load(workdir / "model")
    batch = {"image": photograph["image"][None], "fov": photograph["fov"][None]}
    out = model.predict(batch)
    assert out["map"].shape == (1, 4, 4)
    # the stored features of a tested photograph give the same map as the photograph
    tested = shards.opened(workdir / "tested")
    source = shards.opened(workdir / "features")
    place = source.id.tolist().index(tested.id[0])
    again = model_dir.load(workdir / "adapter" / "model").predict(
        {k: source.row(place)[k][None] for k in ("features", "seen")}
    )
    np.testing.assert_allclose(again["map"][0], tested.row(0)["map"], atol=1e-6)
    judged = Predictor(workdir / "model")
    large = synthetic.example(9, 1, 256)["image"]
    row = judged(np.pad(large, ((8, 8), (8, 8), (0, 0))))
    assert row["status"] == "ok"
    assert 0 <= row["bad_area"] <= 1


def test_a_model_with_another_encoder_is_refused(run, tmp_path):
    _, workdir = run
    config = model_dir.read_config(workdir / "model")
    config["encoder"]["digest"] = "0" * 64
    target = tmp_path / "model"
    target.mkdir()
    for file in (model_dir.WEIGHTS, model_dir.ENCODER):
        (target / file).write_bytes((workdir / "model" / file).read_bytes())
    model_dir.write_config(target, config)
    with pytest.raises(model_dir.ModelError, match="weights have changed"):
        model_dir.load(target)
    (target / model_dir.ENCODER).unlink()
    with pytest.raises(model_dir.ModelError, match="copy the model directory again"):
        model_dir.load(target)


def test_report_shows_maps(run):
    page, workdir = run
    text = page.read_text()
    assert maps_page.TEXT.split(";")[0] in text
    assert (workdir / "pictures" / "map-0.png").is_file()
    card = (workdir / "model" / "model_card.md").read_text()
    assert "| quality |" in card  # what is delivered grades


def test_a_second_run_has_nothing_to_do(run, caplog):
    _, workdir = run
    before = {p: p.stat().st_mtime_ns for p in workdir.glob("*/stage.json")}
    runner.run(whole_run.config(), workdir)
    assert {p: p.stat().st_mtime_ns for p in workdir.glob("*/stage.json")} == before


def test_benchmark(run, capsys, tmp_path):
    _, workdir = run
    out = tmp_path / "out.csv"
    more = ["--model", f"cp={workdir / 'efiqa_cp' / 'model'}", "--output", str(out)]
    assert benchmark.main(["efiqa", "--workdir", str(workdir), *more]) == 0
    text = capsys.readouterr().out
    kinds = ("anomaly", "Laplacian energy", "vessel density")
    for name in ("map", "map, image mean", "cp", "cp, image mean", *kinds):
        assert f"| {name} |" in text
    mean = next(line for line in text.splitlines() if line.startswith("| map, image mean"))
    assert "0.500 [0.500, 0.500]" in mean
    assert out.read_text().startswith("map,pooled,auroc,auroc_low")
    assert benchmark.main(["efiqa", "--workdir", str(tmp_path)]) == 1
    assert "no work directory of configs/efiqa.py" in capsys.readouterr().err


def test_benchmark_leaves_a_folder_that_funpiqs_benchmark_scores(run, capsys, tmp_path):
    _, workdir = run
    out = tmp_path / "out"
    command = ["efiqa", "--workdir", str(workdir), "--folder", str(out)]
    assert benchmark.main(command) == 0
    printed = capsys.readouterr().out
    assert f"--maps 'Laplacian energy={out}/maps/Laplacian_energy'" in printed
    kinds = ("map", "anomaly")
    maps = [part for kind in kinds for part in ("--maps", f"{kind}={out / 'maps' / kind}")]
    truth = ["--annotations", str(out / "annotations")]
    assert benchmark.main(["funpiq", *maps, *truth]) == 0
    assert "| anomaly, image mean |" in capsys.readouterr().out
    assert benchmark.main(command) == 1  # what is there is not mixed with what is new
    assert "holds annotations already" in capsys.readouterr().err


def test_benchmark_on_photographs_with_masks(run, capsys, tmp_path):
    _, workdir = run
    lines = ["image,vessels"]
    for i in range(3):
        eye = synthetic.draw(60 + i, 128, "a")
        pad = ((6, 6), (6, 6))
        Image.fromarray(np.pad(eye.image, (*pad, (0, 0)))).save(tmp_path / f"{i}.png")
        Image.fromarray(np.pad(eye.vessels[..., 2], pad)).save(tmp_path / f"{i}_v.png")
        lines.append(f"{i}.png,{i}_v.png")
    (tmp_path / "t.csv").write_text("\n".join(lines))
    table = ["--csv", str(tmp_path / "t.csv"), "--copies", "6", "--seed", "1"]
    assert benchmark.main(["efiqa", "--workdir", str(workdir), *table]) == 0
    assert "degraded in part" in capsys.readouterr().out


def test_choice_of_pictures():
    maps = np.zeros((5, 2, 2))
    maps[1, 0] = 1  # in part
    maps[2] = 1  # in whole
    maps[3, 0, 0] = 0.4
    assert maps_page.choose(maps, maps.mean((1, 2)), 4) == [1, 3, 2, 0]


def test_the_known_truth_in_place_of_pseudo_labels():
    config = recipes.load("known", "efiqa")
    stage, other = config.stage.adapter_known, config.stage.adapter
    assert config.deliver == "maps_known"
    assert (stage.method.labels, other.method.labels) == ("known", "bad")
    assert {what for what, _, _ in stage.inputs} == {"features", "seen", "map"}
    assert stage.data == other.data  # of the same photographs
    with pytest.raises(ValueError, match="leave photos and paper"):
        recipes.load("known,photos", "efiqa")
