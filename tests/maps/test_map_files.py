"""Maps as files: what comes back from them, the overlay's size, shares by region."""

import json

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from fiqa_jax.maps import drawing, landmarks, map_files
from input_pipeline import synthetic
from input_pipeline.photo.reader import read_photo


@pytest.fixture(scope="module")
def eye():
    return synthetic.draw(1001, 200, "a")


def test_files(tmp_path, eye):
    quality = np.repeat(np.array([0, 0, 1, 1], np.float32)[:, None], 4, 1)
    padded = np.pad(eye.image, ((4, 4), (4, 4), (0, 0)))
    photo, fine = read_photo(padded, 64), read_photo(padded, 200)
    map_files.write(tmp_path / "maps", "x", photo, fine, quality, 0.5, pair=True)
    np.testing.assert_array_equal(np.load(tmp_path / "maps" / "x.npy"), quality)
    with Image.open(tmp_path / "maps" / "x.png") as bare:
        assert bare.size == (64, 64)
        values = np.asarray(bare)
    assert values.dtype == np.uint16
    want = drawing.enlarged(quality, 64) * (photo.fov > 0)  # nothing is said outside the field
    np.testing.assert_allclose(values / 65535, want, atol=1e-5)
    with Image.open(tmp_path / "maps" / "x_overlay.jpg") as drawn:
        assert drawn.height == 200
        assert drawn.width > 200
        width = drawn.width
    with Image.open(tmp_path / "maps" / "x_pair.png") as both:
        assert both.width > width + 200
    shares = json.loads((tmp_path / "maps" / "x.json").read_text())
    assert shares["lower_left"] > 0.95
    assert shares["upper_left"] < 0.05
    map_files.write(tmp_path / "rows", "x", photo, fine, quality, 0.5, area=0.25)
    as_row = json.loads((tmp_path / "rows" / "x.json").read_text())
    assert as_row == {**shares, "field": 0.25}  # what its row says
    assert map_files.table(tmp_path / "maps", tmp_path / "regions.csv") == 1
    assert (tmp_path / "regions.csv").read_text().splitlines()[1].startswith("x.png,")


def test_overlay_side(eye):
    padded = np.pad(eye.image, ((4, 4), (4, 4), (0, 0)))
    photo = read_photo(padded, 64)
    assert map_files.overlay_side(photo) == pytest.approx(200, abs=4)  # the photograph's own
    assert map_files.overlay_side(photo, 100) == 100
    assert map_files.overlay_side(photo, 16) == 64  # never smaller than what the model sees
    assert map_files.overlay_side(read_photo(padded, 256)) == 256


def test_the_legend_stands_beside_the_picture_and_the_pair_before_it():
    picture = np.full((240, 240, 3), 77, np.uint8)
    shares = {"field": 0.25, "disc": 0.0, "macula": float("nan")}
    drawn = map_files.with_legend(picture, shares, 0.1)
    np.testing.assert_array_equal(drawn[:, :240], picture)
    assert (drawn[:, 241:] < 128).any()  # something is written there
    pair = map_files.side_by_side(picture[..., :1], drawn)
    np.testing.assert_array_equal(pair[:, :240], picture)
    np.testing.assert_array_equal(pair[:, -drawn.shape[1] :], drawn)


def test_shares_of_regions():
    fov = np.ones((100, 100), np.uint8)
    fov[:, :20] = 0
    quality = np.zeros((100, 100))
    quality[:50, 60:] = 1  # the upper right quadrant of the field begins at column 60
    found = landmarks.Landmarks((0.25, 0.8), None, 0.05)
    got = landmarks.shares(quality, fov, found, 0.5)
    assert got["upper_right"] == 1.0
    assert got["upper_left"] == got["lower_left"] == got["lower_right"] == 0.0
    assert got["field"] == pytest.approx(0.25)
    assert got["disc"] == 1.0
    assert np.isnan(got["macula"])


def test_a_gaussian_as_a_matrix_is_scipys_filter():
    rng = np.random.default_rng(0)
    values = rng.random((60, 60)).astype(np.float32)
    for sigma in (0.7, 5.0, 40.0):  # the last reaches beyond the mirrored picture
        smooth = landmarks.gaussian(60, sigma)
        want = ndimage.gaussian_filter(values, sigma)
        np.testing.assert_allclose(smooth @ values @ smooth.T, want, atol=3e-6)


def test_one_transform_erodes_as_often_as_asked():
    rng = np.random.default_rng(0)
    round_field = np.hypot(*np.ogrid[-40:40, -45:45]) < 44  # cut by the frame, above and below
    for inside in (round_field, rng.random((70, 80)) < 0.9, np.zeros((20, 20), bool)):
        for times in (1, 4, 9):
            want = ndimage.binary_erosion(inside, iterations=times)
            np.testing.assert_array_equal(landmarks._eroded(inside, times), want)


def test_disc_and_macula_of_drawn_eyes():
    """Where a disc is found it is the disc; a macula is found for most eyes turned to it."""
    found = discs = maculae = eyes = 0
    for seed in range(1000, 1010):
        eye = synthetic.draw(seed, 192, "ab"[seed % 2])
        marks = landmarks.find(eye.image, eye.fov)
        if marks is None:
            continue
        found += 1
        y, x, radius = eye.disc
        off = np.hypot(marks.disc[0] * 192 - y, marks.disc[1] * 192 - x)
        discs += off < radius
        if eye.centre == "macula":
            eyes += 1
            if marks.macula:
                off = np.hypot(
                    marks.macula[0] * 192 - eye.fovea[0], marks.macula[1] * 192 - eye.fovea[1]
                )
                maculae += off < 2 * radius
    assert found >= 7
    assert discs == found
    assert maculae >= 0.7 * eyes


def test_nothing_is_found_in_a_flat_picture():
    rng = np.random.default_rng(0)
    flat = rng.integers(100, 110, (128, 128, 3), dtype=np.uint8)
    assert landmarks.find(flat, np.ones((128, 128), np.uint8)) is None
    assert landmarks.find(flat, np.zeros((128, 128), np.uint8)) is None


def test_landmarks_are_sought_once(eye, monkeypatch):
    calls = []
    monkeypatch.setattr(landmarks, "find", lambda image, fov: calls.append(image.shape))
    places = landmarks.sought(eye.image, eye.fov)
    assert calls == []
    assert places() is places() is None
    assert calls == [eye.image.shape]
    assert landmarks.sought(eye.image[..., :1], eye.fov)() is None  # grey: nothing to go by
    assert len(calls) == 1
