"""VUAD's U-Net and RRWNet against PyTorch, re-written there under the published names."""

import json
from pathlib import Path

import jax
import numpy as np
import pytest
from golden import seeded

from fiqa_jax.convert import convert
from fiqa_jax.models.rrwnet import RRWNet
from fiqa_jax.models.unet import UNet
from fiqa_jax.pretrained import tensors as pretrained
from fiqa_jax.pretrained.formats import FORMATS
from fiqa_jax.pretrained.formats.rules import FormatError

GOLDEN = np.load(Path(__file__).parents[1] / "golden" / "unet.npz")
SIDES = (48, 32)  # as in make_unet.py


def network(metadata, iterations=2):
    size = (metadata["base"], metadata["levels"])
    if metadata["model"] == "rrwnet":
        return RRWNet(*size, iterations)
    return UNet(metadata["out"], *size)


def template(net, channels, side=16):
    image = jax.ShapeDtypeStruct((1, side, side, channels), np.float32)
    return jax.eval_shape(lambda x: net.init(jax.random.key(0), x, False), image)


def count(tree):
    return sum(int(np.prod(x.shape)) for x in jax.tree.leaves(tree))


def close(got, want):
    """To 1e-4 of the largest value."""
    np.testing.assert_allclose(got, want, atol=1e-4 * np.abs(want).max())


def test_published_parameter_counts():
    assert count(template(UNet(3), 3)) == 31_031_875
    assert count(template(RRWNet(), 3)) == 62_063_685
    assert count(template(RRWNet(), 6)) == 62_065_413


def test_vuad_equals_pytorch():
    state = seeded.state_dict(json.loads(str(GOLDEN["vuad_shapes"])))
    tensors, metadata = FORMATS["vuad"].convert(state)
    assert metadata == {"model": "unet", "base": 4, "levels": 5, "channels": 3, "out": 3}
    net = network(metadata)
    variables = pretrained.fit(template(net, 3), tensors, "vuad")
    got, _ = jax.jit(lambda x: net.apply(variables, x, False))(seeded.images(2, *SIDES))
    close(got, GOLDEN["vuad"])


def test_rrwnet_equals_pytorch_in_every_pass():
    state = seeded.state_dict(json.loads(str(GOLDEN["rrwnet_shapes"])))
    tensors, metadata = FORMATS["rrwnet"].convert(state)
    assert (metadata["channels"], metadata["prepared"]) == (6, "rrwnet")
    net = network(metadata)
    variables = pretrained.fit(template(net, 6), tensors, "rrwnet")
    x = seeded.images(2, *SIDES)
    x = np.concatenate([x, x[:, :, ::-1]], -1)
    last, extra = jax.jit(lambda x: net.apply(variables, x, False))(x)
    assert len(extra["predictions"]) == len(GOLDEN["rrwnet"]) == 4
    for got, want in zip(extra["predictions"], GOLDEN["rrwnet"], strict=True):
        close(got, want)
    np.testing.assert_array_equal(last, extra["predictions"][-1])


@pytest.mark.parametrize("name", ["vuad", "rrwnet"])
def test_a_saved_file_with_both_names_of_each_tensor(tmp_path, name, capsys):
    torch = pytest.importorskip("torch", reason="torch is not installed: the `reference` extra")
    from golden import unet_reference

    torch.manual_seed(0)
    torch.set_num_threads(1)
    theirs = {
        "vuad": unet_reference.UNet(3, 3, 4),
        "rrwnet": unet_reference.RRWNet(3, 4, 2),
    }[name].eval()
    assert len(theirs.state_dict()) == 2 * len(dict(theirs.named_parameters())) - 2 * (
        1 if name == "vuad" else 2
    )
    torch.save(theirs.state_dict(), tmp_path / "net.pth")
    done = convert(
        {"vuad": "vuad", "rrwnet": "r2v2"}[name], tmp_path / "net.pth", tmp_path / "net.safetensors"
    )
    assert done["parameters"] == sum(p.numel() for p in theirs.parameters())
    net = network(done["metadata"])
    variables = pretrained.load(template(net, 3), tmp_path / "net.safetensors")
    x = seeded.images(1, 32, 32)
    got, _ = jax.jit(lambda x: net.apply(variables, x, False))(x)
    with torch.no_grad():
        want = theirs(torch.from_numpy(x.transpose(0, 3, 1, 2)))
    want = (want[-1] if isinstance(want, list) else want).permute(0, 2, 3, 1).numpy()
    close(got, want)


def test_names():
    state = seeded.state_dict(json.loads(str(GOLDEN["vuad_shapes"])))
    convert_ = FORMATS["vuad"].convert
    want, _ = convert_(state)
    renamed = {
        k.replace("upconv1.conv.", "upconv1.conv_block.0.").replace(
            "conv3.conv2.", "conv3.conv_block.2."
        ): v
        for k, v in state.items()
    }
    assert set(renamed) != set(state)
    got, _ = convert_(renamed)
    for path in want:
        np.testing.assert_array_equal(got[path], want[path])
    two = {**state, "conv3.conv_block.0.weight": state["conv3.conv1.weight"] + 1}
    with pytest.raises(FormatError, match=r"conv3\.conv_block\.0\.weight and conv3\.conv1\.weight"):
        convert_(two)
    lacking = {k: v for k, v in state.items() if k != "conv7.conv1.bias"}
    with pytest.raises(FormatError, match="1 missing, first: params/merge3/conv1/conv/bias"):
        convert_(lacking)
    with pytest.raises(FormatError, match=r"no first_u\.conv1\.conv1\.weight among"):
        FORMATS["rrwnet"].convert(state)
