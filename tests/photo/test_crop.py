"""Squares of a picture: geometry by hand."""

import numpy as np
import pytest
from PIL import Image

from input_pipeline.photo.crop import cover, crop, erased, mask
from input_pipeline.photo.decode import Upright
from input_pipeline.photo.reader import read_photo


def _disc(x, y, radius):
    return lambda column, row: (column - x) ** 2 + (row[:, None] - y) ** 2 <= radius**2


def _upright(array, scale=1, origin=(0, 0), size=None):
    height, width = array.shape[:2]
    size = size or (width * scale, height * scale)
    return Upright(Image.fromarray(array), size, scale, origin, {})


def _ramp(width, height, slope_x, slope_y, scale=1, origin=(0, 0)):
    """Grey = slope_x x + slope_y y at the original's coordinates of each decoded centre."""
    x = (np.arange(width) + 0.5) * scale + origin[0]
    y = (np.arange(height) + 0.5) * scale + origin[1]
    return np.rint(slope_x * x[None, :] + slope_y * y[:, None]).astype(np.uint8)


def test_cover_touches_outward():
    # Cells of 4 pixels from (-2, 0): x 3..9 touches cells 1 and 2, y 4..8 cell 1 alone.
    rows, columns = cover((3, 4, 9, 8), (-2, 0), 4, (10, 10))
    assert (rows, columns) == (slice(1, 2), slice(1, 3))
    rows, columns = cover((-50, 30, 500, 90), (0, 0), 4, (10, 12))
    assert (rows, columns) == (slice(7, 10), slice(0, 12))


@pytest.mark.parametrize(("scale", "origin"), [(1, (0, 0)), (4, (0, 0)), (4, (-3, -2))])
def test_a_ramp_stays_a_ramp(scale, origin):
    # A symmetric filter leaves a linear picture linear: the value is that at the pixel's centre.
    array = _ramp(200, 160, 0.2 / scale, 0.9 / scale, scale, origin)
    square = (20.5 * scale, 13.25 * scale, 120.5 * scale, 113.25 * scale)
    got = crop(_upright(array, scale, origin, (200 * scale - 4, 160 * scale - 4)), square, 32, [])
    x = square[0] + (np.arange(32) + 0.5) * 100 * scale / 32
    y = square[1] + (np.arange(32) + 0.5) * 100 * scale / 32
    expected = 0.2 / scale * x[None, :] + 0.9 / scale * y[:, None]
    np.testing.assert_allclose(got[..., 0], expected, atol=1.1)  # rounded twice


def test_a_checkerboard_averages_out():
    board = (np.indices((256, 256)).sum(axis=0) % 2 * 255).astype(np.uint8)
    got = crop(_upright(board), (0, 0, 256, 256), 32, [])
    assert np.abs(got.astype(float) - 127.5).max() < 2  # an aliased picture has 0 and 255


def test_the_border_of_the_photograph_is_not_darkened():
    square = (-20.3, -60.7, 120.3, 79.9)  # beyond on three sides
    even = np.full((70, 100, 3), 200, np.uint8)
    got = crop(_upright(even), square, 64, [])
    shown = mask(square, 64, (100, 70), [], None)
    assert got.shape == (64, 64, 3)
    assert (got[shown == 1] == 200).all()
    assert (got[shown == 0] == 0).all()


def test_enlarging():
    got = crop(_upright(np.array([[0, 100]], np.uint8)), (0, -0.5, 2, 1.5), 8, [])
    # Linear between the two centres at 0.5 and 1.5, even beyond; one of two rows is shown.
    np.testing.assert_array_equal(got[2:6, :, 0], [[0, 0, 13, 38, 63, 88, 100, 100]] * 4)
    assert not got[:2].any()
    assert not got[6:].any()


def test_mask_is_circle_and_frame_without_boxes():
    square = (0, 0, 100, 100)
    got = mask(square, 50, (100, 60), [], _disc(50, 50, 50))
    assert got.dtype == np.uint8
    # Area of the disc above y = 60, in pixels of 2 x 2: (r^2 (pi - acos(d/r)) + d sqrt(r^2-d^2)).
    r, d = 50, 10
    area = r**2 * (np.pi - np.arccos(d / r)) + d * np.sqrt(r**2 - d**2)
    assert got.sum() == pytest.approx(area / 4, rel=0.01)
    assert not got[30:].any()
    holed = mask(square, 50, (100, 60), [(20, 20, 40, 30)], _disc(50, 50, 50))
    # The box covers pixels 10..19 and 10..14; the filter reaches one further on each side.
    expected = got.copy()
    expected[9:16, 9:21] = 0
    np.testing.assert_array_equal(holed, expected)


def test_boxes_are_black_before_resizing():
    white = np.full((80, 80, 3), 255, np.uint8)
    box = (20, 24, 40, 32)
    got = crop(_upright(white), (0, 0, 80, 80), 20, [box])
    inside = mask((0, 0, 80, 80), 20, (80, 80), [box], None)
    assert got[6:8, 5:10].max() < 64
    assert (got[inside == 1] == 255).all()  # nothing of the black reaches where the mask is 1
    assert not inside[6:8, 5:10].any()


def test_boxes_grow_where_jpeg_blocks_mix():
    even = np.zeros((10, 10), np.uint8)
    assert erased([(20, 30, 40, 50)], _upright(even)) == [(20, 30, 40, 50)]
    assert erased([(20, 30, 40, 50)], _upright(even, 4)) == [(4, 14, 56, 66)]


def test_of_a_strip_between_pixel_centres_one_row_is_left():
    strip = np.full((1, 1000), 200, np.uint8)
    square = (0, -499.5, 1000, 500.5)
    got = crop(_upright(strip), square, 10, [])
    expected = np.zeros((10, 10), np.uint8)
    expected[5] = 1  # y = 0.5 lies at (0.5 + 499.5) / 100 = 5.0
    np.testing.assert_array_equal(mask(square, 10, (1000, 1), [], None), expected)
    np.testing.assert_array_equal(got[..., 0], 200 * expected)


@pytest.mark.parametrize("turned", [False, True])
def test_a_strip_one_pixel_thin_is_not_widened_beyond_memory(turned):
    values = np.repeat(np.arange(1, 5, dtype=np.uint8) * 50, 16_000)[:, None]
    picture = np.repeat(values[..., None], 3, axis=2)
    photo = read_photo(picture.swapaxes(0, 1) if turned else picture, 32)
    image = photo.image.swapaxes(0, 1) if turned else photo.image
    assert photo.fov.sum() == 32
    column = int(photo.fov.any(axis=1 if turned else 0).argmax())
    np.testing.assert_array_equal(image[3:32:8, column, 0], [50, 100, 150, 200])
