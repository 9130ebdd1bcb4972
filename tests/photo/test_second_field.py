"""Two fields in one picture, and one that only looks like two."""

import numpy as np
import pytest
from fundus_disc import draw
from PIL import Image, ImageFilter

from input_pipeline.photo.fields.field import find_field


@pytest.mark.parametrize("stacked", [False, True])
def test_two_fields_in_one_picture(stacked):
    eye = draw(128, 110, 64, 55, 50)
    both = np.concatenate([eye, eye[:, ::-1]], axis=0 if stacked else 1)
    field = find_field(both)
    assert field.circle is not None
    assert field.second is not None
    centres = sorted([(field.circle.y, field.circle.x), (field.second.y, field.second.x)])
    expected = [(55, 64), (165, 64)] if stacked else [(55, 64), (55, 192)]
    np.testing.assert_allclose(centres, expected, atol=1)


def test_a_second_field_that_is_blurred_with_its_edge():
    eye = Image.fromarray(draw(128, 86, 64, 43, 59))
    both = np.concatenate(
        [np.asarray(eye), np.asarray(eye.filter(ImageFilter.GaussianBlur(4)))], axis=1
    )
    for picture in (both, np.ascontiguousarray(both[:, ::-1])):
        field = find_field(picture)
        assert field.circle is not None
        assert field.second is not None


def test_a_half_of_one_field_is_not_two_fields():
    """The left part of a field alone: its upper and its lower half lie on one circle."""
    half = draw(512, 512, 256, 256, 250, surround=0.0)[:, :208]
    field = find_field(half[::2, ::2])
    assert field.second is None
    beside = np.concatenate([draw(240, 240, 120, 120, 110)] * 2, axis=0)
    assert find_field(beside[::2, ::2]).second is not None
