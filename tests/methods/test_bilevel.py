"""The two-level gradient: by hand, against central differences of the whole, over devices."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fiqa_jax.methods import bilevel
from fiqa_jax.models.mkcnet import masked_softmax
from fiqa_jax.training import losses
from fiqa_jax.training.devices import Axis

B, T, Q, PSI = 8, 3, 2, 2
K = T * Q * PSI


def smooth(params, x, outputs):
    """A small network without kinks: convolution, softplus, mean pooling, a linear layer."""
    y = jax.lax.conv_general_dilated(
        x, params["kernel"], (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    y = jax.nn.softplus(y + params["bias"][None, None, None])
    y = y.reshape(len(x), 4, 2, 4, 2, -1).mean((2, 4)).reshape(len(x), -1)
    return {k: y @ params[k] for k in outputs}


def drawn(seed, outputs):
    rng = np.random.default_rng(seed)
    heads = {k: rng.normal(size=(16 * 4, n)) / 4 for k, n in outputs.items()}
    return {"kernel": rng.normal(size=(3, 3, 2, 4)), "bias": rng.normal(size=4), **heads}


def problem(axis=None):
    """Losses of MKCNet on the smooth network, and labels from another one; all float64."""
    axis = axis or Axis()

    def task(x, diagnosis, quality):
        def found(theta, y):
            z = smooth(theta, x, ("diagnosis", "quality", "joint"))
            terms = [
                losses.focal(z["diagnosis"], jax.nn.one_hot(diagnosis, T)),
                losses.focal(z["quality"], jax.nn.one_hot(quality, Q)),
                losses.focal(z["joint"], y) / PSI,
            ]
            one, two, three = (losses.masked_mean(t, jnp.ones_like(t), axis) for t in terms)
            return one + two, three

        return found

    def labels(phi, x, diagnosis, quality):
        return masked_softmax(smooth(phi, x, ("joint",))["joint"], quality * T + diagnosis, PSI)

    return task, labels


def data(seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(B, 8, 8, 2)), rng.integers(0, T, B), rng.integers(0, Q, B)


def theta_and_phi():
    return drawn(1, {"diagnosis": T, "quality": Q, "joint": K}), drawn(2, {"joint": K})


RATE = 0.3


def decays(theta):
    return jax.tree.map(lambda _: 5e-4, theta)


def phi_gradient(way, theta, phi, batch, axis=None, eps=0.01):
    task, labels = problem(axis)
    y, pull = jax.vjp(lambda p: labels(p, *batch), phi)
    _, by_y = bilevel.label_gradient(
        way, task(*batch), theta, y, RATE, decays(theta), axis or Axis(), eps
    )
    return (axis or Axis()).mean(pull(by_y)[0])


@jax.jit
def objective(phi, theta, batch):
    """P(theta~(phi)), written out without the module under test."""
    task, labels = problem()
    found = task(*batch)
    y = labels(phi, *batch)
    slope = jax.grad(lambda t: sum(found(t, y)))(theta)
    return found(jax.tree.map(lambda t, g: t - RATE * (g + 5e-4 * t), theta, slope), y)[0]


@pytest.fixture(scope="module")
def gradients():
    with jax.enable_x64(True):
        theta, phi = theta_and_phi()
        run = jax.jit(phi_gradient, static_argnums=0)
        return {way: jax.device_get(run(way, theta, phi, data())) for way in bilevel.WAYS}


def test_equals_central_differences_of_the_whole_objective(gradients):
    """Along 12 random directions of phi, float64, to 1e-6 of the derivative's own size."""
    with jax.enable_x64(True):
        theta, phi = theta_and_phi()
        batch = data()
        rng = np.random.default_rng(3)
        for _ in range(12):
            along = jax.tree.map(lambda p: rng.normal(size=p.shape), phi)
            h = 1e-4

            def at(t, along=along):
                moved = jax.tree.map(lambda p, a: p + t * a, phi, along)
                return float(objective(moved, theta, batch))

            # Fourth order: the error falls with h^4, rounding with 1e-16 / h.
            want = (8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h)
            for way in ("nested", "forward"):
                got = sum(
                    jax.tree.leaves(jax.tree.map(lambda g, a: (g * a).sum(), gradients[way], along))
                )
                assert got == pytest.approx(want, rel=1e-6), way


def test_forward_mode_is_the_nested_gradient(gradients):
    for a, b in zip(*(jax.tree.leaves(gradients[w]) for w in ("nested", "forward")), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-15)


