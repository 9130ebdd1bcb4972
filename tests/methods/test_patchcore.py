"""PatchCore: neighbourhoods by hand, distances of scikit-learn, equation 7, its scale, devices."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import softmax
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors

from fiqa_jax import defaults
from fiqa_jax.methods import patchcore
from fiqa_jax.training import devices, forward
from fiqa_jax.training import method as base


def build(features=(4, 4, 5), **own):
    c = defaults.base()
    c.method.update({**defaults.METHODS["patchcore"], "members": 12, **own})
    data = base.DataSpec(64, 3, (), (), (), {}, (0.0,) * 3, (1.0,) * 3, features=features)
    return patchcore.build(c, data, base.Run())


def params(members=12, channels=5):
    rng = np.random.default_rng(1)
    return {
        "coreset": rng.normal(size=(members, channels)).astype(np.float32),
        "mean": rng.normal(size=channels).astype(np.float32),
        "deviation": rng.uniform(0.5, 2, channels).astype(np.float32),
        "cells": np.array([3.0, 4.0], np.float32),
        "photographs": np.array([4.0, 5.0], np.float32),
    }


def batch():
    rng = np.random.default_rng(2)
    seen = np.ones((8, 4, 4), np.float32)
    seen[:, 0, 0] = 0.0
    seen[:3, 3] = 0.4
    return {
        "features": rng.normal(size=(8, 4, 4, 5)).astype(np.float16),
        "seen": seen,
        "map": rng.choice([1, 2, 3], (8, 4, 4)).astype(np.uint8),
        "index": np.arange(8, dtype=np.int32),
        "mask": np.ones(8, np.float32),
    }


def test_neighbourhoods_by_hand():
    """Means over the cells that are there and in the field, by how much of them is."""
    x = jnp.arange(9.0).reshape(1, 3, 3, 1)
    got = patchcore.aggregate(x, jnp.ones((1, 3, 3)), 3)[0, :, :, 0]
    want = [[2, 2.5, 3], [3.5, 4, 4.5], [5, 5.5, 6]]
    np.testing.assert_allclose(got, want, rtol=1e-6)
    seen = jnp.zeros((1, 3, 3)).at[0, 0, 1].set(0.5).at[0, 1, 1].set(1.0)
    got = patchcore.aggregate(x, seen, 3)[0, :, :, 0]
    np.testing.assert_allclose(got[0], 3.0, rtol=1e-6)  # (0.5 * 1 + 1 * 4) / 1.5
    np.testing.assert_allclose(got[2], 4.0, rtol=1e-6)
    alone = patchcore.aggregate(x, jnp.zeros((1, 3, 3)).at[0, 0, 0].set(1.0), 3)
    np.testing.assert_array_equal(alone[0, :, :, 0], np.zeros((3, 3)))  # of the cell 0, or nothing
    np.testing.assert_array_equal(patchcore.aggregate(x, jnp.ones((1, 3, 3)), 1), x)


@pytest.mark.parametrize("members", [2, 7, 1024, 1030])
def test_nearest_is_scikit_learns(members):
    """Whatever part of a chunk is full."""
    rng = np.random.default_rng(0)
    coreset = rng.normal(size=(members, 6)).astype(np.float32)
    cells = rng.normal(size=(2, 5, 5, 6)).astype(np.float32)
    got = np.asarray(jax.jit(patchcore.nearest)(cells, coreset))
    want = NearestNeighbors(n_neighbors=1).fit(coreset).kneighbors(cells.reshape(-1, 6))[1]
    np.testing.assert_array_equal(got.ravel(), want.ravel())


def test_measure_against_scikit_learn():
    """Distances of standardised neighbourhoods; equation 7 with scipy's softmax."""
    p, b = params(), batch()
    features = jnp.asarray(b["features"], jnp.float32)
    distance, score = patchcore.measure(p, features, jnp.asarray(b["seen"]), 3, 4)
    cells = np.asarray(patchcore.aggregate(features, b["seen"], 3))
    cells = (cells - p["mean"]) / p["deviation"]
    tree = NearestNeighbors().fit(p["coreset"])
    want, place = tree.kneighbors(cells.reshape(-1, 5), 1)
    np.testing.assert_allclose(np.asarray(distance).ravel(), want.ravel(), rtol=1e-5)
    for k in range(8):
        inside = np.where(b["seen"][k] >= 0.5, want.reshape(8, 4, 4)[k], 0).ravel()
        worst = inside.argmax()
        member = p["coreset"][place.reshape(8, -1)[k, worst]]
        near = tree.kneighbors(member[None], 4, return_distance=False)[0]
        far = np.linalg.norm(cells.reshape(8, -1, 5)[k, worst] - p["coreset"][near], axis=1)
        assert far[0] == pytest.approx(inside[worst], rel=1e-5)
        assert float(score[k]) == pytest.approx((1 - softmax(far)[0]) * far[0], rel=1e-4)


