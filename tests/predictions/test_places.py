"""Where the bad part of a map lies, on maps drawn by hand."""

import math

import numpy as np
import pytest

from fiqa_jax.predictions import places


@pytest.mark.parametrize(
    ("rows", "columns", "place"),
    [
        (slice(0, 3), slice(0, 3), "upper left"),
        (slice(9, 12), slice(9, 12), "lower right"),
        (slice(0, 2), slice(4, 8), "upper part"),
        (slice(4, 8), slice(10, 12), "right"),
        (slice(4, 8), slice(4, 8), "centre"),
        (slice(0, 12), slice(0, 12), "all over"),
        (slice(0, 0), slice(0, 0), ""),
    ],
)
def test_where_the_bad_part_lies(rows, columns, place):
    field = np.zeros((12, 12))
    field[rows, columns] = 0.9
    share, where = places.bad_area(field, None, 0.5)
    assert where == place
    assert share == pytest.approx((field > 0).sum() / 144)


def test_bad_area_counts_the_field_only():
    quality_map = np.zeros((4, 4), np.float32)
    quality_map[:2] = 1
    fov = np.zeros((64, 64), np.uint8)
    fov[:, 32:] = 1  # the right half: four bad cells of eight
    fov[:16] = 0  # without its first row of cells: two of six
    share, _ = places.bad_area(quality_map, fov, 0.5)
    assert share == pytest.approx(2 / 6)
    share, where = places.bad_area(quality_map, np.zeros_like(fov), 0.5)
    assert math.isnan(share)
    assert where == ""


def _disc(side=48):
    y, x = np.mgrid[:side, :side] / (side - 1) * 2 - 1
    return np.hypot(y, x), np.degrees(np.arctan2(y, x))


def test_a_blurred_rim_is_the_rim_and_not_the_centre():
    away, _ = _disc()
    _, where = places.bad_area((away > 0.6).astype(float), (away < 1).astype(np.uint8), 0.5)
    assert where == "rim"


@pytest.mark.parametrize(
    ("bad", "place"),
    [
        (
            lambda away, angle: (away > 0.5) & (np.abs(np.abs(angle) - 90) < 25),
            "lower part and upper part",
        ),
        (lambda away, angle: (away > 0.5) & (np.abs(angle) < 70), "right"),
        (
            lambda away, angle: (away < 0.5) | ((away > 0.5) & (np.abs(angle - 45) < 20)),
            "centre and lower right",
        ),
        (lambda away, angle: (np.abs(angle) < 65) | (away < 0.5), "centre and right"),
        (lambda away, angle: away < 0.4, "centre"),
    ],
)
def test_every_bad_region_is_named(bad, place):
    away, angle = _disc()
    _, where = places.bad_area(bad(away, angle).astype(float), (away < 1).astype(np.uint8), 0.5)
    assert where == place


def test_the_rim_of_a_field_that_is_cut_above_and_below_is_the_rim():
    away, _ = _disc()
    fov = (away < 1).astype(np.uint8)
    fov[:9], fov[-9:] = 0, 0
    _, where = places.bad_area((away > 0.7).astype(float), fov, 0.5)
    assert where == "rim"


def test_every_cause_has_its_share_and_place():
    field = np.zeros((12, 12))
    field[:3, :3] = 0.9  # 9 cells covered
    field[9:, :] = 0.8  # 36 blurred
    field[5, 5] = 0.3  # hazy, and not bad
    causes = np.zeros((12, 12, 4))
    causes[..., 2] = 0.4
    causes[:3, :3, 3] = 0.6
    causes[9:, :, 1] = 0.5
    found = places.by_cause(field, causes, None, 0.5)
    assert [(k, round(share * 144)) for k, share, _ in found] == [(1, 36), (3, 9)]
    assert [where for *_, where in found] == ["lower part", "upper left"]
