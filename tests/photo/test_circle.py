"""Circles through points, some of them wrong, and their refinement on an edge."""

import numpy as np
import pytest
from fundus_disc import draw

from input_pipeline.photo.fields import circle

TRUTH = np.array([250.0, 200.0, 180.0])


def _points(count, wrong, seed=0):
    rng = np.random.default_rng(seed)
    angle = rng.uniform(0, 2 * np.pi, count)
    good = TRUTH[:2] + TRUTH[2] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return np.concatenate([good, rng.uniform(0, (512, 400), (wrong, 2))])


@pytest.mark.parametrize("wrong", [0, 100, 200])
def test_the_first_guess_survives_wrong_points(wrong):
    first = next(circle.guess(_points(200, wrong), (400, 512)))
    np.testing.assert_allclose(first, TRUTH, atol=2.0)


def test_the_second_guess_is_centred():
    points = np.array([256.0, 200.0]) + 190 * np.array(
        [[np.cos(a), np.sin(a)] for a in np.linspace(0.6, 0.75, 40)]
    )
    *_, centred = circle.guess(points, (400, 512))
    np.testing.assert_allclose(centred, [256, 200, 190], atol=1e-6)


def test_few_points_or_points_on_a_line_give_no_round_guess():
    assert list(circle.guess(np.zeros((11, 2)), (400, 512))) == []
    line = np.stack([np.linspace(10, 500, 60), np.full(60, 30.0)], axis=1)
    for guess in circle.guess(line, (400, 512)):
        np.testing.assert_allclose(guess[:2], [256, 200])  # only the centred one is left


def test_the_same_points_give_the_same_guesses():
    points = _points(150, 80)
    np.testing.assert_array_equal(
        list(circle.guess(points, (400, 512))), list(circle.guess(points.copy(), (400, 512)))
    )


@pytest.mark.parametrize("off", [(4, -3, 5), (-5, 4, -6), (0, 0, 0)])
def test_measuring_finds_the_edge_from_nearby(off):
    level = draw(512, 400, *TRUTH).max(axis=-1).astype(np.float32)
    got = circle.measure(level, TRUTH + off, None)
    assert got is not None
    np.testing.assert_allclose([got.x, got.y, got.radius], TRUTH, atol=0.2)
    assert got.certain
    assert got.arc == 360
    assert (got.share, got.support, got.leak) == (1, 1, 0)
    assert got.scatter < 0.3
    # Centre 6 pixels of 512 and 0 of 400 beside the frame's.
    assert got.offset == pytest.approx(6 / 512, abs=1e-3)


def test_half_a_circle_in_the_dark_counts_half():
    image = draw(512, 400, *TRUTH)
    image[:, :250] = 0
    got = circle.measure(image.max(axis=-1).astype(np.float32), TRUTH, None)
    assert got is not None
    assert got.arc == pytest.approx(180, abs=8)
    assert got.share == pytest.approx(0.5, abs=0.02)
    assert got.support == pytest.approx(1, abs=0.03)


def test_light_outside_is_a_leak():
    image = draw(512, 400, *TRUTH)
    image[:, :250] = 120  # light on both sides of the left half
    got = circle.measure(image.max(axis=-1).astype(np.float32), TRUTH, None)
    assert got is not None
    assert got.leak == pytest.approx(0.5, abs=0.06)
    assert not got.convincing


def test_nothing_near_is_nothing():
    assert circle.measure(np.zeros((400, 512), np.float32), TRUTH, None) is None


def test_only_what_convinces_is_certain():
    # A long enough arc, and clean, but a small part of the circumference inside the frame.
    stray = circle.Circle(0, 0, 1, 18, 0.09, 0.95, 0.03, 0.5, 0.1)
    assert not stray.convincing
    assert not stray.certain
    whole = circle.Circle(0, 0, 1, 360, 1, 1, 0, 0.2, 0)
    assert whole.certain
    assert whole.rank > stray.rank


def test_short_arcs_must_fit_exactly_and_lie_in_the_middle():
    def short(scatter, offset):
        return circle.Circle(0, 0, 1, 20, 1, 1, 0, scatter, offset).convincing

    assert short(0.3, 0.05)
    assert not short(0.9, 0.05)
    assert not short(0.3, 0.3)
    assert circle.Circle(0, 0, 1, 200, 1, 1, 0, 0.9, 0.3).convincing


def test_an_exact_circle_is_believed_beside_a_halo():
    def seen(arc, support, scatter, offset=0.1):
        return circle.Circle(0, 0, 1, arc, 0.7, support, 0, scatter, offset).convincing

    assert seen(120, 0.66, 0.3)
    assert not seen(120, 0.66, 0.9)  # the edge is met, but not exactly
    assert not seen(120, 0.5, 0.3)  # most of the edge lies elsewhere
    assert not seen(70, 0.66, 0.2)
    assert seen(36, 0.69, 0.2, offset=0.01)  # corners alone, in the middle of the frame