def test_equation_7_by_hand():
    """Members at 0, 1 and 9, a cell at -1: far from m* = 0, which has a neighbour or is alone."""
    coreset, cell, member = jnp.array([[0.0], [1.0], [9.0]]), jnp.array([[-1.0]]), jnp.array([0])
    got = patchcore.weighted(cell, member, coreset, 2)
    assert float(got[0]) == pytest.approx(1 - 1 / (1 + np.e), rel=1e-6)
    rare = patchcore.weighted(cell, member, coreset[np.array([0, 2, 2])], 2)
    assert float(rare[0]) == pytest.approx(1 - 1 / (1 + np.e**9), rel=1e-6)
    assert float(patchcore.weighted(cell, member, coreset, 1)[0]) == 0.0  # m* alone


def test_scale():
    rule = jnp.array([2.0, 3.0])
    got = patchcore.unit(jnp.array([0.0, 1.0, 2.0, 4.0]), rule)
    np.testing.assert_allclose(got, [0, 1 / 9, 0.5, 8 / 9], rtol=1e-6)


def test_outputs():
    """Nothing outside the field counts; a photograph of which nothing is seen scores 0."""
    method, p, b = build(), params(), batch()
    out = method.predict({"params": p}, b)
    quality = np.asarray(out["map"])
    assert quality.dtype == np.float32
    assert quality[b["seen"] < 0.5].max() == 0.0
    assert 0 < quality[b["seen"] >= 0.5].min() < quality.max() < 1
    want = roc_auc_score(b["map"][0].ravel() == 3, quality[0].ravel())
    assert float(out["row_map_auroc"][0]) == pytest.approx(want, abs=1e-6)
    loud = {**b, "features": b["features"].copy()}
    loud["features"][:, 0, 0] = 100.0
    np.testing.assert_array_equal(method.predict({"params": p}, loud)["map"], quality)
    dark = method.predict({"params": p}, {**b, "seen": 0 * b["seen"]})
    assert float(jnp.abs(dark["score"]).max()) == 0.0


def test_equal_over_devices():
    method, p, b = build(), params(), batch()
    found = []
    for kind, count in (("jit", 1), ("jit", 8), ("pmap", 8)):
        place = devices.make(kind, jax.devices()[:count])
        predict = forward.predictor(method, place)
        found.append(forward.run(predict, place.place({"params": p}), [b], place))
    for other in found[1:]:
        for name, value in found[0].items():
            np.testing.assert_allclose(other[name], value, rtol=1e-5, err_msg=name)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"features": ()}, "reads features of an encoder"),
        ({"members": 0}, "is not trained: a fit stage"),
        ({"reach": 2}, "method.reach is an odd number"),
    ],
)
def test_settings_that_cannot_be(settings, says):
    with pytest.raises(ValueError, match=says):
        build(**settings)
