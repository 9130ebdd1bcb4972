"""The masked autoencoder: what it may see, what its loss counts, equality over devices, recipe."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import recipes
from equal import assert_equal_over_devices

from fiqa_jax import defaults
from fiqa_jax import encoders as encoder_command
from fiqa_jax.methods import mae
from fiqa_jax.models.mae import MaskedAutoencoder, random_order
from fiqa_jax.models.vit import ViT, patchify
from fiqa_jax.pretrained import encoders
from fiqa_jax.recipe import runner
from fiqa_jax.training import method as base
from fiqa_jax.training import state

SMALL = {"dim": 16, "depth": 1, "heads": 2, "patch": 8}


def config(precision="float32", **own):
    c = defaults.base()
    small = {**SMALL, "decoder_dim": 8, "decoder_depth": 1, "decoder_heads": 1}
    c.method.update({**defaults.METHODS["pretrain"], **small, **own})
    c.model.precision = precision
    c.augment.train = "flip|rotate(180)|zoom(0.6, 1.1)"
    return c


def method(precision="float32", side=32, **own):
    c = config(precision, **own)
    data = base.DataSpec(side, 3, (), (), (), {}, c.data.mean, c.data.std)
    return mae.build(c, data, base.Run(10, 8, 8))


def batches(steps):
    rng = np.random.default_rng(0)
    for step in range(steps):
        fov = np.ones((8, 32, 32), np.uint8)
        fov[:, :8] = 0
        image = rng.integers(0, 256, (8, 32, 32, 3), dtype=np.uint8) * fov[..., None]
        yield {"image": image, "fov": fov, "index": (np.arange(8) + 8 * step).astype(np.int32)}


@pytest.mark.whole
def test_equal_over_devices():
    with jax.enable_x64(True):
        assert_equal_over_devices(method("float64"), list(batches(5)), 1e-9)


def test_masks_belong_to_examples():
    key = jax.random.key(3)
    whole = random_order(state.example_keys(key, jnp.arange(6)), 16)
    assert (jnp.sort(whole, 1) == jnp.arange(16)[None]).all()
    assert len({tuple(r) for r in whole.tolist()}) == 6
    some = random_order(state.example_keys(key, jnp.array([4, 1])), 16)
    np.testing.assert_array_equal(some, whole[jnp.array([4, 1])])
    again = random_order(state.example_keys(jax.random.fold_in(key, 1), jnp.arange(6)), 16)
    assert (again != whole).any(1).all()


def test_loss_by_hand():
    """Only hidden patches inside the field count, against pixels normalised within the patch."""
    rng = np.random.default_rng(0)
    images = rng.normal(size=(1, 4, 4, 3))
    drawn = rng.normal(size=(1, 4, 12))
    fov = np.ones((1, 4, 4), np.uint8)
    fov[0, 2:, 2:] = 0  # the last patch lies outside
    hidden = np.array([[3, 0, 1]], np.int32)
    errors = []
    for row, column, patch in ((0, 0, 0), (0, 2, 1)):
        pixels = images[0, row : row + 2, column : column + 2].reshape(-1)
        target = (pixels - pixels.mean()) / np.sqrt(pixels.var(ddof=1) + 1e-6)
        errors.append(((drawn[0, patch] - target) ** 2).mean())
    with jax.enable_x64(True):
        got = mae.masked_error(*map(jnp.asarray, (drawn, images, fov, hidden)), 2)
    np.testing.assert_allclose(got, [np.mean(errors)], rtol=1e-12)
    nothing = mae.masked_error(
        *map(jnp.asarray, (drawn, images, 0 * fov, hidden)), 2
    )  # a photograph without a field
    np.testing.assert_array_equal(nothing, [0.0])


@pytest.mark.whole
def test_the_encoder_sees_no_hidden_pixel():
    net = MaskedAutoencoder(ViT(**SMALL, position="sines"), 8, 1, 1)
    x = jax.random.normal(jax.random.key(0), (2, 16, 16, 3))
    order = jnp.array([[2, 0, 1, 3], [1, 3, 0, 2]], jnp.int32)
    variables = net.init(jax.random.key(1), x, order, 1)

    def total(x):
        return jnp.sum(net.apply(variables, x, order, 1) ** 2)

    moved = patchify(jnp.abs(jax.grad(total)(x)), 8).reshape(2, 4, -1).sum(-1) > 0
    np.testing.assert_array_equal(moved, [[False, False, True, False], [False, True, False, False]])


def test_the_decoder_puts_patches_back():
    """The order of visible patches among themselves, and of hidden ones, changes nothing."""
    net = MaskedAutoencoder(ViT(**SMALL, position="sines"), 8, 1, 1)
    x = jax.random.normal(jax.random.key(0), (1, 16, 16, 3))
    variables = net.init(jax.random.key(1), x, jnp.arange(4)[None], 2)
    one = net.apply(variables, x, jnp.array([[3, 0, 1, 2]]), 2)
    other = net.apply(variables, x, jnp.array([[0, 3, 2, 1]]), 2)
    np.testing.assert_allclose(one, other, atol=1e-5)
    assert jnp.abs(one - net.apply(variables, x, jnp.array([[0, 1, 2, 3]]), 2)).max() > 1e-3


@pytest.mark.parametrize(
    ("side", "own", "message"),
    [(30, {}, "30 is no multiple of method.patch, 8"), (32, {"mask": 0.99}, "leaves 0 of 16")],
)
def test_settings_that_do_not_fit(side, own, message):
    with pytest.raises(ValueError, match=message):
        method(side=side, **own)


def test_photographs_come_after_the_drawings():
    config = recipes.load("tiny,photos", "pretrain")
    assert config.stages == ("encoder", "photographs")
    later = config.stage.photographs
    assert (later.model.init, later.data.source, later.data.side) == ("encoder", "degraded", 32)
    assert config.stage.encoder.data.source == "drawn"
    assert config.deliver == "photographs"


@pytest.mark.whole
def test_recipe_and_the_encoder_it_leaves(tmp_path, capsys):
    config = recipes.load("tiny", "pretrain")
    runner.run(config, tmp_path)
    facts = json.loads((tmp_path / "encoder" / "stage.json").read_text())["facts"]
    assert 0.1 < facts["test"]["masked_error"] < 5
    output = tmp_path / "encoder.safetensors"
    assert encoder_command.main([str(tmp_path / "model"), str(output), "--dtype", "float16"]) == 0
    assert "cells of 8 px, 16 channels" in capsys.readouterr().out
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 48, 3), dtype=np.uint8)
    whole = encoders.load(str(tmp_path / "model"))
    small = encoders.load(str(output))
    assert whole.features(images).shape == (2, 4, 6, 16)
    np.testing.assert_allclose(small.features(images), whole.features(images), atol=0.05)
    assert small.digest != whole.digest
    encoders.save(whole, tmp_path / "copy.safetensors")
    assert encoders.load(str(tmp_path / "copy.safetensors")).digest == whole.digest
    assert encoder_command.main([str(tmp_path / "nothing"), str(output)]) == 1
    assert "no encoder at" in capsys.readouterr().err
