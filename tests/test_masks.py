"""Annotations seen through the square of their photograph."""

import numpy as np
import pytest
from PIL import Image

from input_pipeline import masks
from input_pipeline.photo import PhotoError, read_photo


@pytest.fixture
def disc(tmp_path):
    """A photograph of a bright disc on black, off centre, and where the disc is."""
    y, x = np.mgrid[:120, :180] + 0.5
    inside = np.hypot(x - 95, y - 62) <= 50
    light = 1 - 0.3 * np.hypot(x - 95, y - 62) / 50
    image = np.where(inside, 1, 0)[..., None] * light[..., None] * np.array([200, 100, 50])
    Image.fromarray(image.astype(np.uint8)).save(tmp_path / "p.png")
    return tmp_path / "p.png", inside


def test_a_mask_falls_where_the_photograph_shows_it(disc):
    path, inside = disc
    photo = read_photo(path, 64)
    assert photo.field == "circle"
    seen = masks.labels_through(inside.astype(np.uint8), photo.box, photo.size, 64, 9)
    # Bright pixels of the photograph and the mask differ at the disc's edge alone.
    bright = photo.image[..., 0] > 60
    assert ((seen == 1) != bright).mean() < 0.02
    share = masks.coverage_through(inside, photo.box, photo.size, 64)
    assert ((share > 127) != (seen == 1)).mean() < 0.02


def test_labels_by_hand():
    mask = np.arange(12, dtype=np.uint8).reshape(3, 4)
    # A square of 4 with its corner at (-1, -1): rows -1..2 and columns -1..2 of the mask.
    seen = masks.labels_through(mask, (-1, -1, 3, 3), (4, 3), 4, 99)
    expected = [[99, 99, 99, 99], [99, 0, 1, 2], [99, 4, 5, 6], [99, 8, 9, 10]]
    np.testing.assert_array_equal(seen, expected)
    # The same mask at half the photograph's size: every value fills two pixels.
    twice = masks.labels_through(mask, (0, 0, 4, 4), (8, 6), 4, 99)
    np.testing.assert_array_equal(twice, [[0, 0, 1, 1], [0, 0, 1, 1], [4, 4, 5, 5], [4, 4, 5, 5]])


def test_coverage_is_a_share():
    mask = np.zeros((8, 8), bool)
    mask[:, 4:] = True
    whole = masks.coverage_through(mask, (0, 0, 8, 8), (8, 8), 8)
    np.testing.assert_array_equal(whole, mask * 255)
    half = masks.coverage_through(mask, (0, 0, 8, 8), (16, 16), 8)  # the left upper quarter
    np.testing.assert_array_equal(half[:, :3], 0)
    beside = masks.coverage_through(mask, (-8, 0, 8, 16), (8, 8), 8)
    assert (beside[:, :4] == 0).all()
    assert (beside[4:] == 0).all()
    thin = np.zeros((64, 64), bool)
    thin[:, 31] = True
    seen = masks.coverage_through(thin, (0, 0, 64, 64), (64, 64), 8)
    # Nothing of a vessel is lost: one pixel in eight is covered, whatever the filter's shape.
    assert seen.mean() * 64 == pytest.approx(255 * 1.0, rel=0.03)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "I;16"])
def test_indices_stay_indices(tmp_path, mode):
    values = np.array([[0, 1, 2, 3], [3, 2, 1, 0]], np.uint8)
    if mode == "P":
        picture = Image.fromarray(values)
        picture.putpalette([0, 0, 0, 106, 153, 78, 232, 168, 56, 193, 69, 69])
    elif mode == "1":
        values = (values > 1).astype(np.uint8)
        picture = Image.fromarray(values * np.uint8(255)).convert("1")
    elif mode == "I;16":
        picture = Image.fromarray(values.astype(np.uint16))
    else:
        picture = Image.fromarray(values).convert(mode)
    picture.save(tmp_path / "m.png")
    found = masks.read_mask(tmp_path / "m.png", (8, 4))
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found if found.ndim == 2 else found[..., 0], values)
    assert found.shape == ((2, 4, 3) if mode in ("RGB", "RGBA") else (2, 4))


def test_a_mask_of_another_crop_is_refused(tmp_path):
    Image.new("L", (80, 80)).save(tmp_path / "m.png")
    with pytest.raises(PhotoError, match=r"m\.png: the annotation is 80 x 80, its photograph 120"):
        masks.read_mask(tmp_path / "m.png", (120, 80))
    with pytest.raises(PhotoError, match="there is no such annotation"):
        masks.read_mask(tmp_path / "n.png", (120, 80))
    (tmp_path / "m.png").write_bytes(b"<html>")
    with pytest.raises(PhotoError, match=r"m\.png: the annotation cannot be read"):
        masks.read_mask(tmp_path / "m.png", (120, 80))
