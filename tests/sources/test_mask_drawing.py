"""Masks go through the photograph's own crop: hand-computed means, known discs, one clear error."""

import math

import fundus_disc
import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from input_pipeline.photo.reader import Photo, PhotoError, read_photo
from input_pipeline.sources.mask_drawing import read_vessels, through_crop


def a_photo(side, box, size):
    fov = np.ones((side, side), np.uint8)
    return Photo(np.zeros((side, side, 3), np.uint8), fov, box, size, "circle", {})


def test_the_whole_square_is_the_mask_itself():
    mask = np.random.default_rng(0).integers(0, 256, (7, 7), dtype=np.uint8)
    photo = a_photo(7, (0.0, 0.0, 7.0, 7.0), (7, 7))
    for how in ("area", "nearest"):
        np.testing.assert_array_equal(through_crop(mask, photo, how), mask)


def test_means_by_hand():
    mask = np.array([[0, 100], [200, 40]], np.uint8)
    # One pixel over the middle: a quarter of each cell's area.
    photo = a_photo(1, (0.5, 0.5, 1.5, 1.5), (2, 2))
    assert through_crop(mask, photo, "area")[0, 0] == (0 + 100 + 200 + 40) / 4
    # A pixel of three quarters of a cell: (2/3, 1/3) across, (1, 0) down.
    photo = a_photo(1, (0.5, 0.0, 1.25, 0.75), (2, 2))
    assert through_crop(mask, photo, "area")[0, 0] == round(100 / 3)


def test_outside_the_photograph_is_nothing():
    mask = np.full((2, 4), 8, np.uint8)
    photo = a_photo(4, (0.0, -1.0, 4.0, 3.0), (4, 2))
    expected = np.zeros((4, 4), np.uint8)
    expected[1:3] = 8
    for how in ("area", "nearest"):
        np.testing.assert_array_equal(through_crop(mask, photo, how), expected)
    beside = a_photo(1, (-1.0, 0.0, 1.0, 2.0), (4, 2))  # half of it lies outside
    assert through_crop(mask, beside, "area")[0, 0] == 4


def test_labels_stay_labels():
    mask = np.array([[1, 7], [3, 5]], np.uint8)
    photo = a_photo(8, (0.0, 0.0, 2.0, 2.0), (2, 2))
    np.testing.assert_array_equal(
        through_crop(mask, photo, "nearest"), mask.repeat(4, 0).repeat(4, 1)
    )
    colours = np.stack([mask, mask + 1], -1)
    np.testing.assert_array_equal(
        through_crop(colours, photo, "nearest")[..., 1], mask.repeat(4, 0).repeat(4, 1) + 1
    )


