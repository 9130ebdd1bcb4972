"""What counts as a photograph of the inside of an eye, and what does not, on drawn pictures."""

import importlib
import io
from pathlib import Path

import numpy as np
import pytest
from encoded import pack
from fundus_disc import draw
from PIL import Image

from input_pipeline import synthetic
from input_pipeline.photo import decode, scope, trim
from input_pipeline.photo.fields.field import find_field
from input_pipeline.photo.reader import read_photo

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


def shown(image):
    return scope.look(image, find_field(image))


PLACES = {
    "whole": (256, 220, 128, 110, 100),
    "cut at top and bottom": (256, 171, 128, 85, 119),
    "corners left": (256, 192, 128, 96, 150),
    "inside the field": (120, 120, 60, 60, 300),
    "small": (200, 200, 100, 100, 66),
}


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_a_drawn_retina_is_one_wherever_its_field_lies(place):
    got = shown(draw(*place))
    assert got.eye, got.why
    assert not got.empty


def test_synthetic_photographs_are_of_an_eye_cropped_and_without_colour_nearly_always():
    images = [synthetic.draw(seed, 256, "abc"[seed % 3]).image for seed in range(6)]
    assert all(shown(image).eye for image in images)
    crops = [np.ascontiguousarray(image[60:200, 60:200]) for image in images]
    assert sum(shown(crop).eye for crop in crops) >= 5
    greys = [np.repeat(image[..., 1:2], 3, axis=2) for image in images]
    assert sum(shown(grey).eye for grey in greys) >= 4


