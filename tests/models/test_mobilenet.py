"""MobileNetV1: Keras's numbers, its parameter count, and the public copy that lacks the end."""

from pathlib import Path

import jax
import numpy as np
import pytest
from golden import keras_seeded, seeded

from fiqa_jax.models.mobilenet import BLOCKS, MobileNet
from fiqa_jax.pretrained import tensors as pretrained
from fiqa_jax.pretrained import torch_file
from fiqa_jax.pretrained.formats import FORMATS
from fiqa_jax.pretrained.formats.rules import FormatError

GOLDEN = np.load(Path(__file__).parents[1] / "golden" / "mobilenet.npz")
CHANNELS = [8, *(c // 4 for _, c in BLOCKS)]


def shapes(net):
    image = jax.ShapeDtypeStruct((1, 32, 32, 3), np.float32)
    return jax.eval_shape(lambda x: net.init(jax.random.key(0), x, False), image)


def test_equals_keras():
    state = keras_seeded.state(keras_seeded.mobilenet_shapes(CHANNELS))
    assert set(state) == set(GOLDEN["names"].tolist())
    tensors, metadata = FORMATS["mobilenet"].convert(state)
    assert metadata["settings"] == {"width": 0.25, "blocks": 13}
    net = MobileNet(**metadata["settings"])
    variables = pretrained.fit(shapes(net), tensors, "mobilenet")
    x = seeded.images(2, *keras_seeded.SIDES)
    last, maps = jax.jit(lambda v, x: net.apply(v, x, False))(variables, x)
    np.testing.assert_array_equal(last, maps["stride32"])
    for name in ("stride16", "stride32"):
        assert np.abs(GOLDEN[name]).max() > 1
        np.testing.assert_allclose(maps[name], GOLDEN[name], atol=1e-4)


def test_published_size():
    """Keras: 3,228,864 without the classifier, 21,888 of them running statistics."""
    tree = shapes(MobileNet())
    count = {k: sum(x.size for x in jax.tree.leaves(v)) for k, v in tree.items()}
    assert count == {"params": 3_228_864 - 21_888, "batch_stats": 21_888}


def test_files_without_their_end_or_middle():
    state = keras_seeded.state(keras_seeded.mobilenet_shapes(CHANNELS))
    whole, _ = FORMATS["mobilenet"].convert(state)
    state.pop("conv_pw_13/kernel")
    tensors, metadata = FORMATS["mobilenet"].convert(state)
    assert metadata["settings"]["blocks"] == 12
    assert set(tensors) == {n for n in whole if "13" not in n}
    state["conv_dw_4/kernel"] = state.pop("conv_dw_4/depthwise_kernel")  # as Keras 3 names it
    again, _ = FORMATS["mobilenet"].convert(state)
    assert set(again) == set(tensors)
    state.pop("conv_dw_3_bn/beta")
    with pytest.raises(FormatError, match="1 missing, first: params/depthwise3_norm/bias"):
        FORMATS["mobilenet"].convert(state)
    with pytest.raises(FormatError, match="no conv1/kernel among 1 tensors"):
        FORMATS["mobilenet"].convert({"a": np.ones(2)})


def test_the_public_copy(shared_data):
    """Genuine weights see a photograph as their statistics expect: near zero mean, unit variance.

    The running statistics of every batch normalisation are compared with those of photographs,
    though of eyes and not of ImageNet: the order of magnitude shows that no tensor is misplaced.
    """
    from PIL import Image

    path = shared_data / "weights" / "mobilenet_v1_1.0_224_imagenet_partial.npz"
    tensors, metadata = FORMATS["mobilenet"].convert(torch_file.read(path))
    assert metadata["settings"] == {"width": 1.0, "blocks": 12}
    net = MobileNet(**metadata["settings"])
    variables = pretrained.fit(shapes(net), tensors, "mobilenet")
    files = sorted((shared_data / "hrf" / "images").iterdir())[:4]
    photos = [Image.open(f).convert("RGB").resize((224, 224)) for f in files]
    x = np.stack([np.asarray(p) for p in photos]).astype(np.float32) / 127.5 - 1
    _, new = jax.jit(lambda v, x: net.apply(v, x, True, mutable=["batch_stats"]))(variables, x)
    for i in range(1, 13):
        name = f"pointwise{i}_norm"
        old = variables["batch_stats"][name]
        batch = jax.tree.map(lambda n, o: (n - 0.9 * o) / 0.1, new["batch_stats"][name], old)
        ratio = np.median(np.sqrt(np.maximum(batch["var"], 0) / old["var"]))
        assert 0.2 < ratio < 2, (name, ratio)
