"""One class and one score from probabilities, for NumPy and JAX alike."""

import jax.numpy as jnp
import numpy as np
import pytest

from fiqa_jax.evaluation import decisions
from fiqa_jax.evaluation.decisions import badness, predicted_class


def test_the_likeliest_class_and_the_first_of_equal_ones():
    prob = np.array([[0.2, 0.5, 0.3], [0.4, 0.4, 0.2], [0.1, 0.1, 0.8]])
    assert predicted_class(prob).tolist() == [1, 0, 2]


def test_of_two_classes_the_second_from_a_half_on():
    assert predicted_class(np.array([0.0, 0.4999, 0.5, 1.0])).tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize("array", [np.asarray, jnp.asarray])
def test_badness_is_the_expected_grade(array):
    p = array([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [0.5, 0.25, 0.25]])
    np.testing.assert_allclose(badness(p), [0, 0.5, 1, 0.375], atol=1e-7)


@pytest.mark.parametrize("array", [np.asarray, jnp.asarray])
def test_the_score_is_the_expected_grade_then_ungradable_then_the_mean_defect(array):
    outputs = {
        "p_quality": array([[0.5, 0.25, 0.25]]),
        "p_ungradable": array([0.75]),
        "p_details": array([[0.5, 0.25, 0.0, 0.25]]),
    }
    for first, want in (("p_quality", 0.375), ("p_ungradable", 0.75), ("p_details", 0.25)):
        np.testing.assert_allclose(decisions.score(outputs), [want], atol=1e-7)
        del outputs[first]
    assert decisions.score({"map": array([[[0.5]]])}) is None
