"""Grades from cells: losses by hand, what is learned, equality over devices."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from equal import assert_equal_over_devices, train

from fiqa_jax import defaults
from fiqa_jax.methods import efiqa_grades
from fiqa_jax.training import losses
from fiqa_jax.training import method as base


def build(precision="float32", steps=5, grades=("good", "usable", "reject"), **own):
    c = defaults.base()
    c.method.update({**defaults.METHODS["cell_grades"], **own})
    c.model.precision = precision
    c.optim.update({"lr": 3e-2, "schedule": "constant", "weight_decay": 0.01, "clip": 0.0})
    c.optim.decay = ((".*", 1.0),)
    data = base.DataSpec(8, 3, grades, (), (), {}, (0.0,) * 3, (1.0,) * 3, features=(3, 3, 5))
    return efiqa_grades.build(c, data, base.Run(steps, 8, 8))


def batches(steps):
    """A cell is as bad as its first feature says, and the grade is that of the mean cell."""
    rng = np.random.default_rng(0)
    for step in range(steps):
        bad = rng.random((8, 1, 1)) * 0.6 + rng.random((8, 3, 3)) * 0.4
        features = rng.normal(size=(8, 3, 3, 5)).astype(np.float16)
        features[..., 0] = 4 * bad - 2
        mean = bad.mean((1, 2))
        seen = np.ones((8, 3, 3), np.float32)
        seen[::2, 0] = 0
        yield {
            "features": features,
            "quality": np.digitize(mean, (0.4, 0.6)).astype(np.int32),
            "target_map": bad.astype(np.float32),
            "seen": seen,
            "index": (np.arange(8) + 8 * step).astype(np.int32),
        }


def test_equal_over_devices():
    with jax.enable_x64(True):
        assert_equal_over_devices(build("float64"), list(batches(5)), 1e-9)


def test_learns_grade_and_map():
    method = build(steps=300)
    state, _ = train(method, list(batches(300)), "jit", 1)
    batch = list(batches(301))[-1]
    out = method.predict({"params": state.params}, batch)
    here = batch["seen"] > 0
    # the grade wants sure cells, the map true ones: they agree on the order
    assert np.corrcoef(np.asarray(out["map"])[here], batch["target_map"][here])[0, 1] > 0.9
    assert np.asarray(out["map"])[~here].max() == 0.0
    right = np.asarray(out["p_quality"]).argmax(1) == batch["quality"]
    assert right.mean() >= 6 / 8


def test_by_hand():
    cells = jnp.array([[[[0.0, 0.0, 0.0], [2.0, 0.0, -2.0]]]])
    np.testing.assert_allclose(efiqa_grades.badness(cells)[0, 0, 0], 0.5, rtol=1e-6)
    p = np.exp([2.0, 0, -2]) / np.exp([2.0, 0, -2]).sum()
    np.testing.assert_allclose(efiqa_grades.badness(cells)[0, 0, 1], p[2] + p[1] / 2, rtol=1e-5)
    only_second = efiqa_grades.pooled(cells, jnp.array([[[0.0, 1.0]]]))
    np.testing.assert_allclose(only_second[0], [2, 0, -2], rtol=1e-6)
    value, _ = losses.cross_entropy(only_second, jnp.array([1]))
    np.testing.assert_allclose(value[0], -np.log(p[1]), rtol=1e-5)


def test_three_grades_are_needed():
    with pytest.raises(ValueError, match="need features in place of photographs"):
        build(grades=("gradable", "ungradable"))
