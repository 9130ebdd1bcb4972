"""Photographs of data sets with their annotations, as the reader of a source."""

from pathlib import Path

import dummy_sets
import numpy as np
import pytest
from PIL import Image

from input_pipeline.photo.reader import PhotoError, read_photo
from input_pipeline.sources.annotated import AnnotatedReader, read_map, shows_frame
from input_pipeline.sources.photo_files import PhotoReader

PHOTO = PhotoReader(32, "fundus")


@pytest.fixture
def funpiq(tmp_path):
    dummy_sets.funpiq(tmp_path)
    photo = str(tmp_path / "photographs" / "10_left.jpg")
    mask = str(tmp_path / "annotations" / "set" / "10_left.png")
    return AnnotatedReader(PHOTO, "map", {photo: mask}), photo, mask


def test_without_an_annotation_it_reads_and_names_as_the_photo_reader(tmp_path):
    path = tmp_path / "a.png"
    dummy_sets.photograph(path)
    reader = AnnotatedReader(PHOTO)
    own, plain = reader.read(path), PHOTO.read(path)
    assert own.keys() == plain.keys()
    for name in plain:
        np.testing.assert_array_equal(own[name], plain[name])
    assert reader.settings() == PHOTO.settings()
    for mark in ("key", "stamp", "fingerprint"):
        assert getattr(reader, mark)(path) == getattr(PHOTO, mark)(path)


def test_a_map_follows_the_photograph(funpiq):
    reader, path, _ = funpiq
    example = reader.read(path)
    assert example["map"].shape == (32, 32)
    assert example["map"].dtype == np.uint8
    inside = example["fov"] == 1
    # Left half good, right half bad; at the rim the disc and the mask may differ by a pixel.
    assert (example["map"][8:24, 4:15] == 1).all()
    assert (example["map"][8:24, 17:28] == 3).all()
    assert ((example["map"] > 0) != inside).mean() < 0.05


def test_the_key_follows_the_annotation(funpiq):
    reader, path, mask = funpiq
    marks = [getattr(reader, mark)(path) for mark in ("key", "stamp", "fingerprint")]
    assert reader.key(path) != PHOTO.key(path)
    with Image.open(mask) as picture:
        changed = Image.fromarray(np.minimum(np.asarray(picture), 2))
    changed.putpalette(dummy_sets.FUNPIQ_PALETTE)
    changed.save(mask)
    again = [getattr(reader, mark)(path) for mark in ("key", "stamp", "fingerprint")]
    assert all(one != other for one, other in zip(marks, again, strict=True))


@pytest.mark.parametrize("kind", ["colour", "values", "no picture", "size"])
def test_maps_that_cannot_be_codes(funpiq, kind):
    _, path, mask = funpiq
    photo = read_photo(path, 32)
    with Image.open(mask) as picture:
        codes = np.asarray(picture)
        colour = picture.convert("RGB")
    if kind == "colour":
        colour.save(mask)
        message = "a picture of mode RGB .*has lost them"
    elif kind == "values":
        Image.fromarray(codes * np.uint8(80)).save(mask)
        message = "mode L with values up to 240"
    elif kind == "size":
        Image.fromarray(codes[:, :40]).save(mask)
        message = r"40 x 64 pixels for a photograph of 64 x 64"
    else:
        Path(mask).write_bytes(b"<html>")
        message = "the annotation cannot be read"
    with pytest.raises(PhotoError, match=message):
        read_map(mask, photo)


def test_vessels_come_with_what_is_known_of_them(tmp_path):
    dummy_sets.vessels(tmp_path)
    photo = str(tmp_path / "hrf" / "images" / "01_h.jpg")
    mask = str(tmp_path / "hrf" / "manual_av" / "01_h_AVmanual.png")
    example = AnnotatedReader(PHOTO, "vessels", {photo: mask}).read(photo)
    assert example["vessels"].shape == (32, 32, 3)
    np.testing.assert_array_equal(example["vessels_valid"], [1, 1, 1])
    artery, vein, vessel = (example["vessels"][16, :, k] > 127 for k in range(3))
    # Columns 20 to 23 and 40 to 43 of 64, in a square of 58 about the disc, at 32 pixels.
    at = [(22 - 3) * 32 / 58, (42 - 3) * 32 / 58]
    assert np.flatnonzero(artery).mean() == pytest.approx(at[0] - 0.5, abs=0.6)
    assert np.flatnonzero(vein).mean() == pytest.approx(at[1] - 0.5, abs=0.6)
    np.testing.assert_array_equal(vessel, artery | vein)


def test_trouble_that_is_known_is_told(tmp_path):
    path = tmp_path / "15337_left.jpeg"
    path.write_bytes(b"<html>")
    reader = AnnotatedReader(PHOTO, known={str(path): "one of five"})
    with pytest.raises(PhotoError, match=r"15337_left.jpeg: .*\(one of five\)$"):
        reader.read(path)


def test_a_photograph_without_a_field_is_taken_whole_or_refused(tmp_path):
    path = tmp_path / "whole.png"
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(90, 160, (48, 64, 3), np.uint8)).save(path)
    whole = AnnotatedReader(PHOTO)
    example = whole.read(path)
    assert shows_frame(example["fov"])
    strict = AnnotatedReader(PHOTO, no_field="error")
    with pytest.raises(PhotoError, match=r"no round field of view .*data\.no_field=frame"):
        strict.read(path)
    assert strict.key(path) != whole.key(path)  # a store of the one does not serve the other


def test_frames_and_fields():
    y, x = np.mgrid[:32, :32]
    disc = (np.hypot(x - 15.5, y - 15.5) <= 16).astype(np.uint8)
    band = np.zeros((32, 32), np.uint8)
    band[4:28] = 1
    assert shows_frame(band)
    assert shows_frame(np.ones((32, 32), np.uint8))
    band[4:9, 20:] = 0  # a stamp in a corner
    band[12:15, 3:9] = 0
    assert shows_frame(band)
    assert not shows_frame(disc)
    disc[:4] = 0  # cut above, as many cameras do
    assert not shows_frame(disc)
    assert not shows_frame(np.zeros((32, 32), np.uint8))
