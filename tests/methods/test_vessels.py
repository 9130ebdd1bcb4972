"""The vessel method: losses by hand, unknown channels, equality over devices, the recipe."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from equal import assert_equal_over_devices

from fiqa_jax import defaults
from fiqa_jax.methods import vessels
from fiqa_jax.models.wnet import WNet
from fiqa_jax.training import method as base
from fiqa_jax.training.devices import Axis


def batches(steps):
    """Half the photographs know vessels only, and they are bunched together."""
    rng = np.random.default_rng(0)
    for step in range(steps):
        valid = np.ones((8, 3), np.float32)
        valid[:4, :2] = 0
        fov = np.ones((8, 32, 32), np.uint8)
        fov[:, :5] = 0
        yield {
            "image": rng.integers(0, 256, (8, 32, 32, 3), dtype=np.uint8),
            "fov": fov,
            "vessels": rng.choice([0, 128, 255], (8, 32, 32, 3)).astype(np.uint8),
            "vessels_valid": valid,
            "index": (np.arange(8) + 8 * step).astype(np.int32),
        }


LINE = "flip|rotate(180)|zoom(0.8, 1.2)|patch(0.5, 16)|gamma(0.3)|noise(0.05)"


def method(precision="float32", line=LINE, **own):
    c = defaults.base()
    c.method.update({**defaults.METHODS["vessels"], "base": 4, "levels": 3, **own})
    c.model.precision = precision
    c.augment.train = line
    data = base.DataSpec(32, 3, (), (), (), {}, c.data.mean, c.data.std)
    return vessels.build(c, data, base.Run(10, 8, 8))


@pytest.mark.whole
@pytest.mark.parametrize(
    "own", [{}, {"architecture": "rrwnet", "iterations": 1, "base": 2, "levels": 2, "flatten": 4.0}]
)
def test_equal_over_devices(own):
    with jax.enable_x64(True):
        assert_equal_over_devices(method("float64", **own), list(batches(5)), 1e-9)


def test_flattened_green_is_all_it_sees():
    made = method(flatten=4.0)
    variables = jax.jit(lambda: state_of(made))()
    batch = next(batches(1))
    other = {**batch, "image": batch["image"].copy()}
    other["image"][..., [0, 2]] = 7
    found, same = (made.predict(variables, b)["vessels"] for b in (batch, other))
    np.testing.assert_array_equal(found, same)
    other["image"][..., 1] = 7
    assert abs(made.predict(variables, other)["vessels"] - found).max() > 1e-3


def state_of(made):
    """Weights as predict takes them, before any training."""
    from fiqa_jax.training.state import variables

    return variables(made.init(jax.random.key(0)))


def test_what_is_trained():
    """RRWNet: the last of K passes weighs K times the first; all passes together weigh one."""
    first, a, b, c = (jnp.full((1,), float(i)) for i in range(4))
    found = vessels.supervised("rrwnet", c, {"predictions": (first, a, b, c)})
    assert [float(p[0]) for _, p in found] == [0, 1, 2, 3]
    np.testing.assert_allclose([w for w, _ in found], [1, 1 / 6, 2 / 6, 3 / 6])
    assert vessels.supervised("wnet", b, {"first": a}) == [(1.0, a), (1.0, b)]
    assert vessels.supervised("unet", b, {}) == [(1.0, b)]


def test_the_loss_adds_what_is_trained():
    """A W-Net's terms are sums over both halves; the network says what each predicts."""
    own = {"architecture": "wnet", "base": 2, "levels": 2}
    made, batch = method(line="", **own), next(batches(1))
    state = jax.jit(made.init)(jax.random.key(0))
    variables = {"params": state.params, **state.model_state}
    net = WNet(3, (2, 4))
    run = jax.jit(lambda v, x: net.apply(v, x, True, mutable=["batch_stats"]))
    c = defaults.base()
    x = (batch["image"] / np.float32(255) - np.float32(c.data.mean)) / np.float32(c.data.std)
    (logits, extra), _ = run(variables, x)
    want = sum(vessels.pixel_losses(y, batch)[0][:, 2].mean() for y in (extra["first"], logits))
    step = jax.jit(lambda *args: made.step(*args, axis=Axis()))
    _, scalars = step(state, batch, jax.random.key(1))
    np.testing.assert_allclose(scalars["vessel"], want, rtol=1e-4)


def test_unknown_architectures():
    with pytest.raises(ValueError, match="'u' is none of"):
        method(architecture="u")


def test_losses_by_hand():
    logits = jnp.array([[[[2.0]], [[-1.0]], [[5.0]]]])  # [1, 3, 1, 1]; the last pixel is outside
    batch = {
        "vessels": jnp.array([[[[255]], [[0]], [[0]]]], jnp.uint8),
        "fov": jnp.array([[[1], [1], [0]]], jnp.uint8),
    }
    entropy, dice = vessels.pixel_losses(logits, batch)
    p = 1 / (1 + np.exp(-np.array([2.0, -1.0])))
    want = -(np.log(p[0]) + np.log(1 - p[1])) / 2
    np.testing.assert_allclose(entropy[0, 0], want, rtol=1e-6)
    np.testing.assert_allclose(dice[0, 0], 1 - (2 * p[0] + 1) / (p.sum() + 1 + 1), rtol=1e-6)


def test_hard_dice():
    batch = {
        "vessels": jnp.array([255, 255, 0, 0], jnp.uint8).reshape(1, 4, 1, 1),
        "fov": jnp.ones((1, 4, 1), jnp.uint8),
    }
    p = jnp.array([0.9, 0.1, 0.8, 0.2]).reshape(1, 4, 1, 1)
    assert float(vessels.hard_dice(p, batch)[0, 0]) == pytest.approx(0.5)
    none = {**batch, "vessels": jnp.zeros((1, 4, 1, 1), jnp.uint8)}
    assert float(vessels.hard_dice(jnp.zeros((1, 4, 1, 1)), none)[0, 0]) == 1.0


def test_unknown_channels_have_no_measure():
    m = method()
    state = m.init(jax.random.key(0))
    batch = next(batches(1))
    variables = {"params": state.params, **state.model_state}
    out = m.predict(variables, batch)
    assert np.isnan(np.asarray(out["row_artery_dice"][:4])).all()
    assert np.isfinite(np.asarray(out["row_vessel_dice"])).all()
    assert float(out["vessels"][:, :5].max()) == 0.0, "nothing outside the field"


@pytest.mark.whole
def test_recipe(tmp_path):
    import importlib.util
    import json
    from pathlib import Path

    from fiqa_jax.recipe import runner

    path = Path(__file__).resolve().parents[2] / "configs" / "vessels.py"
    spec = importlib.util.spec_from_file_location("vessels_config", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    config = module.get_config("tiny").lock()
    config.data.driver = "threads"
    runner.run(config, tmp_path)
    facts = json.loads((tmp_path / "segmentor" / "stage.json").read_text())["facts"]
    assert 0 <= facts["test"]["vessel_dice"] <= 1
    rows = (tmp_path / "segmentor" / "rows_test.csv").read_text().splitlines()
    assert rows[0].split(",")[0] == "id"
    assert len(rows) == 7  # a quarter of 24 photographs
    assert (tmp_path / "model" / "model.safetensors").is_file()