def test_first_order_converges_to_second_order(gradients):
    """With half the distance a quarter of the error, until rounding is all that is left."""
    with jax.enable_x64(True):
        theta, phi = theta_and_phi()
        run = jax.jit(lambda eps: phi_gradient("first", theta, phi, data(), eps=eps))
        want = np.concatenate([g.ravel() for g in jax.tree.leaves(gradients["nested"])])
        error = []
        for eps in (0.4, 0.2, 0.1, 1e-3):
            got = np.concatenate([np.ravel(g) for g in jax.tree.leaves(run(eps))])
            error.append(np.linalg.norm(got - want) / np.linalg.norm(want))
        assert error[0] / error[1] == pytest.approx(4, rel=0.1)
        assert error[1] / error[2] == pytest.approx(4, rel=0.1)
        assert error[3] < 1e-6


def test_linear_model_by_hand():
    """P = (a - 1)^2 / 2 at theta = (a, b), A = y a b: theta~ = (a - r(a - 1 + y b), b - r y a),
    dP/dy = (a~ - 1) da~/dy = -r b (a - r(a - 1 + y b) - 1)."""
    with jax.enable_x64(True):
        a, b, y, r = 0.7, -1.3, 0.4, 0.25

        def found(theta, label):
            p = (theta["a"] - 1) ** 2 / 2
            return p, label[0, 0] * theta["a"] * theta["b"]

        theta = {"a": jnp.asarray(a), "b": jnp.asarray(b)}
        none = {"a": 0.0, "b": 0.0}
        virtual = a - r * (a - 1 + y * b)
        want = -r * b * (virtual - 1)
        for way in bilevel.WAYS:  # A is bilinear: central differences are exact too
            value, slope = bilevel.label_gradient(
                way, found, theta, jnp.array([[y]]), r, none, Axis()
            )
            assert float(value) == pytest.approx((virtual - 1) ** 2 / 2, rel=1e-12)
            assert float(slope[0, 0]) == pytest.approx(want, rel=1e-9), way


def test_weight_decay_of_the_virtual_step():
    with jax.enable_x64(True):
        theta = {"a": jnp.asarray(2.0)}
        stepped = bilevel.virtual_step(
            lambda t, y: (t["a"] ** 2, 0.0), theta, jnp.zeros((1, 1)), 0.1, {"a": 0.5}, Axis()
        )
        assert float(stepped["a"]) == pytest.approx(2 - 0.1 * (4 + 1))


class WithoutInnerMean(Axis):
    """An axis that forgets the mean of gradients by theta."""

    def mean(self, tree):
        return tree if "diagnosis" in tree else super().mean(tree)


@pytest.mark.whole
@pytest.mark.parametrize("way", bilevel.WAYS)
def test_eight_devices_give_the_gradient_of_one(gradients, way):
    """The rule is not vacuous: without the inner mean the gradient is another one."""
    with jax.enable_x64(True):
        theta, phi = theta_and_phi()
        shares = tuple(x.reshape(8, B // 8, *x.shape[1:]) for x in data())
        want = np.concatenate([g.ravel() for g in jax.tree.leaves(gradients[way])])

        def over_devices(axis):
            run = jax.pmap(
                lambda t, p, b: phi_gradient(way, t, p, b, axis),
                axis_name="data",
                in_axes=(None, None, 0),
                out_axes=None,
            )
            return np.concatenate([np.ravel(g) for g in jax.tree.leaves(run(theta, phi, shares))])

        np.testing.assert_allclose(over_devices(Axis("data")), want, rtol=1e-9, atol=1e-14)
        wrong = over_devices(WithoutInnerMean("data"))
        assert np.linalg.norm(wrong - want) > 0.05 * np.linalg.norm(want)


def test_no_direction_is_no_gradient():
    theta = {"a": jnp.ones(())}
    for way in bilevel.WAYS:
        _, slope = bilevel.label_gradient(
            way,
            lambda t, y: (0.0 * t["a"], y.sum() * t["a"]),
            theta,
            jnp.ones((2, 3)),
            0.1,
            {"a": 0.0},
            Axis(),
        )
        np.testing.assert_array_equal(slope, 0.0)


def test_unknown_way():
    with pytest.raises(ValueError, match="'third' is none of"):
        bilevel.label_gradient("third", lambda t, y: (0, 0), {}, jnp.ones((1, 1)), 0.1, {}, Axis())
