"""What a photograph shows beside a model's outputs: an empty one, one without a round edge."""

import numpy as np

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
    assert photo_limits.findings(whole, None, 0.5) == []
    (found,) = photo_limits.findings(middle, None, 0.5)
    assert found.least == "review"
    assert found.reason.startswith("field: no round edge")
    assert photo_limits.findings(middle, None, 0.5, frames=True) == []


def test_an_empty_picture_is_not_blamed_for_its_edge():
    (found,) = photo_limits.field_findings(900.0, 1.0, "black", True)
    assert found.least == "recapture"
