"""Where nothing of a retina can be seen: the worst of everything, and no cause by chance."""

import numpy as np

from fiqa_jax.inference import photo_limits


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