def test_other_pictures_are_refused(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    scope_pictures = importlib.import_module("scope_pictures")
    rng = np.random.default_rng(100)
    drawn = [scope_pictures.other_picture(rng) for _ in range(60)]
    passed = [kind for kind, image in drawn if shown(image).eye and not shown(image).empty]
    assert len(passed) <= 9, passed  # skin and dark rooms, mostly


@pytest.mark.parametrize(
    ("level", "what"), [(0, "black"), (255, "white"), (120, "blurred all over")]
)
def test_where_nothing_can_be_seen_it_is_no_matter_of_scope(level, what):
    got = shown(np.full((180, 240, 3), level, np.uint8))
    assert got.eye
    assert got.empty == what


def test_a_refusal_says_what_was_found():
    page = Image.new("RGB", (240, 180), "white")
    rows = np.array(page)
    rows[20:160:12, 20:220] = 0
    rows[21:160:12, 20:220] = 0
    photo = read_photo(rows, 64)
    assert photo.scope.startswith(
        "not a photograph of the inside of an eye: no colour, and no round"
    )
    leaves = np.random.default_rng(0).integers(0, 256, (20, 24, 3)).astype(np.uint8)
    photo = read_photo(np.kron(leaves, np.ones((10, 10, 1), np.uint8)), 64)
    assert "probability 0.0" in photo.scope
    assert "many hues" in photo.scope


def test_two_eyes_in_one_picture_are_said():
    eye = draw(400, 340, 200, 170, 150)
    photo = read_photo(np.concatenate([eye, eye], axis=1), 64)
    assert photo.scope == (
        "two round fields in one picture, 300 and 300 pixels across: cut it into one eye a file"
    )
    assert photo.field == "circle"


def test_a_probability_is_the_regression_it_says():
    features = np.array(scope.scope_weights.MEAN)
    assert scope.probability(features) == pytest.approx(1 / (1 + np.exp(-scope.scope_weights.BIAS)))
    far = features + 100 * np.array(scope.scope_weights.SPREAD)
    near = features + scope.LIMIT * np.array(scope.scope_weights.SPREAD)
    assert scope.probability(far) == pytest.approx(scope.probability(near))


@pytest.mark.parametrize("channel", [0, 1, 2])
def test_light_in_one_channel_alone_is_read_as_grey(channel):
    level = draw(256, 220, 128, 110, 100)[..., 0]
    one = np.zeros((220, 256, 3), np.uint8)
    one[..., channel] = level
    got, grey = read_photo(one, 64), read_photo(np.repeat(level[..., None], 3, axis=2), 64)
    np.testing.assert_array_equal(got.image, grey.image)
    assert got.meta["colour"].endswith("only, read as grey")
    assert got.scope == grey.scope == ""


def _turned(image, orientation):
    """A JPEG that says how it has to be turned to stand upright."""
    turn = {
        3: Image.Transpose.ROTATE_180,
        6: Image.Transpose.ROTATE_90,
        8: Image.Transpose.ROTATE_270,
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    return pack(image.transpose(turn[orientation]), "JPEG", quality=95, exif=exif)


FORMATS = {
    "PNG": lambda image: pack(image, "PNG"),
    "JPEG": lambda image: pack(image, "JPEG", quality=80),
    "TIFF": lambda image: pack(image, "TIFF"),
    "WebP": lambda image: pack(image, "WEBP", quality=80),
    "JPEG 2000": lambda image: pack(image, "JPEG2000", quality_mode="rates", quality_layers=[12]),
    "turned by half": lambda image: _turned(image, 3),
    "turned left": lambda image: _turned(image, 6),
    "turned right": lambda image: _turned(image, 8),
    "12 bits": lambda image: np.asarray(image).astype(np.uint16) * 16 + 8,
    "16 bits": lambda image: np.asarray(image).astype(np.uint16) * 257,
}


@pytest.mark.parametrize("pack", FORMATS.values(), ids=FORMATS)
def test_the_same_photograph_in_another_format_has_the_same_field(pack):
    image = draw(360, 240, 178.4, 121.3, 150.2)
    want = read_photo(image, 128)
    got = read_photo(pack(Image.fromarray(image)), 128)
    assert got.field == "circle"
    np.testing.assert_allclose(got.box, want.box, atol=1)
    assert (got.fov & want.fov).sum() / (got.fov | want.fov).sum() > 0.97
    assert got.scope == ""


def test_padding_changes_neither_field_nor_pixels():
    photo = draw(256, 171, 128.2, 85.4, 119.3)
    padded = np.zeros((256, 300, 3), np.uint8)
    padded[40:211, 30:286] = photo
    want, got = read_photo(photo, 96), read_photo(padded, 96)
    np.testing.assert_allclose(np.subtract(got.box, (30, 40, 30, 40)), want.box, atol=0.3)
    both, either = (got.fov & want.fov).sum(), (got.fov | want.fov).sum()
    assert both / either > 0.985
    assert got.fov[48, 48] == 1
    assert got.fov[0, 48] == 0  # beyond the frame, inside the circle
    inside = (got.fov & want.fov) == 1
    assert np.abs(got.image[inside].astype(int) - want.image[inside]).mean() < 1.5


@pytest.mark.parametrize(
    "sides",
    [(13, 40, 77, 150), (0, 0, 91, 0), (60, 60, 0, 0), (7, 11, 5, 3)],
    ids=["four sides", "left", "to a square", "little"],
)
def test_padding_of_a_surround_with_noise_changes_nothing_at_all(sides):
    """A camera's surround is not exactly black: the search sees the same pixels as without."""
    top, bottom, left, right = sides
    photo = draw(700, 520, 352.3, 261.8, 287.4)  # a grid of other steps with padding and without
    noise = np.random.default_rng(0).integers(1, 4, photo.shape, np.uint8)
    photo = np.maximum(photo, noise)
    padded = np.pad(photo, ((top, bottom), (left, right), (0, 0)))
    want, got = read_photo(photo, 96), read_photo(padded, 96)
    assert got.field == "circle"
    np.testing.assert_array_equal(np.subtract(got.box, (left, top, left, top)), want.box)
    np.testing.assert_array_equal(got.fov, want.fov)
    np.testing.assert_array_equal(got.image, want.image)
    assert got.size == padded.shape[1::-1]
    assert (got.scope, got.empty, got.shown) == (want.scope, want.empty, want.shown)


@pytest.mark.parametrize("radius", [40, 150, 400])
def test_exact_black_about_a_round_field_stays(radius):
    """Nobody knows what was added: cut to the field, its edges would begin in light."""
    side = 2 * radius + 120
    photo = draw(side, side, side / 2, side / 2, radius, surround=0.0)
    assert not photo[:50].any()  # black to look at
    upright = decode.decode(photo)
    assert trim.trimmed(upright)[0].size == (side, side)
    data = io.BytesIO()
    Image.fromarray(photo).save(data, "JPEG", quality=90)
    assert trim.trimmed(decode.decode(data.getvalue()))[0].size == (side, side)


def test_a_field_that_its_frame_cuts_is_trimmed_where_it_is_cut():
    """Black corners: above and below are straight edges, at the sides the field is round."""
    photo = draw(900, 600, 450, 300, 380, surround=0.0)
    padded = np.pad(photo, ((150, 150), (40, 60), (0, 0)))
    found, corner = trim.trimmed(decode.decode(padded))
    assert (found.size, corner) == ((1000, 600), (0, 150))
    want, got = read_photo(photo, 96), read_photo(padded, 96)
    np.testing.assert_allclose(np.subtract(got.box, (40, 150, 40, 150)), want.box, atol=0.5)
    assert got.shown == pytest.approx(want.shown, abs=0.002)


def test_a_crop_inside_the_field_is_taken_whole_and_a_squared_one_without_its_corners():
    inside = read_photo(draw(120, 120, 60, 60, 300), 64)
    assert inside.field == "frame"
    assert inside.fov.all()
    squeezed = Image.fromarray(draw(240, 240, 120, 120, 119)).resize((240, 170))
    photo = read_photo(np.asarray(squeezed), 64)
    height = round(64 * 170 / 240)
    assert photo.fov.sum() == pytest.approx(np.pi / 4 * 64 * height, rel=0.06)


def test_how_much_of_the_field_is_there():
    half = draw(256, 220, 128, 110, 100)[:, 128:]
    photo = read_photo(np.ascontiguousarray(half), 64)
    assert photo.shown == pytest.approx(0.5, abs=0.02)
    assert photo.across == pytest.approx(200, abs=2)
    assert read_photo(draw(256, 220, 128, 110, 100), 64).shown == pytest.approx(1)


def test_a_small_field_in_a_padded_jpeg_lies_where_it_lay():
    """Decoded at an eighth first, then anew: both readings count from the same corner."""
    photo = draw(420, 400, 210, 200, 160)
    photo = np.maximum(photo, np.random.default_rng(0).integers(6, 14, photo.shape, np.uint8))
    padded = np.pad(photo, ((1500, 1700), (1907, 2001), (0, 0)))
    data = io.BytesIO()
    Image.fromarray(padded).save(data, "JPEG", quality=97, subsampling=0)
    got = read_photo(data.getvalue(), 128)
    np.testing.assert_allclose(got.box, (1957, 1540, 2277, 1860), atol=3)
    want = read_photo(photo, 128)
    inside = (got.fov & want.fov) == 1
    assert inside.sum() / (got.fov | want.fov).sum() > 0.97
    off = np.abs(got.image[inside].astype(int) - want.image[inside])
    assert off.mean() < 4, off.mean()


def test_a_picture_too_small_to_tell_says_so():
    noise = np.random.default_rng(0).integers(0, 256, (30, 40, 3)).astype(np.uint8)
    expected = "too few pixels to tell what it shows: 40 x 30, a shorter side of 48 pixels or more"
    assert read_photo(noise, 32).scope.startswith(expected)
    large = np.kron(noise, np.ones((8, 8, 1), np.uint8))
    assert read_photo(large, 32).scope.startswith("not a photograph of the inside of an eye")


@pytest.mark.parametrize("surround", [0.0, 2.0])
def test_half_of_a_field_lost_to_black_is_half_of_a_field(surround):
    """Not a photograph of which nothing is missing."""
    photo = draw(512, 512, 256, 256, 250, surround=surround)
    photo[:, 256:] = 0
    got = read_photo(photo, 96)
    assert got.field == "circle"
    np.testing.assert_allclose(got.box, (6, 6, 506, 506), atol=4)
    assert got.scope == ""
    assert got.shown == pytest.approx(0.5, abs=0.02)
