"""U-Net and W-Net: published sizes, up-convolution against PyTorch's, released weights at work."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from fiqa_jax.models.unet import UNet, Up
from fiqa_jax.models.wnet import WNet
from fiqa_jax.pretrained import tensors as pretrained
from fiqa_jax.pretrained import torch_file
from fiqa_jax.pretrained.formats import FORMATS, lwnet


def shapes(net, side=64, channels=3):
    x = jax.ShapeDtypeStruct((1, side, side, channels), jnp.float32)
    return jax.eval_shape(lambda x: net.init(jax.random.key(0), x, False), x)


def count(tree):
    return sum(int(np.prod(x.shape)) for x in jax.tree.leaves(tree))


def test_published_parameter_counts():
    """VUAD's network of base 64 (EFIQA, 3 channels in and out) and the two W-Net's of lwnet."""
    assert count(shapes(UNet(3))["params"]) == 31_031_875
    assert count(shapes(WNet(1, (8, 16, 32)))["params"]) == 68_482


def test_up_is_a_transposed_convolution():
    torch = pytest.importorskip("torch", reason="torch is not installed (extra: reference)")
    theirs = torch.nn.ConvTranspose2d(5, 3, 2, stride=2)
    x = np.random.default_rng(0).normal(size=(2, 4, 6, 5)).astype(np.float32)
    weight, bias = (p.detach().numpy() for p in theirs.parameters())
    params = {"kernel": lwnet.up_kernel(weight), "bias": bias}
    got = Up(3).apply({"params": params}, x)
    want = theirs(torch.tensor(x.transpose(0, 3, 1, 2))).detach().numpy().transpose(0, 2, 3, 1)
    np.testing.assert_allclose(got, want, atol=1e-5)


def test_up_places_by_hand():
    """One pixel of one channel: the four kernel entries land in reading order."""
    params = {"kernel": jnp.array([[1.0, 2.0, 3.0, 4.0]]), "bias": jnp.array([0.5])}
    got = Up(1).apply({"params": params}, jnp.full((1, 1, 1, 1), 10.0))
    np.testing.assert_allclose(got[0, ..., 0], [[10.5, 20.5], [30.5, 40.5]])


def test_sides_must_divide():
    with pytest.raises(ValueError, match=r"\(36, 36\) are no multiples of 8"):
        shapes(UNet(1, base=2, levels=4), side=36)


def test_norm_uses_running_statistics_in_use():
    """In use, a photograph's result does not depend on the others in the batch."""
    net = UNet(1, base=2, levels=2, norm=True)
    x = jax.random.normal(jax.random.key(0), (3, 8, 8, 3))
    variables = net.init(jax.random.key(1), x, False)
    whole, _ = net.apply(variables, x, False)
    one, _ = net.apply(variables, x[:1], False)
    np.testing.assert_allclose(whole[:1], one, atol=1e-6)


def test_lwnet_format_refuses_others():
    from fiqa_jax.pretrained.formats.rules import FormatError

    with pytest.raises(FormatError, match=r"no unet1\.first\.block\.0\.weight"):
        FORMATS["lwnet"].convert({"a": np.zeros(3)})


def test_released_wnet_finds_vessels(shared_data):
    """The converted weights segment CHASE_DB1 as their source measured: pooled AUROC near 0.972."""
    from PIL import Image
    from sklearn.metrics import roc_auc_score

    tensors = torch_file.read(shared_data / "weights" / "lwnet_wnet_drive.npz")
    ours, _ = lwnet.convert(tensors)
    net = WNet(1, (8, 16, 32))
    variables = pretrained.fit(shapes(net), ours, "lwnet")
    chase = shared_data / "chase_db1"
    images, truths, fields = [], [], []
    for name in ("Image_01L", "Image_05R", "Image_10L", "Image_14R"):
        image = np.asarray(Image.open(chase / "images" / f"{name}.jpg"))
        fov = np.asarray(Image.open(chase / "fov" / f"{name}.png").convert("L")) > 127
        pad = ((0, -image.shape[0] % 32), (0, -image.shape[1] % 32))
        images.append(np.pad(image * fov[..., None], (*pad, (0, 0))) / np.float32(255))
        truth = Image.open(chase / "vessels" / f"{name}_1stHO.png").convert("L")
        truths.append(np.pad(np.asarray(truth) > 127, pad))
        fields.append(np.pad(fov, pad))
    logits, _ = jax.jit(lambda x: net.apply(variables, x, False))(np.stack(images))
    inside = np.stack(fields)
    auc = roc_auc_score(np.stack(truths)[inside], np.asarray(logits)[..., 0][inside])
    assert 0.955 < auc < 0.985
