"""The optimiser against hand-computed updates and, where torch is there, against PyTorch's."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fiqa_jax import defaults
from fiqa_jax.training import optim

PARAMS = {
    "trunk": {"conv": {"kernel": jnp.array([[1.0, -2.0]]), "bias": jnp.array([0.5])}},
    "head": {"kernel": jnp.array([3.0])},
}
GRADS = {
    "trunk": {"conv": {"kernel": jnp.array([[0.3, -0.1]]), "bias": jnp.array([0.2])}},
    "head": {"kernel": jnp.array([-0.4])},
}


def config(**changes):
    c = defaults.base().optim
    c.update({"schedule": "constant", "lr": 0.1, "clip": 0.0, "weight_decay": 0.0, **changes})
    return c


def one_update(c, params=PARAMS, grads=GRADS, steps=10):
    tx = optim.make(c, params, steps)
    updates, _ = tx.update(grads, tx.init(params), params)
    return updates


def test_sgd_decay_enters_the_gradient():
    u = one_update(config(name="sgd", momentum=0.0, weight_decay=0.5))
    np.testing.assert_allclose(u["head"]["kernel"], -0.1 * (-0.4 + 0.5 * 3.0), rtol=1e-6)
    # the bias is not decayed by default
    np.testing.assert_allclose(u["trunk"]["conv"]["bias"], -0.1 * 0.2, rtol=1e-6)


def test_adamw_first_step_is_sign_plus_decay():
    u = one_update(config(name="adamw", weight_decay=0.5, eps=0.0))
    # 1 - 0.999 in float32 is off by 2e-5
    np.testing.assert_allclose(u["head"]["kernel"], -0.1 * (-1.0 + 0.5 * 3.0), rtol=1e-4)


def test_groups_freeze_and_scale():
    groups = ((r"trunk/.*/bias", None), (r"trunk/.*", 0.1), (".*", 1.0))
    u = one_update(config(name="sgd", momentum=0.0, weight_decay=0.5, groups=groups))
    assert u["trunk"]["conv"]["bias"] == 0.0
    want = -0.1 * 0.1 * (np.array([[0.3, -0.1]]) + 0.5 * np.array([[1.0, -2.0]]))
    np.testing.assert_allclose(u["trunk"]["conv"]["kernel"], want, rtol=1e-6)


def test_frozen_parameters_are_outside_the_clipping_norm():
    grads = jax.tree.map(jnp.copy, GRADS)
    grads["trunk"]["conv"]["kernel"] = jnp.array([[1e6, 1e6]])
    groups = ((r"trunk/.*", None), (".*", 1.0))
    u = one_update(config(name="sgd", momentum=0.0, clip=1.0, groups=groups), grads=grads)
    np.testing.assert_allclose(u["head"]["kernel"], 0.1 * 0.4, rtol=1e-6)


def test_clip_by_global_norm():
    u = one_update(config(name="sgd", momentum=0.0, clip=0.1))
    norm = np.sqrt(0.3**2 + 0.1**2 + 0.2**2 + 0.4**2)
    np.testing.assert_allclose(u["head"]["kernel"], 0.1 * 0.4 * 0.1 / norm, rtol=1e-6)


def test_unmatched_parameter_and_unused_pattern_are_errors():
    with pytest.raises(ValueError, match="no pattern matches the parameter 'head/kernel'"):
        one_update(config(groups=((r"trunk/.*", 1.0),)))
    with pytest.raises(ValueError, match=r"'truck/\.\*' matches no parameter"):
        one_update(config(groups=((r"truck/.*", 0.1), (".*", 1.0))))


@pytest.mark.parametrize(
    ("changes", "at", "want"),
    [
        ({"schedule": "cosine", "floor": 0.0}, 50, 0.5),
        ({"schedule": "cosine", "floor": 0.2}, 100, 0.2),
        ({"schedule": "linear", "floor": 0.0}, 25, 0.75),
        ({"schedule": "constant", "warmup": 0.1}, 5, 0.5),
        ({"schedule": "constant", "warmup": 0.1}, 10, 1.0),
        ({"schedule": "step", "step_share": 0.25, "step_factor": 0.5}, 24, 1.0),
        ({"schedule": "step", "step_share": 0.25, "step_factor": 0.5}, 50, 0.25),
    ],
)
def test_schedules_are_shares_of_the_run(changes, at, want):
    rate = optim.schedule(config(lr=1.0, **changes), 100)
    np.testing.assert_allclose(rate(at), want, rtol=1e-5)


def test_wrong_names():
    with pytest.raises(ValueError, match=r"optim\.name 'lion'"):
        one_update(config(name="lion"))
    with pytest.raises(ValueError, match=r"optim\.schedule 'exp'"):
        one_update(config(schedule="exp"))


@pytest.mark.parametrize("name", ["adamw", "adam", "sgd"])
def test_ten_steps_equal_pytorch(name):
    torch = pytest.importorskip("torch", reason="torch is not installed (extra: reference)")
    rng = np.random.default_rng(0)
    start = rng.normal(size=5).astype(np.float32)
    grads = rng.normal(size=(10, 5)).astype(np.float32)
    c = config(name=name, lr=0.05, weight_decay=0.1, decay=((".*", 1.0),), eps=1e-8)
    params = {"w": jnp.asarray(start)}
    tx = optim.make(c, params, 10)
    opt_state = tx.init(params)
    for g in grads:
        updates, opt_state = tx.update({"w": jnp.asarray(g)}, opt_state, params)
        params = {"w": params["w"] + updates["w"]}
    theirs = torch.nn.Parameter(torch.tensor(start))
    make = {
        "adamw": lambda p: torch.optim.AdamW(p, lr=0.05, weight_decay=0.1),
        "adam": lambda p: torch.optim.Adam(p, lr=0.05, weight_decay=0.1),
        "sgd": lambda p: torch.optim.SGD(p, lr=0.05, weight_decay=0.1, momentum=0.9),
    }
    opt = make[name]([theirs])
    for g in grads:
        theirs.grad = torch.tensor(g)
        opt.step()
    np.testing.assert_allclose(params["w"], theirs.detach().numpy(), rtol=2e-5, atol=1e-6)
