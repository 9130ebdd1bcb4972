"""Areas by counting pairs, and what they are where one class is missing."""

import itertools
import math

import numpy as np
import pytest

from fiqa_jax.evaluation import ranking


@pytest.mark.parametrize("seed", range(3))
def test_auroc_is_the_share_of_pairs_in_the_right_order_and_half_of_the_ties(seed):
    rng = np.random.default_rng(seed)
    positive, score = rng.random(30) < 0.4, rng.integers(0, 6, 30).astype(float)
    pairs = [
        (a > b) + (a == b) / 2 for a, b in itertools.product(score[positive], score[~positive])
    ]
    assert ranking.auroc(positive, score) == pytest.approx(np.mean(pairs), abs=1e-12)


def test_average_precision_is_the_mean_precision_where_a_positive_one_comes():
    # From the highest score down: hit, miss, hit, miss; precision 1 and 2/3 at the two hits.
    assert ranking.average_precision([1, 0, 1, 0], [0.9, 0.8, 0.7, 0.1]) == pytest.approx(5 / 6)


@pytest.mark.parametrize("area", [ranking.auroc, ranking.average_precision])
@pytest.mark.parametrize("label", [0, 1])
def test_one_class_alone_has_no_area(area, label):
    assert math.isnan(area([label] * 3, [0.1, 0.2, 0.3]))
