"""EyeQual: pooling and its gradient by hand, windows of patches, the field, equality, learning."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from equal import assert_equal_over_devices, train
from sklearn.metrics import roc_auc_score

from fiqa_jax import defaults
from fiqa_jax.methods import eyequal
from fiqa_jax.models.eyequal import EyeQual, pooled, window
from fiqa_jax.training import method as base


def build(precision="float32", side=16, steps=5, augment="", names=("gradable", "bad"), **own):
    c = defaults.base()
    small = {"width": 4, "blocks": 2}
    c.method.update({**defaults.METHODS["eyequal"], **small, **own})
    c.model.precision = precision
    c.augment.train = augment
    c.optim.update({"lr": 1e-2, "schedule": "constant", "weight_decay": 0.01, "clip": 0.0})
    data = base.DataSpec(side, 3, names, (), (), {}, (0.5,) * 3, (0.25,) * 3)
    return eyequal.build(c, data, base.Run(steps, 8, 8))


def batches(steps):
    """Bad photographs have one bright corner; of every other one a quarter lies outside."""
    rng = np.random.default_rng(0)
    for step in range(steps):
        image = rng.integers(0, 100, (8, 16, 16, 3), dtype=np.uint8)
        bad = rng.permutation(8) % 2
        image[bad == 1, 11:, 11:] += 100  # what windows of the last quarter see alone
        fov = np.ones((8, 16, 16), np.uint8)
        fov[::2, :8, :8] = 0
        truth = np.ones((8, 4, 4), np.uint8)
        truth[bad == 1, 2:, 2:] = 3
        yield {
            "image": image,
            "fov": fov,
            "ungradable": bad.astype(np.int32),
            "map": truth,
            "index": (np.arange(8) + 8 * step).astype(np.int32),
        }


Q = jnp.array([[[0.2, 0.4], [0.6, 0.8]]])
SEEN = jnp.array([[[1.0, 1.0], [0.5, 0.0]]])
WEIGHT = jnp.array([[0.1, 0.2], [0.3, 0.4]])


def logit(p):
    return np.log(p / (1 - p))


def test_pooling_by_hand():
    whole, bias = jnp.ones_like(SEEN), jnp.float32(0.25)
    released = 0.02 + 0.08 + 0.18 + 0.32 - 0.5 + 0.25  # the sum of w q, less a half, and b
    assert float(pooled(Q, whole, WEIGHT, bias, "swap")[0]) == pytest.approx(released, rel=1e-6)
    assert float(pooled(Q, whole, 2 * WEIGHT, bias, "swap")[0]) == pytest.approx(0.95, rel=1e-6)
    mean = (0.1 * 0.2 + 0.2 * 0.4 + 0.15 * 0.6) / 0.45
    got = float(pooled(Q, SEEN, WEIGHT, bias, "swap")[0])
    assert got == pytest.approx(mean - 0.25, rel=1e-5)
    got = float(pooled(Q, SEEN, WEIGHT, bias, "weighted")[0])
    assert got == pytest.approx(logit(mean), rel=1e-5)
    ones = jnp.ones_like(WEIGHT)
    assert float(pooled(Q, SEEN, ones, bias, "mean")[0]) == pytest.approx(logit(0.36), rel=1e-5)
    assert float(pooled(Q, SEEN, ones, bias, "max")[0]) == pytest.approx(logit(0.6), rel=1e-5)
    nothing = pooled(Q, 0 * SEEN, WEIGHT, bias, "swap")
    assert float(nothing[0]) == pytest.approx(-0.25, rel=1e-6)


def test_gradient_of_pooling_by_hand():
    """With W = 1: d/dq_i = w_i s_i / S; d/dw_i = m + s_i (q_i - m) / S; S the sum of w s."""
    q, s, w = (np.asarray(x)[-2:] if x.ndim == 2 else np.asarray(x)[0] for x in (Q, SEEN, WEIGHT))
    total = (w * s).sum()
    m = (w * s * q).sum() / total
    by_q, by_w = jax.grad(lambda a, b: pooled(a, SEEN, b, jnp.zeros(()), "swap")[0], (0, 1))(
        Q, WEIGHT
    )
    np.testing.assert_allclose(by_q[0], w * s / total, rtol=1e-5)
    np.testing.assert_allclose(by_w, m + s * (q - m) / total, rtol=1e-5)
    by_max = jax.grad(lambda a: pooled(a, SEEN, WEIGHT, jnp.zeros(()), "max")[0])(Q)
    np.testing.assert_allclose(by_max[0], [[0, 0], [1 / (0.6 * 0.4), 0]], rtol=1e-5)


def test_first_weights_are_even():
    params = jax.jit(build().init)(jax.random.key(0)).params
    np.testing.assert_allclose(params["weight"], np.full((4, 4), 1 / 16))
    assert float(params["bias"]) == 0.0
    assert set(params) == {"block1", "block2", "mix", "conv", "weight", "bias"}


def test_a_patch_sees_its_window_and_no_more():
    """Patches that change with a pixel are those whose window holds it: of 10 pixels, 4 apart."""
    assert (window(1), window(2), window(4)) == (4, 10, 46)
    net = EyeQual(8, 2)
    seen = jnp.ones((1, 8, 8))
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1, 32, 32, 3)).astype(np.float32)
    variables = jax.jit(lambda k: net.init(k, x, seen, False))(jax.random.key(1))
    # two-sided changes, for a maximum may hide one of them
    run = jax.jit(lambda x: net.apply(variables, x, seen, False)[1]["patches"][0])
    before = np.asarray(run(x))
    for pixel in (12, 13, 15, 16):
        there = []
        for change in (-9.0, 9.0):
            other = x.copy()
            other[:, pixel, pixel] += change
            there.append(np.asarray(run(other)) != before)
        changed = np.flatnonzero(np.any(there, (0, 2)))
        want = [k for k in range(8) if 4 * k - 3 <= pixel < 4 * k - 3 + window(2)]
        np.testing.assert_array_equal(changed, want)
        outside = np.setdiff1d(np.arange(8), want)
        for after in there:
            assert not after[outside].any()
            assert not after[:, outside].any()


def test_equal_over_devices():
    with jax.enable_x64(True):
        method = build("float64", width=2, blocks=1)
        assert_equal_over_devices(method, list(batches(2)), 1e-9)


def test_learns_where_from_whether():
    """Labels of photographs alone; the quarter that makes them bad comes out in the map."""
    method = build(steps=40)
    state, _ = train(method, list(batches(40)), "jit", 1)
    batch = list(batches(41))[-1]
    predict = jax.jit(lambda v, b: method.predict(v, b))
    out = predict({"params": state.params, **state.model_state}, batch)
    assert roc_auc_score(batch["ungradable"], np.asarray(out["p_ungradable"])) == 1.0
    within = np.asarray(out["row_map_auroc"])[batch["ungradable"] == 1]
    assert within.mean() > 0.95
    one = int(np.argmax(batch["ungradable"]))
    inner, quality = batch["map"][one] == 3, np.asarray(out["map"])[one]
    assert within[0] == pytest.approx(roc_auc_score(inner.ravel(), quality.ravel()), abs=1e-6)


def test_what_lies_outside_the_field_has_no_part():
    batch = next(batches(1))
    batch["fov"][:, :8, :8] = 0
    other = {**batch, "image": batch["image"].copy()}
    other["image"][:, :4, :4] = 255  # three pixels from where windows of the field begin
    for field, same in ((True, True), (False, False)):
        method = build(field=field)
        start = jax.jit(method.init)(jax.random.key(0))
        variables = {"params": start.params, **start.model_state}
        first, second = (method.predict(variables, b) for b in (batch, other))
        gap = np.abs(np.asarray(first["p_ungradable"] - second["p_ungradable"])).max()
        assert (gap == 0.0) == same
        dark = np.abs(np.asarray(first["map"])[:, :2, :2]).max()
        assert (dark == 0.0) == same


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"pooling": "median"}, "method.pooling 'median' is none of"),
        ({"side": 18}, "no multiple of the 4 pixels of a patch; the nearest is 16"),
        ({"names": ()}, "learns from labels of photographs"),
    ],
)
def test_settings_that_cannot_be(settings, says):
    with pytest.raises(ValueError, match=says):
        build(**settings)
