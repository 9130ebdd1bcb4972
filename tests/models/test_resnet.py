"""ResNet trunks: published sizes, shapes, dtypes, initial weights."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fiqa_jax import models
from fiqa_jax.models import resnet


def shapes(model, side=64, channels=3):
    image = jax.ShapeDtypeStruct((2, side, side, channels), jnp.float32)
    return jax.eval_shape(lambda x: model.init(jax.random.key(0), x, train=False), image)


# torchvision's documented parameter counts, its classifier (F x 1000 + 1000) included.
@pytest.mark.parametrize(
    ("name", "features", "count"),
    [("resnet18", 512, 11_689_512), ("resnet34", 512, 21_797_672), ("resnet50", 2048, 25_557_032)],
)
def test_parameters_as_published(name, features, count):
    trunk = sum(x.size for x in jax.tree.leaves(shapes(models.make(name))["params"]))
    assert trunk + features * 1000 + 1000 == count


def test_stages_halve_odd_sides_upwards():
    model = models.make("tiny")
    image = jax.ShapeDtypeStruct((2, 75, 62, 3), jnp.float32)
    (features, out), _ = jax.eval_shape(
        lambda x: model.init_with_output(jax.random.key(0), x, train=False), image
    )
    assert features.shape == (2, 64)
    assert set(out) == {"stage1", "stage2", "stage3", "stage4", "features"}
    assert out["stage1"].shape == (2, 19, 16, 8)
    assert out["stage2"].shape == (2, 10, 8, 16)
    assert out["stage3"].shape == (2, 5, 4, 32)
    assert out["stage4"].shape == (2, 3, 2, 64)


def test_bottleneck_is_four_times_as_wide_out():
    params = shapes(models.make("resnet50", width=0.25))["params"]
    block = params["stage2"]["block0"]
    assert block["conv2"]["kernel"].shape == (3, 3, 32, 32)
    assert block["conv3"]["kernel"].shape == (1, 1, 32, 128)
    assert block["down_conv"]["kernel"].shape == (1, 1, 64, 128)
    assert set(params["stage2"]) == {f"block{i}" for i in range(4)}


@pytest.mark.parametrize(
    ("base", "width", "expected"),
    [(64, 1.0, 64), (64, 0.25, 16), (64, 0.3, 16), (64, 0.33, 24), (64, 0.01, 8), (512, 2, 1024)],
)
def test_channels_are_multiples_of_eight(base, width, expected):
    assert resnet.channels(base, width) == expected


def test_the_tree_does_not_depend_on_the_image():
    # At the smallest width channels no longer double and a 1-pixel map cannot shrink: what decides
    # whether a shortcut is projected must not be the shape of the map.
    model = models.make("resnet18", width=0.02)
    assert jax.tree.map(jnp.shape, shapes(model, 8)) == jax.tree.map(jnp.shape, shapes(model, 128))
    assert "down_conv" in shapes(model, 8)["params"]["stage2"]["block0"]


@pytest.mark.parametrize(
    ("dtype", "kept"), [(jnp.bfloat16, jnp.float32), (jnp.float32, jnp.float32)]
)
def test_parameters_and_features_keep_precision(dtype, kept):
    model = models.make("tiny", dtype=dtype)
    image = jnp.ones((2, 32, 32, 3))
    variables = shapes(model)
    assert {x.dtype for x in jax.tree.leaves(variables)} == {jnp.dtype(kept)}
    apply = lambda v, x: model.apply(v, x, train=True, mutable=["batch_stats"])  # noqa: E731
    (features, out), new = jax.eval_shape(apply, variables, image)
    assert features.dtype == kept
    assert out["stage4"].dtype == dtype
    assert {x.dtype for x in jax.tree.leaves(new)} == {jnp.dtype(kept)}


def test_float64_state_stays_float64():
    with jax.enable_x64(True):
        model = models.make("tiny", dtype=jnp.float64)
        image = jnp.ones((2, 32, 32, 3), jnp.float64)
        variables = shapes(model)
        apply = lambda v, x: model.apply(v, x, train=True, mutable=["batch_stats"])  # noqa: E731
        (features, _), new = jax.eval_shape(apply, variables, image)
        assert {x.dtype for x in jax.tree.leaves(variables)} == {jnp.dtype("float64")}
        assert {x.dtype for x in jax.tree.leaves(new)} == {jnp.dtype("float64")}
        assert features.dtype == jnp.float64


def test_initial_weights_are_he_normal_over_fan_out():
    block = resnet.Block(128, stride=2, bottleneck=False)
    init = jax.jit(lambda key: block.init(key, jnp.zeros((1, 4, 4, 64)), train=False))
    params = jax.device_get(init(jax.random.key(0)))["params"]
    # std = sqrt(2 / (3 * 3 * 128)); 147,456 draws put the estimate within 1 %.
    kernel = params["conv2"]["kernel"]
    np.testing.assert_allclose(kernel.std(), np.sqrt(2 / 1152), rtol=0.01)
    assert np.abs(kernel).max() > 4 * kernel.std()  # not truncated at two deviations
    np.testing.assert_allclose(params["down_conv"]["kernel"].std(), np.sqrt(2 / 128), rtol=0.05)
    assert (params["norm2"]["scale"] == 1).all()
    assert (params["norm2"]["bias"] == 0).all()


def test_one_channel_images():
    params = shapes(models.make("tiny"), channels=1)["params"]
    assert params["stem"]["conv"]["kernel"].shape == (7, 7, 1, 8)


def test_unknown_names_list_the_known():
    with pytest.raises(ValueError, match=r"'resnet19' is not known; known: .*resnet18.*tiny"):
        models.make("resnet19")
