"""Drawings: PNG files, equal for equal input, that show what they are given."""

import io

import numpy as np
import pytest
from PIL import Image

from fiqa_jax.report import figures

NAN = float("nan")


def pixels(data):
    with Image.open(io.BytesIO(data)) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB"))


def count(data, colour):
    wanted = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return int((np.abs(pixels(data).astype(int) - wanted).max(-1) < 12).sum())


CURVES = {"loss": [[(10, 1.0), (20, 0.5)]], "quality": [[(10, 0.7), (20, 0.4)]]}


@pytest.mark.parametrize(
    "draw",
    [
        lambda: figures.curves(CURVES, "training", 20),
        lambda: figures.confusion(np.array([[5, 1], [0, 3]]), ("good", "defect"), "clarity"),
        lambda: figures.reliability_diagram([0.1, 0.9, 0.8], [0, 1, 0], "clarity"),
        lambda: figures.intervals([("a", 0.1, 0.0, 0.2), ("b", 0.3, NAN, NAN)], True, "x"),
    ],
)
def test_equal_input_gives_equal_files(draw):
    first = draw()
    assert first == draw()
    shown = pixels(first)
    assert shown.std() > 5
    assert (shown[0] == 255).all()  # a white margin: nothing is cut off at the top
    assert (shown[:, -1] == 255).all()
    assert shown.shape[1] <= 1.02 * figures.DPI * 4.6


def test_every_curve_is_drawn_in_its_own_colour():
    data = figures.curves(CURVES, "training", None)
    for colour in figures.COLOURS[:2]:
        assert count(data, colour) > 200
    assert count(data, figures.COLOURS[2]) < 20
    repeated = figures.curves({"loss": [[(0, 1.0), (9, 0.5)], [(0, 0.9), (9, 0.1)]]}, "x", None)
    assert count(repeated, figures.COLOURS[1]) < 20  # repetitions share a colour


def test_confusion_is_darkest_where_all_of_a_row_lie():
    shown = pixels(figures.confusion(np.array([[9, 0], [0, 9]]), ("a", "b"), "x")).astype(int)
    blue = shown[..., 2] - shown[..., 0] > 60
    # Columns and rows of the two dark cells: the first lies left of and above the second.
    across, down = (np.flatnonzero(blue.sum(axis) > 60) for axis in (0, 1))
    middle = (across.min() + across.max()) // 2, (down.min() + down.max()) // 2
    left, right = blue[:, : middle[0]], blue[:, middle[0] :]
    assert left[: middle[1]].sum() > 20 * left[middle[1] :].sum()
    assert right[middle[1] :].sum() > 20 * right[: middle[1]].sum()
    # A class without examples has no share, and no warning.
    figures.confusion(np.array([[0, 0], [1, 2]]), ("a", "b"), "x")


def test_interval_lies_where_it_should():
    def place(value):
        data = figures.intervals([("a", value, value - 0.1, value + 0.1), ("b", 0, 0, 1)], True, "")
        wanted = np.array([0x00, 0x72, 0xB2])
        hit = np.abs(pixels(data).astype(int) - wanted).max(-1) < 12
        return np.argwhere(hit[: hit.shape[0] // 3])[:, 1].mean()

    assert place(0.2) < place(0.5) < place(0.8)
