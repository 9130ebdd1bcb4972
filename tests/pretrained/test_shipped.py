"""Models that come with the package: found by name, small, and doing what their cards say."""

import json

import numpy as np
import pytest

from fiqa_jax.inference import model_dir
from fiqa_jax.inference.predictor import Predictor
from fiqa_jax.maps import localisation
from fiqa_jax.pretrained import shipped
from input_pipeline import synthetic

NAMES = ("efiqa", "segmentor")


@pytest.mark.parametrize("name", NAMES)
def test_card_and_size(name):
    folder = shipped.find(name)
    assert folder == shipped.FOLDER / name
    sizes = {file.name: file.stat().st_size for file in folder.iterdir()}
    assert sum(sizes.values()) < 2e6
    card = (folder / "model_card.md").read_text()
    assert "python -m fiqa_jax.main --config" in card
    assert "not a medical device" in card
    assert "to be filled in" not in card
    assert "CC BY 4.0" in card  # HRF and CHASE_DB1, which the vessels were learned from


def test_a_folder_of_ones_own_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "efiqa").mkdir()
    assert shipped.find("efiqa").resolve() == tmp_path / "efiqa"
    with pytest.raises(model_dir.ModelError, match="efiqa is no model directory"):
        model_dir.load("efiqa")
    assert str(shipped.find("runs/efiqa")) == "runs/efiqa"  # a path is a path
    known = "the package has efiqa, fundus, open$"
    with pytest.raises(model_dir.ModelError, match=known):
        Predictor("nowhere")


def test_the_encoder_is_the_shipped_segmentor():
    config = json.loads((shipped.FOLDER / "efiqa" / "config.json").read_text())
    from fiqa_jax.pretrained import encoders

    assert config["encoder"]["digest"] == encoders.load("shipped").digest


def test_maps_of_photographs_it_has_not_seen():
    """Drawn with another seed than those that it learned from: in part bad, then all good."""
    local = synthetic.named(("local",))
    bad = [synthetic.example(977, i, 256, "abc", 1.0, kinds=local) for i in range(12)]
    good = [synthetic.example(978, i, 256, "abc", 0.0) for i in range(4)]
    batch = {name: np.stack([x[name] for x in bad + good]) for name in ("image", "fov")}
    out = model_dir.load("efiqa").predict(batch)
    found = []
    for example, quality in zip(bad, out["map"], strict=False):
        known, worse = localisation.truth_pixels(example["map"], example["fov"])
        if localisation.in_part(known, worse):
            found.append((quality, known, worse))
    assert len(found) >= 6
    assert localisation.measure(*zip(*found, strict=True)).auroc.mean() > 0.9
    assert out["score"][12:].max() < out["score"][:12].mean()
