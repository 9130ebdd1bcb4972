"""What a photograph shows beside a model's outputs: an empty one, one without a round edge."""

import numpy as np
from PIL import Image

from fiqa_jax.inference import photo_limits
from input_pipeline import synthetic
from input_pipeline.photo.reader import read_photo


def test_an_empty_picture_has_the_worst_grade_and_no_cause():
    given = {
        "score": np.array([0.2, 0.3], np.float32),
        "map": np.full((2, 2, 2), 0.4, np.float32),
        "p_ungradable": np.array([0.1, 0.2]),
        "p_quality": np.tile([0.5, 0.3, 0.2], (2, 1)),
        "p_details": np.tile([0.1, 0.99], (2, 1)),
        "causes": np.full((2, 2, 2, 4), 0.25),
    }
    got = photo_limits.ungradable_where(given, np.array([False, True]))
    for key, value in given.items():
        np.testing.assert_array_equal(got[key][0], value[0])
    assert (got["score"][1], got["p_ungradable"][1]) == (1, 1)
    assert (got["map"][1] == 1).all()
    assert got["p_quality"][1].tolist() == [0, 0, 1]
    assert not got["p_details"][1].any()
    assert not got["causes"][1].any()
    assert given["p_details"][1, 1] == 0.99  # what was given stays


def test_the_middle_of_a_field_goes_to_a_person():
    eye = synthetic.draw(1, 512).image
    whole, middle = read_photo(eye, 64), read_photo(eye[128:384, 128:384], 64)
    assert (whole.field, middle.field, middle.scope) == ("circle", "frame", "")
    assert whole.shown > 0.9
    assert np.isnan(middle.shown)
    assert photo_limits.findings(whole, None, 0.5) == []
    (found,) = photo_limits.findings(middle, None, 0.5)
    assert found.least == "review"
    assert found.reason.startswith("field: no round edge")
    assert photo_limits.findings(middle, None, 0.5, frames=True) == []


def test_a_field_of_another_shape_has_its_edge():
    """An oval in a black frame: no circle, and nothing of it is cut off."""
    eye = synthetic.draw(1, 512).image
    black = np.zeros((700, 700, 3), np.uint8)
    narrow = np.asarray(Image.fromarray(eye).resize((360, 512)))
    black[94:606, 170:530] = narrow
    oval = read_photo(black, 64)
    assert oval.shown == 1
    assert photo_limits.findings(oval, None, 0.5) == []


def test_an_empty_picture_is_not_blamed_for_its_edge():
    (found,) = photo_limits.field_findings(900.0, float("nan"), "black", frames=False)
    assert found.least == "recapture"


def test_a_photograph_a_sixth_as_bright_is_too_dark():
    eye = synthetic.draw(1, 512).image
    for gain, dark in ((1.0, False), (0.15, True)):
        photo = read_photo((eye * gain).astype(np.uint8), 64)
        found = photo_limits.findings(photo, np.zeros((8, 8), np.float32), 0.5)
        assert [finding.cause for finding in found] == (["illumination"] if dark else [])
