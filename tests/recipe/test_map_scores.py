"""Maps against labels of whole photographs: a perfect map, a useless one, too few labels."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from ml_collections import ConfigDict

from fiqa_jax.maps import pooling
from fiqa_jax.recipe import map_scores
from fiqa_jax.recipe.jobs import RecipeError


@pytest.fixture
def job(tmp_path):
    return SimpleNamespace(
        title="scores", directory=tmp_path, config=ConfigDict({"data": {"seed": 0}})
    )


def fitted(job, monkeypatch, maps, bad, seen=False):
    monkeypatch.setattr(map_scores, "_seen_in_training", lambda *_: seen)
    monkeypatch.setattr(map_scores, "_labelled", lambda *_: (maps.astype(np.float32), bad))
    monkeypatch.setattr(map_scores.pooling, "by_pooling", _short(pooling.by_pooling))
    monkeypatch.setattr(map_scores.pooling, "fit", _short(pooling.fit))
    return map_scores.scores_fit(job, job.directory, lambda: None)


def _short(function):
    return lambda *args, **kw: function(*args, **{"steps": 300, **kw})


def test_a_map_that_says_it_all(job, monkeypatch):
    bad = np.arange(60) % 3 == 0
    maps = np.random.default_rng(0).random((60, 4, 4)) * 0.2 + 0.6 * bad[:, None, None]
    found = fitted(job, monkeypatch, maps, bad.astype(np.int64))
    assert (found["photographs"], found["bad"]) == (60, 20)
    for rule in ("mean of the map", "weights learned"):
        assert found[rule] == pytest.approx(dict.fromkeys(map_scores.METRICS, 1.0))
    text = (job.directory / "section.json").read_text()
    assert "60 photographs, 20 of them bad" in text
    saved = np.load(job.directory / "pooling.npz")
    assert saved["weight"].shape == (4, 4)
    assert (((maps * saved["weight"]).sum((1, 2)) >= saved["tau"]) == bad).all()


def test_a_map_that_says_nothing_is_no_better_than_chance(job, monkeypatch):
    rng = np.random.default_rng(1)
    found = fitted(job, monkeypatch, rng.random((600, 4, 4)), rng.integers(0, 2, 600))
    assert found["mean of the map"]["balanced_accuracy"] == pytest.approx(0.5, abs=0.08)
    assert found["weights learned"]["auroc"] == pytest.approx(0.5, abs=0.08)


def test_too_few_labels_are_said_and_nothing_is_measured(job, monkeypatch):
    found = fitted(job, monkeypatch, np.zeros((9, 2, 2)), np.array([0] * 5 + [1] * 4))
    assert found == {"photographs": 9, "bad": 4}
    items = json.loads((job.directory / "section.json").read_text())["items"]
    assert "9 labelled photographs, 4 of them bad: too few of a kind for 5 folds" in str(items)


def test_photographs_that_were_learned_from_are_no_test(job, monkeypatch, tmp_path):
    """All of a set trains and all of it is judged: the report says so beside its numbers."""
    bad = np.arange(30) % 3 == 0
    maps = np.random.default_rng(0).random((30, 2, 2))
    for seen in (False, True):
        fitted(job, monkeypatch, maps, bad.astype(np.int64), seen)
        text = (job.directory / "section.json").read_text()
        assert ("has learned from these very photographs" in text) == seen
    monkeypatch.undo()
    same = {"data.source": "mshf", "data.path": "MSHF", "data.split": [1.0, 0.0, 0.0]}
    job.config.inputs = (("map", "tested", "map"),)
    job.needs = {"tested": (tmp_path / "tested",)}
    for judged, want in (
        ({"split": "all"}, True),
        ({"split": "test"}, False),
        ({"split": "all", "data.path": "DRIMDB"}, False),
    ):
        for name, settings in (("adapter", same), ("tested", {**same, **judged})):
            (tmp_path / name).mkdir(exist_ok=True)
            (tmp_path / name / "stage.json").write_text(json.dumps({"settings": settings}))
        assert map_scores._seen_in_training(job, tmp_path / "adapter") == want


def test_photographs_without_labels_are_refused(job):
    source = SimpleNamespace(table=SimpleNamespace(labels={}), name="folder")
    with pytest.raises(RecipeError, match="stage 'scores': folder has no label of quality"):
        map_scores.scores_fit(job, job.directory, lambda: SimpleNamespace(source=source))
