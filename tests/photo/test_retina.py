"""What a round field shows, told by colour."""

import numpy as np
import pytest
from fundus_disc import draw

from input_pipeline.photo import retina
from input_pipeline.photo.circle import Circle

FIELD = Circle(250, 200, 180, 360, 1, 1, 0, 0, 0)


def test_a_drawn_retina_is_one():
    got = retina.look(draw(512, 400, 250, 200, 180), FIELD, 5)
    assert got is not None
    assert got.retina


def _stripes(amplitudes, base=(200.0, 150.0, 100.0)):
    """Stripes of 16 pixels, by each channel's amplitude, all in step."""
    image = np.zeros((400, 512, 3))
    stripe = np.where(np.arange(512) // 16 % 2, 1.0, -1.0)
    image[:] = np.array(base) + stripe[None, :, None] * np.array(amplitudes)
    return image.astype(np.uint8)


def test_blue_is_detail_over_the_brightest_colour():
    # Stripes of 4 blocks in a square of 13: over the stripe's period of 8 blocks the mean under
    # the square differs from 0 by at most 3/13 of the amplitude, so the detail is 10/13 to 16/13
    # of it.
    got = retina.look(_stripes((-10, 30, 40)), FIELD, 5)
    assert got is not None
    assert 40 * 10 / 13 / 200 < got.blue < 40 * 16.1 / 13 / 200
    assert got.agreement == pytest.approx(-1, abs=0.01)
    assert got.shared == 0  # red and green disagree
    assert got.retina


def test_detail_in_blue_that_all_colours_share_is_no_retina():
    rng = np.random.default_rng(0)
    tint = np.kron(rng.integers(-15, 16, (100, 128, 1)), np.ones((4, 4, 1)))
    image = _stripes((40, 40, 40)) + tint * np.array([1, 0, -1])
    got = retina.look(np.clip(image, 0, 255).astype(np.uint8), FIELD, 5)
    assert got is not None
    assert 0.65 < got.agreement < 0.995
    assert got.shared == pytest.approx(got.blue * got.agreement)
    assert not got.retina


def test_smooth_blue_is_haze():
    image = draw(512, 400, 250, 200, 180).astype(float) * 0.6 + [60, 75, 90]
    got = retina.look(image.astype(np.uint8), FIELD, 5)
    assert got is not None
    assert got.retina


@pytest.mark.parametrize("tint", [(1, 1, 1), (0.9, 0.7, 0.4), (0, 1, 0)])
def test_a_single_colour_tells_nothing(tint):
    grey = _stripes((40, 40, 40), (150, 150, 150)).astype(float)
    got = retina.look((grey * tint).astype(np.uint8), FIELD, 5)
    assert got is None or got.retina


def test_darkness_tells_nothing():
    assert retina.look(np.full((400, 512, 3), 3, np.uint8), FIELD, 5) is None


def test_block_means():
    image = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)
    got = retina._block_means(image, 2)
    assert got.shape == (3, 2, 3)
    # Block (1, 2) holds rows 2-3 and columns 4-5; element (r, c, k) is 21 r + 3 c + k.
    assert got[1, 1, 2] == np.mean([21 * r + 3 * c + 1 for r in (2, 3) for c in (4, 5)])
