"""EFIQA's recipe on a folder without labels: what is said of it, a ranking, maps."""

import csv

import fundus_disc
import numpy as np
import pytest
import recipes
from PIL import Image

from fiqa_jax.recipe import runner
from input_pipeline import synthetic
from input_pipeline.storage import shards

pytestmark = pytest.mark.whole


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    root = tmp_path_factory.mktemp("photos")
    (root / "folder").mkdir()
    for i in range(12):
        image = synthetic.example(77, i, 96, "abc", 0.5)["image"]
        Image.fromarray(np.pad(image, ((4, 4), (4, 4), (0, 0)))).save(root / "folder" / f"{i}.png")
    frame = fundus_disc.draw(90, 70, 45, 35, 300)  # a crop from inside the field
    Image.fromarray(frame).save(root / "folder" / "frame.png")
    wall = np.random.default_rng(0).integers(60, 200, (70, 90, 3), np.uint8)
    Image.fromarray(wall).save(root / "folder" / "wall.png")
    (root / "folder" / "broken.jpg").write_bytes(b"no photograph")
    config = recipes.load("tiny,photos", "efiqa")
    config.data.path = str(root / "folder")
    runner.run(config, root / "work")
    return root / "work"


def test_too_small_a_folder_learns_from_drawings(run):
    assert set(shards.opened(run / "select").id) == set(shards.opened(run / "good").id)
    with open(run / "select" / "kept.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 13
    assert sum(int(r["kept"]) for r in rows) <= 4  # three tenths
    text = (run / "report.html").read_text()
    assert "fewer than 200: inpainting is learned from the built-in synthetic photographs" in text
    assert "pictures no round field of view is found" in text
    assert "1 of 14 photographs show no eye: left out, as in use" in text
    assert "frame.png: mean of the map" not in text  # of examples those that mean something


def test_ranking_names_every_photograph(run):
    with open(run / "pictures" / "ranking.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    names = {f"{i}.png" for i in range(12)}
    assert {r["id"] for r in rows} == names | {"frame.png"}
    found = {r["id"] for r in rows if r["field"] == "round"}
    assert found <= names  # without the frame, and perhaps eyes too dark to have a field
    assert len(found) >= 6
    values = [float(r["mean_of_map"]) for r in rows]
    assert values == sorted(values, reverse=True)
    assert rows[0]["path"].endswith(rows[0]["id"])


def test_maps_of_all_photographs(run):
    maps = shards.opened(run / "tested").all("map")
    assert maps.shape == (13, 4, 4)
    assert 0 <= maps.min() <= maps.max() <= 1
    assert (run / "model" / "model.safetensors").is_file()
