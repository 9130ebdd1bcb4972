"""PU risks: reference values, PyTorch's gradients, devices without positives, overfitting."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from fiqa_jax.methods import pu_risk
from fiqa_jax.training.devices import Axis

# Kiryo's own code on two batches; prior 0.05, beta 0, gamma 1.
A = (np.array([1.0, -0.5]), np.array([-2.0, 0.3, 0.8]))
B = (np.array([10.0, 9.0]), np.array([-8.0, -8.0, -8.0]))


def value_and_gradients(batch, **settings):
    """Risk, gradients of positives and unlabelled, parts."""
    own = pu_risk.Settings(**settings)
    z, p = np.concatenate(batch), len(batch[0])
    positive = np.arange(len(z)) < p

    def loss(z):
        return pu_risk.risk(pu_risk.means(z, positive, ~positive, own.surrogate, Axis()), own)

    with jax.enable_x64(True):
        (value, parts), g = jax.jit(jax.value_and_grad(loss, has_aux=True))(z)
    return float(value), np.asarray(g[:p]), np.asarray(g[p:]), parts


@pytest.mark.parametrize("variant", ["clamp", "ascent"])
def test_first_reference_case(variant):
    value, p, u, parts = value_and_gradients(A, variant=variant)
    assert float(parts["positive_risk"]) == pytest.approx(0.032183, abs=1e-6)
    assert float(parts["negative_risk"]) == pytest.approx(0.672778, abs=1e-6)
    assert value == pytest.approx(0.704961, abs=1e-6)
    np.testing.assert_allclose(p, [-0.025, -0.025], atol=1e-6)
    np.testing.assert_allclose(u, [0.039734, 0.191481, 0.229992], atol=1e-6)
    value, *_ = value_and_gradients(A, variant=variant, surrogate="sigmoid")
    assert value == pytest.approx(0.455777, abs=1e-6)


def test_second_reference_case_released():
    value, p, u, parts = value_and_gradients(B)
    assert float(parts["negative_risk"]) == pytest.approx(-0.474669, abs=1e-6)
    assert value == pytest.approx(4.22e-6, abs=1e-8)
    np.testing.assert_allclose(p, [-1.1e-6, -3.1e-6], atol=1e-7)
    np.testing.assert_array_equal(u, 0.0)


def test_second_reference_case_ascent():
    value, p, u, _ = value_and_gradients(B, variant="ascent")
    assert value == pytest.approx(4.22e-6, abs=1e-8)
    np.testing.assert_allclose(p, [0.024999, 0.024997], atol=1e-6)
    np.testing.assert_allclose(u, [-0.000112] * 3, atol=1e-6)
    _, half, _, _ = value_and_gradients(B, variant="ascent", gamma=0.5)
    np.testing.assert_allclose(half, p / 2, rtol=1e-6)
    # a beta beyond r: the plain risk, which is negative
    plain, q, _, _ = value_and_gradients(B, variant="ascent", beta=0.5)
    assert plain == pytest.approx(-0.474665, abs=1e-6)
    assert (q < 0).all()
    # a beta that r passes: the reported value says by how much r may be below 0
    value, *_ = value_and_gradients(B, variant="ascent", beta=0.3)
    assert value == pytest.approx(4.22e-6 - 0.3, abs=1e-6)


@pytest.mark.parametrize("surrogate", ["logistic", "sigmoid"])
@pytest.mark.parametrize("variant", ["clamp", "ascent", "upu", "pn"])
@pytest.mark.parametrize("batch", [A, B], ids="AB")
def test_gradients_are_pytorchs(surrogate, variant, batch):
    torch = pytest.importorskip("torch", reason="torch is not installed: the `reference` extra")
    p, u = (torch.tensor(x, requires_grad=True) for x in batch)
    plus = torch.nn.functional.softplus if surrogate == "logistic" else torch.sigmoid
    positive, negative = 0.2 * plus(-p).mean(), plus(u).mean() - 0.2 * plus(p).mean()
    if variant == "pn":
        want = followed = positive + 0.8 * plus(u).mean()
    elif variant == "clamp":
        want = followed = 2.0 * positive + torch.clamp(negative, min=0.1)
    else:
        want = followed = positive + negative
        if variant == "ascent" and negative < -0.01:
            want, followed = positive - 0.01, -0.7 * negative
    followed.backward()
    settings = {"surrogate": surrogate, "prior": 0.2}
    if variant == "clamp":
        settings |= {"variant": "clamp", "weight": 2.0, "beta": 0.1}
    elif variant == "ascent":
        settings |= {"variant": "ascent", "beta": 0.01, "gamma": 0.7}
    else:
        settings |= {"risk": variant}
    value, gp, gu, _ = value_and_gradients(batch, **settings)
    assert value == pytest.approx(float(want.detach()), abs=1e-12)
    np.testing.assert_allclose(gp, p.grad if p.grad is not None else 0.0, atol=1e-12)
    np.testing.assert_allclose(gu, u.grad if u.grad is not None else 0.0, atol=1e-12)


def test_positives_on_one_device_only():
    """The maximum is taken of global sums: per device it would be another risk altogether."""
    rng = np.random.default_rng(0)
    z = rng.normal(size=(4, 6))
    z[0] += 3.0
    positive = np.zeros((4, 6), bool)
    positive[0, :5] = True
    own = pu_risk.Settings(variant="ascent", prior=0.6)

    def loss(z, positive, axis):
        return pu_risk.risk(pu_risk.means(z, positive, ~positive, own.surrogate, axis), own)[0]

    with jax.enable_x64(True):
        value, want = jax.value_and_grad(loss)(jnp.asarray(z), jnp.asarray(positive), Axis())
        axis = Axis("data")
        mapped = jax.pmap(
            lambda z, y: jax.value_and_grad(loss)(z, y, axis),
            axis_name="data",
            devices=jax.devices()[:4],
        )
        values, got = mapped(z, positive)
    np.testing.assert_allclose(values, float(value), rtol=1e-12)
    # The transpose of a sum over devices hands each the cotangents of all.
    np.testing.assert_allclose(np.asarray(got) / 4, want, rtol=1e-12)


def test_nothing_of_a_kind():
    z = jnp.arange(3.0)
    none, everything = jnp.zeros(3, bool), jnp.ones(3, bool)
    for positive, rest in ((none, everything), (everything, none)):
        found = pu_risk.means(z, positive, rest, "logistic", Axis())
        assert not bool(found.usable)
        assert np.isfinite(float(pu_risk.risk(found, pu_risk.Settings())[0]))
    assert bool(pu_risk.means(z, z > 1, z < 2, "logistic", Axis()).usable)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"risk": "pnu"}, "risk 'pnu' is none of"),
        ({"surrogate": "hinge"}, "surrogate 'hinge' is none of"),
        ({"prior": 0.0}, "prior 0.0"),
        ({"gamma": 1.5}, "gamma 1.5 in"),
    ],
)
def test_settings_out_of_range(settings, says):
    with pytest.raises(ValueError, match=says):
        pu_risk.Settings(**settings)


def test_nnpu_withstands_the_overfitting_of_upu():
    """Two Gaussians and a network that can remember them: Kiryo et al. 2017, figure 2, in small.

    Trained long on few examples, uPU's risk goes below zero and its ranking of other examples
    suffers; nnPU's stays where a classifier with all labels is.
    """
    rng = np.random.default_rng(0)
    prior, size, shift = 0.4, 30, 1.2

    def draw(n):
        y = rng.random(n) < prior
        return (rng.normal(size=(n, size)) + np.where(y, shift, -shift)[:, None] / 3), y

    x, y = draw(240)
    known = np.flatnonzero(y)[:40]
    positive = np.zeros(len(y), bool)
    positive[known] = True
    test, truth = draw(4000)
    key = jax.random.split(jax.random.key(0), 2)
    start = {
        "a": jax.random.normal(key[0], (size, 64)) / np.sqrt(size),
        "b": jax.random.normal(key[1], (64, 1)) / 8.0,
    }

    def net(w, x):
        return (jax.nn.relu(x @ w["a"]) @ w["b"])[:, 0]

    def trained(positive, everything, **settings):
        own = pu_risk.Settings(prior=prior, surrogate="sigmoid", **settings)

        def loss(w):
            z = net(w, jnp.asarray(x))
            return pu_risk.risk(pu_risk.means(z, positive, everything, own.surrogate, Axis()), own)[
                0
            ]

        def step(w, _):
            value, g = jax.value_and_grad(loss)(w)
            return jax.tree.map(lambda w, g: w - 0.5 * g, w, g), value

        w, values = jax.jit(lambda w: jax.lax.scan(step, w, length=2000))(start)
        return float(values[-1]), roc_auc_score(truth, net(w, jnp.asarray(test)))

    pool = np.ones(len(y), bool)  # unlabelled: drawn from all, as the theory has it
    upu, upu_rank = trained(positive, pool, risk="upu")
    nnpu, nnpu_rank = trained(positive, pool, variant="ascent")
    _, best = trained(y, ~y, risk="pn")
    assert upu < -0.02
    assert nnpu > -0.02
    assert nnpu_rank > upu_rank + 0.03
    assert nnpu_rank > best - 0.05
