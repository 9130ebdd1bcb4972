"""Maps drawn: values and places that can be computed by hand."""

import numpy as np
import pytest
from scipy import ndimage

from fiqa_jax.maps import drawing


def test_bare_keeps_constants_and_order():
    for value, grey in ((0.0, 0), (1.0, 255), (0.2, 51), (2.0, 255), (-1.0, 0)):
        np.testing.assert_array_equal(drawing.bare(np.full((2, 2), value), 8), grey)
    half = drawing.bare(np.array([[0.0, 1.0]] * 2), 16).astype(int)
    assert (np.diff(half, axis=1) >= 0).all()
    np.testing.assert_array_equal(half[:, :4], 0)  # bilinear: flat up to the first cell's centre
    np.testing.assert_array_equal(half[:, 12:], 255)


def test_over_leaves_the_photograph_as_it_is_between_the_lines():
    """One half is bad: a contour along its border, hatching within, nothing elsewhere."""
    side = 320
    image = np.full((side, side, 3), (180, 90, 40), np.uint8)
    fov = np.ones((side, side), np.uint8)
    fov[:, :20] = 0
    quality = np.repeat(np.array([[0.0, 0.0, 0.7, 0.7]]), 4, 0)
    got = drawing.overlay(image, quality, fov, 0.5)
    good = got[:, 20:150]
    np.testing.assert_array_equal(good, np.broadcast_to(image[0, 0], good.shape))
    bad = got[:, 200:]
    touched = (bad != image[0, 0]).any(-1)
    assert 0.1 < touched.mean() < 0.4  # lines, not a tint
    np.testing.assert_array_equal(np.unique(bad[~touched], axis=0), [[180, 90, 40]])
    # bilinear between 0 and .7 at columns 120 and 200: the threshold .5 is crossed near 177
    row = np.flatnonzero((got[100] == 255).all(-1))
    assert 174 <= row[0] <= 180
    np.testing.assert_array_equal(got[:, :20], image[:, :20])
    np.testing.assert_array_equal(drawing.overlay(image, 0 * quality, fov, 0.5), image)


def test_severe_places_are_hatched_both_ways():
    levels = np.full((480, 480), 1, np.uint8)
    once, twice = (drawing.hatching(levels * k)[0].mean() for k in (1, 2))
    assert 1.7 * once < twice < 2 * once + 1e-9
    fov = np.ones((64, 64), np.uint8)
    found = drawing.levels(np.array([[0.1, 0.1], [0.9, 0.9]]), fov, 0.5)
    assert found[0, 0] == 0
    assert found[-1, 0] == 2  # severe from .75 on
    assert set(np.unique(found)) == {0, 1, 2}


def test_marks_are_drawn_where_they_are():
    image, fov = np.full((200, 200, 3), 90, np.uint8), np.ones((200, 200), np.uint8)
    marks = (("circle", 0.5, 0.25, 0.1), ("cross", 0.5, 0.75, 0.05))
    got = drawing.overlay(image, np.zeros((2, 2)), fov, 0.5, marks)
    assert (got[100, 70] == 255).all()  # on the circle, 20 pixels right of its middle
    assert (got[100, 50] == 90).all()
    assert (got[100, 150] == 255).all()
    assert (got[60:76] == 90).all()


def test_over_a_grey_slice_has_three_channels():
    ones = np.ones((4, 4), np.uint8)
    got = drawing.overlay(np.full((4, 4, 1), 9, np.uint8), np.zeros((1, 1)), ones, 0.5)
    np.testing.assert_array_equal(got, np.full((4, 4, 3), 9))


def test_shares_of_cells_that_are_no_whole_pixels():
    fov = np.zeros((10, 10), np.uint8)
    fov[:, :5] = 1
    np.testing.assert_allclose(drawing.seen_share(fov, 1, 4), [[1, 1, 0, 0]], atol=0.02)
    np.testing.assert_allclose(drawing.seen_share(fov, 2, 5), [[1, 1, 0.5, 0, 0]] * 2, atol=1e-6)


def test_zeros_outside_the_field_leave_no_rim():
    """A map that is 1 all over its field is so up to the field's edge, and elsewhere as it was."""
    y, x = np.mgrid[-31.5:32, -31.5:32]
    fov = ((abs(y) < 24) & (abs(x) < 28)).astype(np.uint8)
    share = drawing.seen_share(fov, 8, 8)
    np.testing.assert_allclose(share, fov.reshape(8, 8, 8, 8).mean((1, 3)), atol=1e-6)
    quality = (share > 0).astype(np.float32)
    large = drawing.enlarged(drawing.continued(quality, fov), 64)
    np.testing.assert_allclose(large[fov > 0], 1.0, atol=1e-6)
    assert drawing.enlarged(quality, 64)[fov > 0].min() < 0.6  # what the rim would be
    half = quality * (np.arange(8) < 4)
    np.testing.assert_array_equal(drawing.continued(half, fov)[share > 0], half[share > 0])


@pytest.mark.parametrize("distance", [0, 1, 2, 3, 7, 90])
def test_pixels_within_a_distance_are_those_of_a_distance_transform(distance):
    region = np.random.default_rng(distance).random((70, 50)) < 0.002
    region[0, 0] = True
    want = ndimage.distance_transform_edt(~region) <= distance
    np.testing.assert_array_equal(drawing.within(region, distance), want)


def test_a_field_that_is_bad_all_over_has_no_contour():
    inside = np.ones((40, 40), bool)
    border, edge = drawing.contour(inside, inside, 2)
    assert not border.any()
    assert not edge.any()


def test_hatching_runs_along_the_diagonals():
    """A pixel is on a line where y + x, and at level 2 also y - x, falls on one."""
    side, gap, width = 600, 15, 1
    level = np.random.default_rng(0).integers(0, 3, (side, side)).astype(np.uint8)
    white, black = drawing.hatching(level)
    y, x = np.indices((side, side))
    on = [((y + x) % gap, level >= 1), ((y - x) % gap, level >= 2)]
    want = [
        np.logical_or.reduce([here & (low <= at) & (at < low + width) for at, here in on])
        for low in (0, width)
    ]
    np.testing.assert_array_equal(white, want[0])
    np.testing.assert_array_equal(black, want[1] & ~want[0])


def test_a_layer_laid_over_a_photograph_is_the_overlay():
    """Alpha compositing by hand: colour over what is below, to a grey level's rounding."""
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (60, 60, 3)).astype(np.uint8)
    fov = np.ones((60, 60), np.uint8)
    fov[:, :6] = 0
    quality = np.linspace(0, 1, 16).reshape(4, 4)
    drawn = drawing.layer(quality, fov, 0.5)
    alpha = drawn[..., 3:] / 255
    laid = drawn[..., :3] * alpha + image * (1 - alpha)
    expected = drawing.overlay(image, quality, fov, 0.5)
    assert np.abs(laid - expected).max() < 1
    assert len(np.unique(drawn[..., 3])) > 2  # something is drawn, something is left
    assert not drawn[:, :6].any()
