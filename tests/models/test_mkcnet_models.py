"""VGG, CBAM and MKCNet's networks: sizes, gates by hand, the mask's limits, statistics."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fiqa_jax import models
from fiqa_jax.models.layers.cbam import CBAM, ChannelGate, SpatialGate, largest
from fiqa_jax.models.mkcnet import MetaLearner, TaskNet, joint_class, masked_softmax


def count(net, shape=(1, 64, 64, 3)):
    image = jax.ShapeDtypeStruct(shape, np.float32)
    shapes = jax.eval_shape(lambda x: net.init(jax.random.key(0), x, False), image)
    return sum(x.size for x in jax.tree.leaves(shapes["params"]))


def test_vgg_has_the_published_number_of_parameters():
    """torchvision's vgg16_bn: 138,365,992, of which 123,642,856 are its classifier's."""
    assert count(models.make("vgg16")) == 138_365_992 - 123_642_856


def test_task_net_has_the_parameters_of_its_description():
    """By hand, T = Q = 3, psi = 5: gates of 512 and 256 channels, branches of 256, three heads."""
    trunk = 14_723_136
    channel = (512 * 32 + 32) + (32 * 512 + 512)
    attention = channel + 2 * 49 + 2 + (512 * 256 + 256)
    assistance = (256 * 16 + 16) + (16 * 256 + 256)

    def head(inside, out):
        return (inside * inside + inside) + (inside * out + out)

    want = trunk + 3 * attention + assistance + head(512, 3) + head(256, 45) + head(256, 3)
    assert count(TaskNet("vgg16", 3, 3, 45)) == want
    assert count(MetaLearner(45)) == trunk + head(512, 45)
    assert count(TaskNet("vgg16", 3)) == trunk + attention + head(256, 3)


def test_vgg_maps_are_halved_five_times_and_odd_sides_refused():
    net = models.make("vgg16", width=0.125)
    image = jax.ShapeDtypeStruct((2, 64, 96, 3), np.float32)
    (features, found), _ = jax.eval_shape(
        lambda x: net.init_with_output(jax.random.key(0), x, True), image
    )
    assert features.shape == (2, 64)
    assert found["stage1"].shape == (2, 32, 48, 8)
    assert found["stage5"].shape == (2, 2, 3, 64)
    with pytest.raises(ValueError, match=r"\(80, 64\) must be multiples of 32"):
        net.init(jax.random.key(0), jnp.zeros((1, 80, 64, 3)), False)


def test_remat_changes_no_number():
    x = jnp.asarray(np.random.default_rng(0).normal(size=(2, 32, 32, 3)), jnp.float32)
    plain, again = (models.make("vgg_tiny", width=0.125, remat=r) for r in (False, True))
    variables = jax.jit(lambda: plain.init(jax.random.key(0), x, False))()

    def loss(params, net):
        stats = {"batch_stats": variables["batch_stats"]}
        (features, _), _ = net.apply({"params": params, **stats}, x, True, mutable=["batch_stats"])
        return jnp.sum(features**2)

    want, got = (
        jax.jit(jax.grad(lambda p, n=n: loss(p, n)))(variables["params"]) for n in (plain, again)
    )
    scale = max(float(jnp.abs(a).max()) for a in jax.tree.leaves(want))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5 * scale), want, got)


def test_largest_gives_its_gradient_to_the_first():
    x = jnp.array([[1.0, 3.0, 3.0], [0.0, 0.0, 0.0]])
    np.testing.assert_array_equal(largest(x, 1), [3.0, 0.0])
    grad = jax.grad(lambda x: (largest(x, 1) ** 2).sum())(x)
    np.testing.assert_array_equal(grad, [[0, 6, 0], [0, 0, 0]])


def test_channel_gate_by_hand():
    """One hidden unit that adds both channels, whose gates are its value and minus it."""
    x = jnp.array([[[[1.0, 0.0]], [[3.0, 2.0]]]])  # [1, 2, 1, 2]: means 2 and 1, maxima 3 and 2
    dense = {
        "hidden": {"kernel": jnp.ones((2, 1)), "bias": jnp.zeros(1)},
        "out": {"kernel": jnp.array([[1.0, -1.0]]), "bias": jnp.zeros(2)},
    }
    out = ChannelGate(2).apply({"params": dense}, x)
    gate = 1 / (1 + np.exp(-np.array([3.0 + 5.0, -8.0])))
    np.testing.assert_allclose(out, np.asarray(x) * gate[None, None, None], rtol=1e-6)


def test_spatial_gate_by_hand():
    """A kernel that looks at the middle only: the sum of the largest and the mean channel."""
    x = jnp.array([[[[1.0, 0.0], [0.5, -0.5]]]])  # [1, 1, 2, 2]
    kernel = jnp.zeros((7, 7, 2, 1)).at[3, 3].set(1.0)
    norm = {"scale": jnp.ones(1), "bias": jnp.zeros(1)}
    stats = {"norm": {"mean": jnp.zeros(1), "var": jnp.ones(1) - 1e-5}}
    variables = {"params": {"conv": {"kernel": kernel}, "norm": norm}, "batch_stats": stats}
    out = SpatialGate(False).apply(variables, x)
    gate = 1 / (1 + np.exp(-np.array([1.0 + 0.5, 0.5 + 0.0])))
    np.testing.assert_allclose(out, np.asarray(x) * gate[None, None, :, None], rtol=1e-6)


def test_the_spatial_gate_keeps_99_of_100_parts_of_its_statistics():
    x = jnp.asarray(np.random.default_rng(0).normal(size=(2, 3, 3, 16)), jnp.float32)
    net = CBAM(True)
    variables = jax.jit(net.init)(jax.random.key(0), x)
    _, new = net.apply(variables, x, mutable=["batch_stats"])
    var = new["batch_stats"]["spatial"]["norm"]["var"]
    assert 0.99 <= float(var[0]) < 0.99 + 0.01 * 50
    assert float(var[0]) != 1.0


def test_joint_class():
    quality, diagnosis = jnp.array([0, 2, 1, -1, 0]), jnp.array([1, 2, 0, 1, -1])
    np.testing.assert_array_equal(joint_class(quality, diagnosis, 3), [1, 8, 3, -1, -1])


def test_masked_softmax_is_the_published_quotient_and_does_not_overflow():
    rng = np.random.default_rng(0)
    z, joint, psi = rng.normal(size=(4, 12)) * 3, np.array([0, 3, 1, 3]), 3
    mask = np.where(np.arange(12)[None] // psi == joint[:, None], 1, 1e-8)
    want = np.exp(z) * mask / (np.exp(z) * mask).sum(-1, keepdims=True)
    np.testing.assert_allclose(
        masked_softmax(jnp.asarray(z), jnp.asarray(joint), psi), want, rtol=1e-5
    )
    far = masked_softmax(jnp.asarray(z * 1e4, jnp.float32), jnp.asarray(joint), psi)
    assert np.isfinite(far).all()
    np.testing.assert_allclose(far.sum(-1), 1.0, rtol=1e-6)
    none = masked_softmax(jnp.asarray(z), jnp.full(4, -1), psi)
    np.testing.assert_allclose(none, np.exp(z) / np.exp(z).sum(-1, keepdims=True), rtol=1e-5)


def test_one_output_per_joint_class_leaves_nothing_to_learn():
    """psi = 1: the label is one-hot but for the 1e-8 of the others."""
    labels = masked_softmax(jnp.zeros((2, 6)), jnp.array([4, 0]), 1)
    np.testing.assert_allclose(labels, np.eye(6)[[4, 0]], atol=1e-7)


@pytest.mark.parametrize("trunk", ["vgg16", "resnet18", "tiny"])
def test_any_trunk_that_has_maps(trunk):
    net = TaskNet(trunk, 3, 2, 12, width=0.125)
    image = jax.ShapeDtypeStruct((2, 64, 64, 3), np.float32)
    (logits, found), _ = jax.eval_shape(
        lambda x: net.init_with_output(jax.random.key(0), x, True), image
    )
    assert {k: v.shape for k, v in logits.items()} == {
        "diagnosis": (2, 3),
        "auxiliary": (2, 12),
        "quality": (2, 2),
    }
    assert found["map"].shape[:3] == (2, 2, 2)


def test_bfloat16_trunk_keeps_float32_heads():
    net = TaskNet("vgg_tiny", 3, 2, 12, width=0.125, dtype=jnp.bfloat16)
    image = jnp.ones((1, 32, 32, 3), jnp.bfloat16)
    (logits, _), variables = jax.jit(
        lambda: net.init_with_output(jax.random.key(0), image, False)
    )()
    assert {x.dtype for x in jax.tree.leaves(variables)} == {jnp.dtype("float32")}
    assert np.isfinite(logits["diagnosis"]).all()
    assert logits["auxiliary"].dtype == jnp.float32
