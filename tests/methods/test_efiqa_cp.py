"""EFIQA-CP as a method: equal over devices, skipped updates, pools, outputs like the adapter's."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from equal import assert_equal_over_devices
from sklearn.metrics import roc_auc_score

from fiqa_jax import defaults
from fiqa_jax.methods import efiqa_adapter
from fiqa_jax.methods import efiqa_cp as nnpu
from fiqa_jax.models import efiqa_cp
from fiqa_jax.training import devices
from fiqa_jax.training import method as base
from fiqa_jax.training.devices import Axis


@pytest.fixture(autouse=True)
def small_kernels(monkeypatch):
    """3 x 3 depthwise: every place of a kernel is written out on CPUs, and 49 compile for long."""
    monkeypatch.setattr(efiqa_cp, "KERNEL", 3)


def build(precision="float32", features=(), augment="", side=32, ema=0.0, **own):
    c = defaults.base()
    small = {"width": 4, "stem": 4, "blocks": (1, 0, 0)}
    c.method.update({**defaults.METHODS["nnpu"], **small, **own})
    c.optim.ema = ema
    c.model.precision = precision
    c.augment.train = augment
    c.optim.update({"lr": 1e-2, "schedule": "constant", "weight_decay": 0.01, "clip": 0.0})
    c.optim.decay = ((".*", 1.0),)
    data = base.DataSpec(side, 3, (), (), (), {}, (0.5,) * 3, (0.25,) * 3, features=features)
    return nnpu.build(c, data, base.Run(5, 8, 8))


def method(precision):
    """For a process of its own (`pod_worker`): nothing undoes the small kernel."""
    efiqa_cp.KERNEL = 3
    return build(precision)


def batches(steps):
    """Photographs of 2 x 2 cells, positive ones in the first photograph alone."""
    rng = np.random.default_rng(0)
    for step in range(steps):
        bad = np.zeros((8, 2, 2), np.uint8)
        bad[0, 0] = 1
        bad[5, 1] = 255
        fov = np.ones((8, 32, 32), np.uint8)
        fov[5, 16:] = 0
        yield {
            "image": rng.integers(0, 256, (8, 32, 32, 3), dtype=np.uint8),
            "fov": fov,
            "bad": bad,
            "index": (np.arange(8) + 8 * step).astype(np.int32),
        }


def stored(steps):
    """Features of 2 x 2 cells; positive cells in the first photograph alone, so on one device."""
    rng = np.random.default_rng(0)
    for step in range(steps):
        features = rng.normal(size=(8, 8, 8, 6)).astype(np.float16)
        features[0] += 2
        bad = np.zeros((8, 2, 2), np.uint8)
        bad[0, 0] = step != 2  # a batch without positives among the others
        bad[5, 1] = 255
        yield {"features": features, "bad": bad, "index": np.arange(8, dtype=np.int32) + 8 * step}


@pytest.mark.whole
def test_equal_over_devices():
    """Plain steps, steps that climb (a large prior), a step without positives, dropped branches."""
    with jax.enable_x64(True):
        method = build("float64", features=(8, 8, 6), variant="ascent", prior=0.99)
        state, scalars = assert_equal_over_devices(method, list(stored(5)), 1e-9)
    assert [float(s["skipped"]) for s in scalars] == [0, 0, 1, 0, 0]
    below = [float(s["negative_risk"]) < 0 for s in scalars]
    assert True in below
    assert False in below
    assert int(state.step) == 5
    counts = [x for x in jax.tree.leaves(state.opt_state) if np.asarray(x).dtype == np.int32]
    assert counts
    assert {int(x) for x in counts} == {4}  # Adam's and the schedule's stood still once


def test_a_skipped_update_changes_nothing_but_the_step():
    """In float32: weights, moments and averages stay bit for bit."""
    place = devices.make("jit", jax.devices()[:1])
    method = build(features=(8, 8, 6), ema=0.9)
    step, key = place.step(method.step), place.place(jax.random.key(1))
    batch = next(stored(1))
    now = place.place(jax.jit(method.init)(jax.random.key(0)))
    states = []
    for bad in (batch["bad"], 0 * batch["bad"], np.ones_like(batch["bad"])):
        now, scalars = step(now, place.put({**batch, "bad": bad}), key)
        states.append((jax.device_get(now), float(scalars["skipped"])))
    assert [skipped for _, skipped in states] == [0, 1, 1]
    (want, _), *others = states
    for k, (got, _) in enumerate(others, 2):
        assert int(got.step) == k
        for a, b in zip(jax.tree.leaves(got.replace(step=1)), jax.tree.leaves(want), strict=True):
            np.testing.assert_array_equal(a, b)


def test_pools():
    z = jnp.zeros((1, 1, 4))
    bad = jnp.array([[[1, 0, 0, 255]]], jnp.uint8)
    c = defaults.base().method
    for field, include, want in (
        (True, False, [0, 1, 1, 0]),
        (True, True, [1, 1, 1, 0]),
        (False, False, [0, 1, 1, 1]),
    ):
        c.update({"field": field, "include_positives": include})
        positive, rest = nnpu.pools(z, bad, c)
        np.testing.assert_array_equal(positive[0, 0], [1, 0, 0, 0])
        np.testing.assert_array_equal(rest[0, 0], want)
    with pytest.raises(ValueError, match="labels have 1 x 4 cells, the network's map 2 x 2"):
        nnpu.pools(jnp.zeros((1, 2, 2)), bad, c)


def test_cells_that_augmentation_turned_out_of_the_field_do_not_count():
    batch = next(batches(1))
    batch["fov"][1, :, :20] = 0
    got = np.asarray(nnpu.labels(batch, True))
    np.testing.assert_array_equal(got[1], [[255, 0], [255, 0]])
    np.testing.assert_array_equal(got[5], [[0, 0], [255, 255]])
    np.testing.assert_array_equal(nnpu.labels(batch, False), batch["bad"])


def test_risks_of_one_batch():
    """Each risk from the means by hand; of 32 cells 2 are positive and 2 outside the field."""
    rng = np.random.default_rng(0)
    z, bad = rng.normal(size=(8, 2, 2)), next(batches(1))["bad"]
    plus, minus = np.log1p(np.exp(-z)), np.log1p(np.exp(z))  # losses of positive and negative
    p, u = bad == 1, bad == 0
    found = {}
    for risk in ("nnpu", "upu", "pn", "bce"):
        c = defaults.base().method
        c.update({**defaults.METHODS["nnpu"], "risk": risk, "prior": 0.3})
        settings = None if risk == "bce" else nnpu.settings_of(c)
        found[risk], parts = nnpu.risk_of(jnp.asarray(z), jnp.asarray(bad), c, settings, Axis())
        assert float(parts["skipped"]) == 0
    rest = minus[u].mean() - 0.3 * minus[p].mean()
    want = {
        "upu": 0.3 * plus[p].mean() + rest,
        "nnpu": 0.3 * plus[p].mean() + max(rest, 0.0),
        "pn": 0.3 * plus[p].mean() + 0.7 * minus[u].mean(),
        "bce": (9.58 * plus[p].sum() + minus[u].sum()) / 30,
    }
    for risk, value in want.items():
        assert float(found[risk]) == pytest.approx(value, rel=1e-6), risk
    _, parts = nnpu.risk_of(jnp.asarray(z), jnp.full_like(bad, 255), c, None, Axis())
    assert float(parts["skipped"]) == 1


def test_outputs_are_the_adapters():
    rng = np.random.default_rng(1)
    batch = next(batches(1))
    batch["map"] = rng.choice([1, 3], (8, 8, 8)).astype(np.uint8)
    method = build()
    params = jax.jit(method.init)(jax.random.key(0)).params
    out = jax.jit(lambda v, b: method.predict(v, b))({"params": params}, batch)
    c = defaults.base()
    c.method.update(defaults.METHODS["adapter"])
    data = base.DataSpec(8, 3, (), (), (), {}, (0.0,) * 3, (1.0,) * 3, features=(2, 2, 3))
    linear = efiqa_adapter.build(c, data, base.Run(5, 8, 8))
    start = linear.init(jax.random.key(0))
    cells = {**batch, "features": rng.normal(size=(8, 2, 2, 3)).astype(np.float32)}
    other = linear.predict({"params": start.params, **start.model_state}, cells)
    assert {k: v.shape for k, v in out.items()} == {k: v.shape for k, v in other.items()}
    assert float(jnp.abs(out["map"][5, 1]).max()) == 0.0
    inside = np.asarray(out["map"])[5, 0].mean()
    assert float(out["score"][5]) == pytest.approx(inside, rel=1e-5)
    large = np.asarray(jax.image.resize(out["map"], (8, 8, 8), "linear"))
    want = roc_auc_score(batch["map"][2].ravel() == 3, large[2].ravel())
    assert float(out["row_map_auroc"][2]) == pytest.approx(want, abs=1e-6)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"risk": "pnu"}, "method.risk 'pnu' is none of"),
        ({"prior": 1.0}, "method: prior 1.0"),
        ({"features": (8, 8, 3), "augment": "flip"}, "features are not augmented"),
        ({"side": 40}, "no multiple"),
    ],
)
def test_settings_that_cannot_be(settings, says):
    with pytest.raises(ValueError, match=says):
        build(**settings)
