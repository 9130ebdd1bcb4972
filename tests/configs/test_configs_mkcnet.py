"""configs/mkcnet.py: the tiny recipe to its end, and what the others are made of."""

import csv
import json

import numpy as np
import pytest
import recipes

from fiqa_jax.inference import predictor
from fiqa_jax.recipe import runner
from input_pipeline.readers import iqad
from input_pipeline.sources import opening, splits

pytestmark = pytest.mark.whole


def test_tiny(tmp_path):
    runner.run(recipes.load("tiny", "mkcnet"), tmp_path)
    with (tmp_path / "compare" / "compare.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["stage"] for row in rows} >= {"vanilla", "multitask", "second_order"}
    heads = {row["head"] for row in rows if row["stage"] == "vanilla"}
    assert heads == {"diagnosis", "hq_diagnosis", "lq_diagnosis"}
    facts = json.loads((tmp_path / "second_order" / "stage.json").read_text())["facts"]
    assert "conflict" in facts["test"]
    page = (tmp_path / "report.html").read_text()
    assert "More or fewer photographs of low quality" in page
    assert "embedding and conflict" in page
    row = predictor.Predictor(tmp_path / "model")(np.full((64, 64, 3), 90, np.uint8))
    assert row["status"] in ("ok", "out_of_scope")
    lines = (tmp_path / "second_order" / "metrics.jsonl").read_text().splitlines()
    assert any("meta_loss" in line for line in lines)


def test_rows_differ_by_their_settings_alone():
    config = recipes.load("", "mkcnet")
    rows = [s for s in config.stages if config.stage[s].kind == "train"]
    assert len(rows) == 7
    for name in rows:
        stage = config.stage[name]
        assert stage.repeat
        assert stage.train.steps == config.stage.vanilla.train.steps <= 600
        assert stage.data.to_dict() == config.stage.vanilla.data.to_dict()
    assert config.stage.adjusted.method.adjust == 1.0
    assert config.stage.weighted.loss.class_weight == "inv_freq"


@pytest.mark.parametrize("name", ["deepdr", "eyeq", "drac", "ct", "cxr"])
def test_published_settings_name_the_set_and_its_classes(name):
    config = recipes.load(f"paper:{name}", "mkcnet")
    variant = config.data.source.removeprefix("iqad/")
    assert config.data.diagnosis == iqad.DIAGNOSES[variant]
    assert config.data.modality == iqad.DATASET.modality[variant]
    assert config.data.classes == len(iqad.CODES[variant])
    learns, plain = config.stage.second_order, config.stage.vanilla
    assert learns.train.epochs == 2 * plain.train.epochs
    assert (config.optim.lr, config.optim.weight_decay, config.data.side) == (0.01, 5e-4, 256)


@pytest.mark.parametrize("argument", ["paper:messidor", "paper", "paper:", "tiny,paper"])
def test_a_set_that_is_not_published_or_not_named(argument):
    with pytest.raises(
        ValueError, match=r"names no set that was published: .* paper:deepdr, paper"
    ):
        recipes.load(argument, "mkcnet")


@pytest.mark.parametrize(("name", "lists"), [("eyeq", "mkcnet"), ("ct", "mkcnet"), ("deepdr", "")])
def test_published_lists_and_the_released_layout(name, lists):
    config = recipes.load(f"paper:{name}", "mkcnet")
    assert config.stage.second_order.data.lists == lists
    assert not config.stage.second_order.method.pool_before_attention
    released = recipes.load(f"paper:{name},pool_before_attention", "mkcnet")
    assert released.stage.second_order.method.pool_before_attention


def test_covid_ct(shared_data, tmp_path):
    """Papers and figures are those of the reader of MKCNet's lists; none is in two splits."""
    config = recipes.load("ct", "mkcnet")
    data = config.stage.vanilla.data.copy_and_resolve_references().unlock()
    data.update({"source": "csv", "path": str(shared_data / "covid_ct" / "labels.csv")})
    data.classes = 0
    table = opening.make_source(data, "").table
    assert len(table) == 746
    for name, patient in zip(table.id.tolist(), table.patient.tolist(), strict=True):
        stem = name.removeprefix("Images/").rpartition(".")[0]
        assert iqad.patient("IQAD-CT", stem).removeprefix("figure ") == patient
    split = splits.assign(table, data.split, data.seed)
    tested = set(table.patient[split == "test"])
    assert not tested & set(table.patient[split == "train"])
    share = [table.labels["diagnosis"][split == s].mean() for s in ("train", "test")]
    assert abs(share[0] - share[1]) < 0.05
    published = config.stage.published_vanilla.data.copy_and_resolve_references().unlock()
    published.update({"source": "csv", "path": data.path, "classes": 0})
    theirs = opening.make_source(published, "").table
    assert {s: int((theirs.split == s).sum()) for s in ("train", "val", "test")} == {
        "train": 521,
        "val": 75,
        "test": 150,
    }
