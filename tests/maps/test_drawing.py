"""Maps drawn: values and places that can be computed by hand."""

import numpy as np

from fiqa_jax.maps import drawing


def test_bare_keeps_constants_and_order():
    for value, grey in ((0.0, 0), (1.0, 255), (0.2, 51), (2.0, 255), (-1.0, 0)):
        np.testing.assert_array_equal(drawing.bare(np.full((2, 2), value), 8), grey)
    half = drawing.bare(np.array([[0.0, 1.0]] * 2), 16).astype(int)
    assert (np.diff(half, axis=1) >= 0).all()
    np.testing.assert_array_equal(half[:, :4], 0)  # bilinear: flat up to the first cell's centre
    np.testing.assert_array_equal(half[:, 12:], 255)


def test_over_tints_the_bad_part_inside_the_field_only():
    image = np.full((8, 8, 3), 100, np.uint8)
    fov = np.ones((8, 8), np.uint8)
    fov[:, 0] = 0
    got = drawing.over(image, np.ones((2, 2)), fov)
    want = np.rint(100 * (1 - drawing.STRENGTH) + np.array(drawing.COLOUR) * drawing.STRENGTH)
    np.testing.assert_array_equal(got[:, 1:], np.broadcast_to(want, (8, 7, 3)))
    np.testing.assert_array_equal(got[:, 0], 100)
    np.testing.assert_array_equal(drawing.over(image, np.zeros((2, 2)), fov), image)


def test_over_a_grey_slice_has_three_channels():
    got = drawing.over(np.full((4, 4, 1), 9, np.uint8), np.zeros((1, 1)), np.ones((4, 4), np.uint8))
    np.testing.assert_array_equal(got, np.full((4, 4, 3), 9))


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
