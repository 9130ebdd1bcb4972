"""Heads of a file assessed and compared; the parts are tested in their own files."""

import dataclasses
import math

import numpy as np
import pytest

from fiqa_jax.evaluation import intervals, metrics, significance
from fiqa_jax.predictions import assessment
from fiqa_jax.predictions.schema import Predictions

N = 90


def make(seed=0, skill=1.0):
    rng = np.random.default_rng(seed)
    quality = np.arange(N) % 3
    prob = rng.dirichlet(np.ones(3), N) + skill * np.eye(3)[quality]
    details = np.stack([np.arange(N) % 2, np.full(N, -1)], -1)
    return Predictions(
        (),
        np.array([f"i{k}" for k in range(N)]),
        np.array([f"p{k // 2}" for k in range(N)]),
        {
            "p_quality": prob / prob.sum(-1, keepdims=True),
            "p_details": rng.random((N, 2)),
            "score": rng.random(N),
        },
        {"quality": quality, "details": details},
        ("clarity", "contrast"),
        (),
        {},
    )


SMALL = {"seed": 0, "count_draws": 200, "rank_draws": 100}


def test_assess_every_labelled_head():
    found = make()
    got = assessment.assess(found, **SMALL)
    assert list(got) == ["quality", "clarity"]
    assert got["quality"].patients == 45
    assert got["quality"].scores.n == N
    want = intervals.intervals(
        found.truth["quality"], found.outputs["p_quality"], found.patient, metrics.QUALITY, **SMALL
    )
    assert got["quality"].intervals == want
    assert assessment.assess(found, seed=0, count_draws=0, rank_draws=0)["quality"].intervals == {}


def test_nothing_to_evaluate_says_what_is_there():
    bare = dataclasses.replace(make(), truth={})
    with pytest.raises(ValueError, match=r"labels of nothing, outputs \['p_details'"):
        assessment.assess(bare, **SMALL)


def test_compare_pairs_by_id_in_any_order():
    one, two = make(0, 2.0), make(1, 0.2)
    order = np.random.default_rng(3).permutation(N)
    mixed = dataclasses.replace(
        two,
        id=two.id[order],
        patient=two.patient[order],
        outputs={k: v[order] for k, v in two.outputs.items()},
        truth={k: v[order] for k, v in two.truth.items()},
    )
    got = assessment.compare(one, mixed, **SMALL)
    assert got == assessment.compare(one, two, **SMALL)
    both = got["quality"]
    assert both.n == N
    right = [p.outputs["p_quality"].argmax(-1) == p.truth["quality"] for p in (one, two)]
    assert both.differences["accuracy"].value == pytest.approx(right[0].mean() - right[1].mean())
    assert both.mcnemar == significance.mcnemar(*right)
    scores = np.stack([p.outputs["p_quality"][:, 2] for p in (one, two)])
    want = significance.delong(one.truth["quality"] == 2, scores).difference()
    assert both.delong["reject"] == pytest.approx(want)
    assert set(got["clarity"].delong) == {"defect"}


def test_other_photographs_are_refused():
    one = make()
    fewer = dataclasses.replace(one, id=np.array([f"j{k}" for k in range(N)]))
    with pytest.raises(ValueError, match="90 and 90, 0 in both"):
        assessment.compare(one, fewer, **SMALL)


def test_json_has_no_nan_and_no_arrays():
    got = assessment.to_json(
        {"a": assessment.assess(make(), **SMALL), "b": (math.nan, np.arange(2))}
    )
    assert got["b"] == [None, [0, 1]]
    assert got["a"]["quality"]["scores"]["n"] == N
    assert isinstance(got["a"]["quality"]["scores"]["confusion"][0][0], int)
