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


def fitted(job, monkeypatch, maps, bad):
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


def test_photographs_without_labels_are_refused(job):
    source = SimpleNamespace(table=SimpleNamespace(labels={}), name="folder")
    with pytest.raises(RecipeError, match="stage 'scores': folder has no label of quality"):
        map_scores.scores_fit(job, job.directory, lambda: SimpleNamespace(source=source))
