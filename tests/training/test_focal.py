"""Focal loss: the published form where that works, and right where it does not."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fiqa_jax.training.losses import focal


def test_is_the_published_form():
    rng = np.random.default_rng(0)
    z = rng.normal(size=(5, 4)) * 3
    target = rng.dirichlet(np.ones(4), 5)
    p = np.exp(z) / np.exp(z).sum(-1, keepdims=True)
    want = -(target * (1 - p) ** 2 * np.log(p + 1e-20)).sum(-1)
    np.testing.assert_allclose(focal(jnp.asarray(z), jnp.asarray(target)), want, rtol=1e-5)


def exact(gap):
    """Loss, slope and curvature by the gap g of two logits, label the smaller: p = 1 / (1 + e^g).

    L = -(1 - p)^2 ln p, dp/dg = -p (1 - p): dL/dg = (1 - p)^2 ((1 - p) - 2 p ln p), and so on; in
    numpy's long double, where e^-120 is no problem.
    """
    g = np.longdouble(gap)
    p = 1 / (1 + np.exp(g))
    q = 1 - p
    slope = q**2 * (q - 2 * p * np.log(p))
    # d slope / dp = -2 q (q - 2 p ln p) + q^2 (-1 - 2 ln p - 2), times dp/dg
    curve = (-2 * q * (q - 2 * p * np.log(p)) + q**2 * (-3 - 2 * np.log(p))) * (-p * q)
    return float(-(q**2) * np.log(p)), float(slope), float(curve)


@pytest.mark.parametrize("gap", [0.5, 3.0, 20.0, 50.0, 90.0, 120.0])
def test_derivatives_are_finite_and_right_at_any_gap(gap):
    """float32; the curvature of 90 and 120 is below its smallest number, and so 0."""
    wrong = jnp.array([[0.0, 1.0]])

    def loss(g):
        return focal(jnp.stack([g, jnp.zeros(())])[None], wrong)[0]

    g = jnp.float32(gap)
    want = exact(gap)
    assert float(loss(g)) == pytest.approx(want[0], rel=1e-5)
    assert float(jax.grad(loss)(g)) == pytest.approx(want[1], rel=1e-5)
    assert float(jax.grad(jax.grad(loss))(g)) == pytest.approx(want[2], rel=1e-3, abs=1e-6)
    hessian = jax.hessian(lambda z: focal(z[None], wrong)[0])(jnp.array([gap, 0.0]))
    assert np.isfinite(hessian).all()
    np.testing.assert_allclose(hessian.sum(0), 0.0, atol=1e-5)  # a shift of both changes nothing


@pytest.mark.parametrize("gap", [50.0, 90.0, 120.0])
def test_the_right_answer_costs_nothing_and_stays_finite(gap):
    right = jnp.array([[1.0, 0.0]])
    z = jnp.array([gap, 0.0])
    assert float(focal(z[None], right)[0]) == pytest.approx(0.0, abs=1e-30)
    for order in (jax.grad, jax.hessian):
        found = order(lambda z: focal(z[None], right)[0])(z)
        np.testing.assert_allclose(found, 0.0, atol=1e-20)


def test_the_published_form_is_why(recwarn):
    """What it does in float32: no finite curvature at 50, no slope at 90."""

    def published(g):
        p = jax.nn.softmax(jnp.stack([g, jnp.zeros(())]))[1]
        return -((1 - p) ** 2) * jnp.log(p + 1e-20)

    assert float(jax.grad(published)(jnp.float32(90.0))) == pytest.approx(0.0, abs=1e-6)
    assert float(
        jax.grad(lambda g: focal(jnp.stack([g, 0.0 * g])[None], jnp.array([[0.0, 1.0]]))[0])(
            jnp.float32(90.0)
        )
    ) == pytest.approx(1.0)
