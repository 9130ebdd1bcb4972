"""Choosing photographs to learn from: numbers by hand, the percentile, plain words."""

import io

import numpy as np
from PIL import Image

from fiqa_jax.recipe import photo_selection


def test_numbers_of_one_photograph():
    vessels = np.zeros((4, 4, 3), np.uint8)
    vessels[0, :, 2] = 255
    vessels[1, 0, 2] = 127
    fov = np.zeros((8, 8), np.uint8)
    fov[:4] = 1
    density, field, framed = photo_selection.measure(vessels, fov)
    assert field == 0.5
    assert density == 0.5  # 4 of 8 cells of the field
    assert framed


def test_a_cut_field_is_no_frame():
    """As cameras cut it above and below, or on all sides: some corner stays dark."""
    y, x = np.mgrid[-15.5:16, -15.5:16]
    vessels = np.zeros((4, 4, 3), np.uint8)
    for height, width in ((16, 16), (11, 16), (12, 14)):
        field = (np.hypot(x, y) < 16.5) & (abs(y) < height) & (abs(x) < width)
        assert not photo_selection.measure(vessels, field.astype(np.uint8))[2]
    assert photo_selection.measure(vessels, (abs(y) < 12).astype(np.uint8))[2]
    assert not photo_selection.measure(vessels, np.zeros((8, 8), np.uint8))[2]


def test_the_best_three_tenths_are_kept():
    rng = np.random.default_rng(0)
    density = rng.permutation(np.linspace(0.02, 0.2, 1000))
    chosen = photo_selection.choose(density, np.full(1000, 0.7), [False] * 1000)
    assert chosen.kept.sum() == 300
    assert density[chosen.kept].min() > density[~chosen.kept].max()
    assert chosen.enough
    assert len(chosen.notes) == 1


def test_a_small_field_counts_against():
    chosen = photo_selection.choose([0.1] * 9 + [0.12], [0.7] * 9 + [0.3], [False] * 10)
    assert not chosen.kept[9]


def test_what_is_wrong_is_said():
    chosen = photo_selection.choose([0.001] * 6 + [0.1] * 4, [1.0] * 10, [True] * 8 + [False] * 2)
    text = " ".join(chosen.notes)
    assert not chosen.enough
    assert "fewer than 200: inpainting is learned from the built-in synthetic photographs" in text
    assert "In 8 pictures no round field of view is found" in text
    assert "In 6 photographs hardly any vessel is found" in text


def test_list_and_sheet(tmp_path):
    chosen = photo_selection.choose([0.1, 0.2, 0.05, 0.3], [0.7] * 4, [False] * 4)
    photo_selection.write_list(tmp_path / "kept.csv", list("abcd"), list("wxyz"), chosen)
    lines = (tmp_path / "kept.csv").read_text().splitlines()
    assert lines[1] == "d,z,0.30000,0.70000,1"
    assert [line.split(",")[0] for line in lines[1:]] == list("dbac")
    images = [np.full((10, 10, 3), 40 * k, np.uint8) for k in range(5)]
    with Image.open(io.BytesIO(photo_selection.sheet(images))) as page:
        assert page.width > 5 * photo_selection.THUMBNAIL