def test_a_mask_of_another_size_shows_the_same():
    yy, xx = np.mgrid[:120, :180]
    large = np.where((yy // 12 + xx // 12) % 2, 255, 0).astype(np.uint8)
    small = large[::6, ::6]
    photo = a_photo(20, (30.0, 0.0, 150.0, 120.0), (180, 120))
    np.testing.assert_array_equal(
        through_crop(large, photo, "area"), through_crop(small, photo, "area")
    )
    # Rounded by a pixel, as 999 x 960 becomes 512 x 492.
    assert through_crop(large[:, :-1], photo, "area").shape == (20, 20)


@pytest.mark.parametrize("shape", [(180, 120), (120, 160), (60, 80), (118, 180)])
def test_another_picture_is_refused(shape):
    photo = a_photo(20, (30.0, 0.0, 150.0, 120.0), (180, 120))
    with pytest.raises(PhotoError, match=r"m\.png: \d+ x \d+ pixels for a photograph of 180 x 120"):
        through_crop(np.zeros(shape, np.uint8), photo, "area", "m.png")


@pytest.fixture
def disc(tmp_path):
    """A photograph with its field at (150, 90), radius 80, and how to save a mask beside it."""
    image = fundus_disc.draw(300, 200, 150, 90, 80)
    Image.fromarray(image).save(tmp_path / "eye.png")
    photo = read_photo(tmp_path / "eye.png", 64)
    assert photo.field == "circle"

    def save(mask):
        Image.fromarray(mask).save(tmp_path / "mask.png")
        return tmp_path / "mask.png"

    return photo, save


def circle(radius, x=150.0, y=90.0):
    yy, xx = np.mgrid[:200, :300] + 0.5
    return (xx - x) ** 2 + (yy - y) ** 2 < radius**2


def test_a_vessel_lies_where_the_photograph_shows_it(disc):
    photo, save = disc
    vessels, valid = read_vessels(save(circle(20) * np.uint8(255)), photo)
    np.testing.assert_array_equal(valid, [0, 0, 1])
    assert not vessels[..., :2].any()
    cover = vessels[..., 2] / 255
    # A quarter of the field's radius: 8 of 64 / 2 pixels, in the middle of the square.
    assert cover.sum() == pytest.approx(math.pi * 8**2, rel=0.03)
    yy, xx = np.mgrid[:64, :64] + 0.5
    assert (cover * xx).sum() / cover.sum() == pytest.approx(32, abs=0.4)
    assert (cover * yy).sum() / cover.sum() == pytest.approx(32, abs=0.4)


@pytest.mark.parametrize("code", ["1 bit", "0 and 1", "0 and 255", "RGB", "16 bit"])
def test_every_way_to_store_a_mask(disc, code):
    photo, save = disc
    here = circle(20)
    mask = {
        "1 bit": here,
        "0 and 1": here.astype(np.uint8),
        "0 and 255": here * np.uint8(255),
        "RGB": np.repeat(here[..., None] * np.uint8(255), 3, -1),
        "16 bit": here * np.uint16(65535),
    }[code]
    vessels, valid = read_vessels(save(mask), photo)
    np.testing.assert_array_equal(valid, [0, 0, 1])
    assert vessels[32, 32, 2] == 255
    assert vessels[32, 48, 2] == 0


def test_arteries_and_veins(disc):
    photo, save = disc
    mask = np.zeros((200, 300, 3), np.uint8)
    red, blue, green, white = (circle(10, x=x) for x in (100, 130, 160, 190))
    mask[red | white, 0] = mask[green | white, 1] = mask[blue | white, 2] = 255
    vessels, valid = read_vessels(save(mask), photo)
    np.testing.assert_array_equal(valid, [1, 1, 1])
    # Original x 100, 130, 160, 190 in a square from 70 to 230, 2.5 pixels each.
    seen = vessels[32, [12, 24, 36, 48]] / 255
    np.testing.assert_array_equal(seen, [[1, 0, 1], [0, 1, 1], [1, 1, 1], [0, 0, 1]])


def test_nothing_is_marked_outside_the_field(disc):
    photo, save = disc
    vessels, _ = read_vessels(save(circle(100) & ~circle(75)), photo)
    assert vessels.any()
    assert not vessels[photo.fov == 0].any()


def test_black_vessels_on_white_are_refused(disc):
    photo, save = disc
    with pytest.raises(PhotoError, match="% of the field of view is marked as vessel; give a mask"):
        read_vessels(save(~circle(20)), photo)


def test_annotated_vessels_are_dark_in_real_photographs(shared_data):
    """Green is lower under an annotated vessel than around it, and nowhere else so much."""
    for image, mask in (
        ("hrf/images/01_h.jpg", "hrf/av/01_h.png"),
        ("chase_db1/original/Image_01L.jpg", "chase_db1/vessels/Image_01L_1stHO.png"),
    ):
        photo = read_photo(shared_data / image, 256)
        vessels, _ = read_vessels(shared_data / mask, photo)
        green = photo.image[..., 1].astype(float)
        light = green - ndimage.gaussian_filter(green, 8)

        def found(row, column, light=light, cover=vessels[..., 2], fov=photo.fov):
            moved = np.roll(cover, (row, column), (0, 1))
            return light[(moved > 200) & (ndimage.binary_erosion(fov, iterations=9))].mean()

        here = found(0, 0)
        assert here < -4
        for shift in ((2, 0), (0, 2), (-2, 0), (0, -2)):
            assert found(*shift) > here + 0.5
