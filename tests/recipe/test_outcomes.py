"""Training, evaluation and use decide alike on the same photographs."""

import numpy as np
import pytest
from fundus_disc import draw
from PIL import Image

from fiqa_jax import defaults
from fiqa_jax.inference.predictor import Predictor
from fiqa_jax.predictions import schema
from fiqa_jax.predictions.triage import Thresholds
from fiqa_jax.recipe import outcomes
from fiqa_jax.recipe.data import open_data
from input_pipeline.tables.table_error import TableError

SIDE = 32


class Model:
    """Calls every photograph good; its map says that the lower half of each is bad."""

    def __init__(self, maps):
        self.maps = maps
        data = {"side": SIDE, "modality": "fundus", "erase": [], "detail_names": []}
        data |= {"quality_names": ["good", "usable", "reject"], "diagnosis_names": []}
        self.config = {"name": "kind", "thresholds": {}, "temperature": {}, "data": data}

    def predict(self, batch):
        count = len(batch["image"])
        out = {"p_quality": np.tile(np.float32([0.9, 0.08, 0.02]), (count, 1))}
        if self.maps:
            out["map"] = np.zeros((count, 8, 8), np.float32)
            out["map"][:, 4:] = 0.9
        return out


@pytest.fixture
def folder(tmp_path):
    """A fine photograph, a small one, a black one, half a field, and a page of print."""
    root = tmp_path / "photos"
    (root / "good").mkdir(parents=True)
    pictures = {
        "fine": draw(320, 300, 160, 150, 140),
        "small": draw(128, 110, 64, 55, 50),
        "black": np.zeros((300, 320, 3), np.uint8),
        "part": draw(320, 100, 160, -40, 130),
    }
    page = np.full((300, 360, 3), 250, np.uint8)
    page[10:290:8, 10:350] = 0
    for name, pixels in {**pictures, "page": page}.items():
        Image.fromarray(pixels).save(root / "good" / f"{name}.png")
    return root


def section(folder, **changes):
    c = defaults.base()
    c.data.update({"source": "folder", "path": str(folder), "side": SIDE, "cache": "none"})
    c.data.update({"driver": "threads", "details": (), **changes})
    return c.data


def evaluated(folder, tmp_path, maps):
    data = open_data(section(folder), tmp_path / "work")
    rows = np.arange(len(data.split))
    model = Model(maps)
    outputs = model.predict({"image": [data.source.read(row)["image"] for row in rows]})
    outcomes.write(
        tmp_path, "test", {**outputs, "index": rows}, data, data.spec(), Thresholds(), "kind"
    )
    return {row["id"]: row for row in schema.read_rows(tmp_path / "predictions_test.csv")}


@pytest.mark.parametrize("maps", [False, True])
def test_a_stage_decides_as_predict_does(folder, tmp_path, maps):
    made = evaluated(folder, tmp_path, maps)
    assert {*made} == {f"good/{n}.png" for n in ("fine", "small", "black", "part")}  # no page
    use = Predictor(Model(maps))
    for name, row in made.items():
        told = use(folder / name)
        for key in ("decision", "reasons", "advice"):
            assert row[key] == (told[key] or ""), (name, key)
        for key in ("score", "bad_area"):
            same = float("nan") if told[key] is None else told[key]
            assert float(row[key] or "nan") == pytest.approx(same, nan_ok=True), (name, key)
    assert use(folder / "good" / "page.png")["status"] == "out_of_scope"
    if not maps:
        assert {name[5:-4]: row["decision"] for name, row in made.items()} == {
            "fine": "accept",
            "small": "review",
            "black": "recapture",
            "part": "review",
        }


def test_what_shows_no_eye_is_left_out_and_told(folder, tmp_path):
    data = open_data(section(folder), tmp_path)
    assert "good/page.png" not in data.source.table.id
    assert len(data.split) == len(data.source.items) == 4
    (note,) = [n for n in data.facts()["notes"] if "show no eye" in n]
    assert note.startswith("1 of 5 photographs show no eye: left out, as in use")
    kept = open_data(section(folder, allow_frame=True), tmp_path)
    assert "good/page.png" in kept.source.table.id
    assert any("show no eye: kept" in n for n in kept.facts()["notes"])


def test_nothing_but_other_pictures(folder, tmp_path):
    for name in ("fine", "small", "black", "part"):
        (folder / "good" / f"{name}.png").unlink()
    with pytest.raises(TableError, match=r"none of 1 photographs shows .*allow_frame=True"):
        open_data(section(folder, split=(1.0, 0.0, 0.0)), tmp_path)


def test_a_field_that_is_asked_for_is_missed_before_anything_is_read_for_training(folder, tmp_path):
    frame = np.full((SIDE, SIDE, 3), (150, 80, 40), np.uint8)  # lies inside a field
    Image.fromarray(frame).save(folder / "good" / "inside.png")
    whole = open_data(section(folder), tmp_path)
    assert any("taken whole" in note for note in whole.facts()["notes"])
    with pytest.raises(TableError, match=r"2 of 6 photographs .*no_field=error asks for"):
        open_data(section(folder, no_field="error"), tmp_path)
