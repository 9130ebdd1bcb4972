"""Inpainting of vessel maps: what the network sees, what it is asked for, equality over devices."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from equal import assert_equal_over_devices, train

from fiqa_jax import defaults
from fiqa_jax.methods import efiqa_inpaint, efiqa_masks
from fiqa_jax.training import method as base
from fiqa_jax.training import optim


def config(precision="float32", **own):
    c = defaults.base()
    settings = {"side": 16, "base": 2, "levels": 2, "grid": 8}
    c.method.update({**defaults.METHODS["inpaint"], **settings, **own})
    c.model.precision = precision
    c.augment.train = ""
    c.optim.update({"lr": 1e-3, "schedule": "constant", "weight_decay": 0.01, "clip": 0.0})
    c.optim.decay = ((".*", 1.0),)
    return c


def spec(side=24):
    return base.DataSpec(side, 3, (), (), (), {}, (0.0,) * 3, (1.0,) * 3)


def batches(steps, side=24):
    """Maps of stripes, always the same but for where they lie."""
    rng = np.random.default_rng(0)
    for step in range(steps):
        line = (np.arange(side)[None] + rng.integers(0, 8, (8, 1))) % 8 < 2
        image = np.zeros((8, side, side, 3), np.uint8)
        image[..., 0] = 255 * line[:, :, None]
        image[..., 2] = image[..., 0]
        fov = np.ones((8, side, side), np.uint8)
        fov[:, : side // 4] = 0
        index = (np.arange(8) + 8 * step).astype(np.int32)
        yield {"image": image, "fov": fov, "index": index}


def build(precision):
    return efiqa_inpaint.build(config(precision), spec(), base.Run(5, 8, 8))


@pytest.mark.whole
def test_equal_over_devices():
    with jax.enable_x64(True):
        assert_equal_over_devices(build("float64"), list(batches(5)), 1e-9)


def test_training_lowers_the_loss():
    c = config(base=4, side=16, crop=False)
    c.optim.lr = 3e-3
    method = efiqa_inpaint.build(c, spec(16), base.Run(60, 8, 8))
    _, scalars = train(method, list(batches(60, 16)), "jit", 1)
    losses = [float(s["loss"]) for s in scalars]
    # masks shrink on the way: against the share that is masked, too
    assert np.mean(losses[50:]) < 0.5 * np.mean(losses[:5])


def test_mask_and_target_come_from_one_map():
    image = jnp.asarray(next(batches(1))["image"][0])
    for crop in (False, True):
        draw = jax.jit(lambda k, c=crop: efiqa_inpaint.example(image, k, jnp.asarray(90), 16, c))
        target, masked = draw(jax.random.key(3))
        stays = np.asarray(masked == target).all(-1)
        assert np.asarray(masked)[~stays].max() == 0.0
        assert target.shape == (16, 16, 3)
        assert 0.0 <= float(target.min()) <= float(target.max()) <= 1.0


def test_no_crop_means_no_flip_either():
    image = jnp.asarray(np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8))
    target, _ = efiqa_inpaint.example(image, jax.random.key(5), jnp.asarray(0), 32, False)
    np.testing.assert_allclose(target, np.asarray(image) / 255.0, atol=1e-6)


def test_flips_and_turns_keep_levels():
    """Nearest: no new grey level comes up but black."""
    image = np.full((33, 33, 3), 200, np.uint8)
    target, _ = efiqa_inpaint.example(
        jnp.asarray(image), jax.random.key(5), jnp.asarray(0), 33, True
    )
    assert set(np.unique(np.asarray(target * 255).round())) <= {0.0, 200.0}


def test_grey_floor():
    """Vessel only is 29 and vanishes; with artery 105, with vein 179: both stay (spec 1.8)."""
    colours = np.array([[0, 0, 255], [255, 0, 255], [0, 255, 255], [51, 50, 46], [50, 50, 50]])
    maps = jnp.asarray(colours.astype(np.uint8)[None, None].repeat(5, 1))
    got = np.asarray(efiqa_inpaint.prepared(maps, 5, 50.0))[0, 0]
    want = np.where(np.array([0, 1, 1, 0, 0])[:, None], colours, 0) / 255
    np.testing.assert_allclose(got, want, atol=1e-6)
    np.testing.assert_allclose(
        efiqa_inpaint.prepared(maps, 5, -1.0)[0, 0], colours / 255, atol=1e-6
    )


def test_outputs_are_what_the_network_adds():
    """A network whose last layer gives 0.3 everywhere: anomaly 0.3, all cells of the field bad."""
    c = config(threshold=0.2)
    method = efiqa_inpaint.build(c, spec(), base.Run(5, 8, 8))
    params = jax.eval_shape(method.init, jax.random.key(0)).params
    params = jax.tree.map(lambda x: jnp.zeros(x.shape), params)
    params["head"]["conv"]["bias"] = jnp.full(3, -0.3)
    batch = {k: jnp.asarray(v) for k, v in next(batches(1)).items()}
    out = jax.jit(lambda p, b: method.predict({"params": p}, b))(params, batch)
    np.testing.assert_allclose(out["anomaly"], 0.3, rtol=1e-6)
    np.testing.assert_allclose(out["cells"], 0.3, rtol=1e-6)
    assert (np.asarray(out["bad"][:, :2]) == 255).all()
    assert (np.asarray(out["bad"][:, 2:]) == 1).all()
    np.testing.assert_allclose(out["vuad_density"], 1.0, rtol=1e-6)
    np.testing.assert_allclose(out["vessel_density"], 0.25, atol=0.1)
    x = efiqa_inpaint.prepared(batch["image"], 16, 50.0)
    np.testing.assert_allclose(out["inpainted"], x - 0.3, atol=1e-6)


def test_initial_weights_are_pytorchs():
    """Uniform within 1 / sqrt(fan-in), for biases too; a transposed one counts its outputs."""
    c = config(base=8, levels=3)
    params = jax.jit(efiqa_inpaint.build(c, spec(), base.Run(5, 8, 8)).init)(
        jax.random.key(0)
    ).params
    conv = params["down2"]["conv1"]["conv"]
    bound = (9 * 8) ** -0.5
    for leaf in (conv["kernel"], conv["bias"]):
        assert 0.85 * bound < float(jnp.abs(leaf).max()) <= bound
    assert float(conv["kernel"].std()) == pytest.approx(bound / 3**0.5, rel=0.1)
    up = params["up1"]["kernel"]  # torch [16, 8, 2, 2], fan-in 8 * 4
    assert 0.95 * 32**-0.5 < float(jnp.abs(up).max()) <= 32**-0.5


def test_published_size():
    c = config(side=256, base=64, levels=5)
    method = efiqa_inpaint.build(c, spec(256), base.Run(5, 8, 8))
    shapes = jax.eval_shape(method.init, jax.random.key(0)).params
    assert sum(x.size for x in jax.tree.leaves(shapes)) == 31_031_875
    assert all(path for path in optim.paths(shapes))


def test_an_augmentation_line_is_refused():
    c = config()
    c.augment.train = "flip"
    with pytest.raises(ValueError, match="changes its maps itself"):
        efiqa_inpaint.build(c, spec(), base.Run(5, 8, 8))


def test_masked_share_is_what_the_epoch_says():
    maps = jnp.full((200, 16, 16, 3), 255, jnp.uint8)
    keys = jax.random.split(jax.random.key(0), 200)
    draw = jax.vmap(lambda m, k: efiqa_inpaint.example(m, k, jnp.asarray(0), 16, False)[1])
    assert float(draw(maps, keys).mean()) == pytest.approx(0.1, abs=0.03)
    assert efiqa_masks.EPOCHS == 100
