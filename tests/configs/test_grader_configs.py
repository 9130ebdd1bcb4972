"""The recipes of the graders that ship, run tiny; what a photograph's size does to its grade."""

import fundus_disc
import numpy as np
import pytest
import recipes
from PIL import Image

from fiqa_jax.inference import model_dir
from fiqa_jax.inference.predictor import Predictor
from fiqa_jax.recipe import runner

pytestmark = pytest.mark.whole

GRADES = ("good", "usable", "reject")


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    root = tmp_path_factory.mktemp("photographs")
    lines = ["path,patient,split,quality"]
    for i in range(12):
        image = fundus_disc.draw(180, 150, 90, 75, 60 + i, level=1 - 0.3 * (i % 3))
        Image.fromarray(image).save(root / f"{i}.png")
        lines.append(f"{i}.png,{i},{'val' if i > 8 else 'train'},{GRADES[i % 3]}")
    (root / "labels.csv").write_text("\n".join(lines) + "\n")
    return root


@pytest.fixture(scope="module")
def graded(photographs, tmp_path_factory):
    config = recipes.load("tiny", "eyeq")
    config.data.path = str(photographs / "labels.csv")
    work = tmp_path_factory.mktemp("work") / "eyeq"
    runner.run(config, work)
    return work / "model"


def test_the_grader_of_graded_photographs(graded, photographs):
    config = model_dir.read_config(graded)
    assert config["method"] == "grader"
    row = Predictor(graded)(photographs / "1.png")
    assert row["status"] == "ok"
    p = [row[f"p_{name}"] for name in GRADES]
    assert sum(p) == pytest.approx(1, abs=1e-5)
    assert row["score"] == pytest.approx(p[2] + p[1] / 2, abs=1e-5)


def test_the_model_is_told_the_size_of_the_field(graded, photographs):
    predictor = Predictor(graded, batch=2)
    seen = []
    real = predictor.model.predict

    def predict(batch):
        seen.append(batch["field_px"])
        return real(batch)

    object.__setattr__(predictor.model, "predict", predict)
    photo = predictor.read(photographs / "3.png")
    predictor.judge([photo], ["3.png"], ["3.png"], [""])
    np.testing.assert_allclose(seen[0], [126], atol=2)


def test_the_grader_of_open_photographs(photographs, tmp_path):
    lines = ["path,patient"] + [f"{i}.png,{i}" for i in range(12)]
    (photographs / "open.csv").write_text("\n".join(lines) + "\n")
    config = recipes.load("tiny", "open")
    config.data.path = str(photographs / "open.csv")
    runner.run(config, tmp_path)
    predictor = Predictor(tmp_path / "model")
    photo = predictor.read(photographs / "3.png")
    judged = predictor.judge([photo], ["3.png"], ["3.png"], [""])[0]
    assert judged.map.shape == (32, 32)
    assert 0 <= judged.row["bad_area"] <= 1
    assert 0 <= judged.row["p_clarity"] <= 1
