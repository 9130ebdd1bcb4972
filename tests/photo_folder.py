"""A folder of small photographs whose subfolders name the quality."""

import fundus_disc
import pytest
from PIL import Image

from fiqa_jax import defaults
from input_pipeline.sources.photo_files import PhotoReader

READER = PhotoReader(32, "fundus")


def fundus(path, seed=0):
    """Writes a small photograph; its light says which."""
    image = fundus_disc.draw(96, 96, 48, 48, 43, level=0.6 + 0.1 * seed, noise=2)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path, quality=95)


def a_section(**changes):
    section = defaults.base().data
    section.update(workers=1, side=32)
    with section.ignore_type():
        section.update(changes)
    return section


@pytest.fixture
def folder(tmp_path):
    for i, name in enumerate(["Good/a.jpg", "good/deep/b.JPG", "Bad/a.jpg", "usable/c (1).png"]):
        fundus(tmp_path / "photos" / name, i)
    (tmp_path / "photos" / "Good" / "notes.txt").write_text("x")
    (tmp_path / "photos" / ".hidden").mkdir()
    fundus(tmp_path / "photos" / ".hidden" / "d.jpg")
    return tmp_path / "photos"
