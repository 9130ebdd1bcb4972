"""Vessel maps of a published segmentor: it sees the photograph's own pixels and proportions."""

import fundus_disc
import numpy as np
import pytest
from ml_collections import ConfigDict
from PIL import Image

from fiqa_jax import defaults
from fiqa_jax.inference import segmentors
from fiqa_jax.recipe import jobs
from fiqa_jax.recipe.jobs import RecipeError
from fiqa_jax.recipe.stages import segment
from fiqa_jax.recipe.stages.context import Context
from input_pipeline.photo.reader import full_resolution, read_photo
from input_pipeline.storage import shards


@pytest.fixture
def folder(tmp_path):
    """Two photographs of 150 x 100 with the field off the centre."""
    (tmp_path / "photos").mkdir()
    for k, name in enumerate("ab"):
        image = fundus_disc.draw(150, 100, 70, 50, 44, level=0.7 + k / 10)
        Image.fromarray(image).save(tmp_path / "photos" / f"{name}.png")
    return tmp_path / "photos"


def job(tmp_path, folder, **data):
    c = defaults.base()
    c.data.update({"source": "folder", "path": str(folder), "side": 40, "cache": "none"})
    c.data.update({"classes": 0, "details": (), "split": (1.0, 0.0, 0.0), **data})
    store = ("vessels", "fov")
    defaults.add_stage(c, "segmentor", "fit", artefact="model", path="x")
    defaults.add_stage(c, "vessels", "apply", of="segmentor", split="all", store=store)
    todo = jobs.unfold(c, tmp_path / "work")[1]
    todo.directory.mkdir(parents=True)
    return todo


@pytest.mark.parametrize(("crop", "seen"), [("field", (88, 88)), ("squash", (100, 150))])
def test_maps_of_whole_photographs(tmp_path, folder, monkeypatch, crop, seen):
    """The fake one gives its photograph back: maps are the photographs, resized."""
    shapes = []

    def load(path, own_field):
        assert own_field

        def run(image, fov):
            shapes.append(image.shape[:2])
            assert fov.shape == image.shape[:2]
            return image / np.float32(255)

        return run

    monkeypatch.setattr(segmentors, "load", load)
    todo = job(tmp_path, folder, crop=crop)
    facts = segment.run(todo, Context(None, tmp_path / "work", ConfigDict()), "weights")
    assert facts["rows"] == 2
    assert all(np.allclose(shape, seen, atol=2) for shape in shapes)
    found = shards.opened(todo.directory)
    photo = read_photo(folder / "b.png", 40, crop=crop)
    np.testing.assert_array_equal(found.all("fov")[1], photo.fov)
    inside = photo.fov > 0  # what is cut off at the rim is black in the one and not in the other
    away = np.abs(found.all("vessels")[1].astype(int) - photo.image)[inside]
    assert away.mean() < 1.5


def test_full_resolution_reaches_outside_the_photograph_in_black(folder):
    image = np.asarray(Image.open(folder / "a.png"))
    photo = read_photo(folder / "a.png", 32, crop="frame")  # a square of 150 about 100 rows
    found = full_resolution(folder / "a.png", photo, ((60, 40, 80, 60),))
    assert found.shape == (150, 150, 3)
    assert (found[:25] == 0).all()
    assert (found[65:85, 60:80] == 0).all()
    np.testing.assert_array_equal(found[25:60], image[:35])


def test_what_is_stored_has_vessels_in_it(tmp_path, folder):
    todo = job(tmp_path, folder)
    todo.config.store = ("fov",)
    with pytest.raises(RecipeError, match=r"store=\('fov',\); expected 'vessels' among them"):
        segment.run(todo, Context(None, tmp_path / "work", ConfigDict()), "weights")


def test_a_directory_is_not_a_published_segmentor(tmp_path, folder):
    todo = job(tmp_path, folder)
    (tmp_path / "work" / "segmentor" / "model").mkdir(parents=True)
    assert segment.weights_of(todo) is None
    (tmp_path / "work" / "segmentor" / "model" / segmentors.WEIGHTS).touch()
    assert segment.weights_of(todo).name == segmentors.WEIGHTS
