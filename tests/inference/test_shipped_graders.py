"""The graders in the package: what their folders hold, and what they say of a synthetic eye."""

import json

import numpy as np
import pytest
from PIL import Image, ImageFilter

from fiqa_jax import predict
from fiqa_jax.inference.predictor import Predictor
from fiqa_jax.pretrained import shipped, tensors
from input_pipeline import synthetic

GRADERS = ("fundus", "open")


@pytest.mark.parametrize("name", GRADERS)
def test_a_folder_holds_weights_and_words_alone(name):
    held = {file.name for file in (shipped.FOLDER / name).iterdir()}
    allowed = {"config.json", "model.safetensors", "model_card.md", "LICENSE", "SHA256SUMS"}
    assert {"config.json", "model.safetensors", "model_card.md"} <= held <= allowed
    assert (shipped.FOLDER / name / "model.safetensors").stat().st_size < 8e6


@pytest.mark.parametrize("name", GRADERS)
def test_it_grades_in_one_pass(name):
    predictor = Predictor(name)
    row = predictor(synthetic.draw(3, 256, "a").image)
    assert row["status"] == "ok"
    assert sum(row[f"p_{grade}"] for grade in ("good", "usable", "reject")) == pytest.approx(1)
    assert row["decision"] in ("accept", "review", "recapture")
    assert 0 <= row["score"] <= 1


def test_the_terms_of_fundus_are_said_where_it_judges(tmp_path, capsys):
    text = (shipped.FOLDER / "fundus" / "LICENSE").read_text()
    card = (shipped.FOLDER / "fundus" / "model_card.md").read_text()
    for words in ("EyeQ", "EyePACS", "Kaggle"):
        assert words in text
        assert words in card
    Image.fromarray(synthetic.draw(3, 128, "a").image).save(tmp_path / "eye.png")
    out = tmp_path / "out"
    assert predict.main(["--model", "fundus", "--output", str(out), str(tmp_path / "eye.png")]) == 0
    said = capsys.readouterr().err
    assert said.count("non-commercial") == 1
    assert "non-commercial" in json.loads((out / "run.json").read_text())["licence"]
    assert Predictor("open").licence == ""
    assert shipped.DEFAULT == "open"  # judges where nobody asked for a model and its terms


def test_open_maps_what_was_done_to_a_part():
    """The left half of a photograph out of focus, its right half as it was."""
    predictor = Predictor("open")
    drawn = synthetic.draw(3, 512, "a")
    image = Image.fromarray(drawn.image)
    poor = np.array(image)
    poor[:, :256] = np.asarray(image.filter(ImageFilter.GaussianBlur(9)))[:, :256]
    photos = [predictor.read(picture) for picture in (np.asarray(image), poor)]
    good, bad = (predictor.judge([p], [""], ["x"], [""])[0] for p in photos)
    assert good.map.shape == (32, 32)
    assert good.row["bad_area"] < 0.1
    assert bad.row["bad_area"] > 0.3
    assert bad.map[8:24, 4:14].mean() > 0.8
    assert bad.map[8:24, 20:28].mean() < 0.2
    assert "left" in bad.row["reasons"]
    assert "blurred" in bad.row["reasons"]
    assert bad.row["decision"] != "accept"


def test_readers_grades_never_reached_the_map():
    """Map, causes and defects of both graders come of the same tensors."""
    ours, theirs = (
        tensors.read(shipped.FOLDER / name / "model.safetensors")[0] for name in ("open", "fundus")
    )
    assert ours
    for key, value in ours.items():
        np.testing.assert_array_equal(value, theirs[key], err_msg=key)
    assert {key.split("/")[1] for key in theirs.keys() - ours.keys()} == {"grade"}
