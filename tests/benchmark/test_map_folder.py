"""Folders in FunPiQ's format: the truth comes back by its indices, maps as they were."""

import numpy as np
import pytest
from PIL import Image

from fiqa_jax.benchmark import map_folder
from fiqa_jax.maps import annotations
from input_pipeline.sources import annotated


def example():
    codes = np.array([[1, 2], [3, 255]], np.uint8)
    fov = np.ones((4, 4), np.uint8)
    fov[0] = 0
    return {"image": np.full((4, 4, 3), 7, np.uint8), "fov": fov, "map": codes}


def test_annotation_and_map_come_back(tmp_path):
    quality = np.array([[0.1, 0.2], [0.3, 0.4]], np.float32)
    given = map_folder.write(
        tmp_path,
        ["/a/b 1"],
        ["Ann"],
        [example()],
        {"a map": [quality], "a map, image mean": [quality]},
    )
    assert given == [f"a map={tmp_path / 'maps' / 'a_map'}"]
    file = tmp_path / "annotations" / "a-b-1.png"
    expected = [[0, 0, 0, 0], [1, 1, 2, 2], [3, 3, 0, 0], [3, 3, 0, 0]]  # 255 and outside are 0
    np.testing.assert_array_equal(annotated.read_codes(str(file)), expected)
    colours = np.asarray(Image.open(file).convert("RGB"))
    assert colours[1, 2].tolist() == [232, 168, 56]  # FunPiQ's usable
    np.testing.assert_array_equal(np.load(tmp_path / "maps/a_map/a-b-1.npy"), quality, strict=True)
    assert annotations.patients(tmp_path / "patients.csv") == {"a-b-1": "Ann"}


def test_two_of_one_name(tmp_path):
    with pytest.raises(ValueError, match="two photographs would be called a-b"):
        map_folder.write(tmp_path, ["a b", "a/b"], ["", ""], [example()] * 2, {})
    assert not list(tmp_path.iterdir())
