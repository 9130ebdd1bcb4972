"""Encoders by name: files, folders, hub ids, what is built in, and what is said on failure."""

import json
import sys
import types

import jax
import numpy as np
import pytest
import safetensors.numpy
from golden import keras_seeded, seeded
from ml_collections import ConfigDict

from fiqa_jax import convert
from fiqa_jax.models import mobilenet, vit
from fiqa_jax.pretrained import encoders, hub

IMAGES = np.random.default_rng(0).integers(0, 256, (2, 32, 48, 3), dtype=np.uint8)
DIM = 64


def state(position=5, prefix=""):
    """A timm ViT of one block, patch 16; position None for none."""
    shapes = {
        "cls_token": (1, 1, DIM),
        "patch_embed.proj.weight": (DIM, 3, 16, 16),
        "patch_embed.proj.bias": (DIM,),
        "blocks.0.attn.qkv.weight": (3 * DIM, DIM),
        "blocks.0.attn.qkv.bias": (3 * DIM,),
        "blocks.0.attn.proj.weight": (DIM, DIM),
        "blocks.0.attn.proj.bias": (DIM,),
        "blocks.0.mlp.fc1.weight": (2 * DIM, DIM),
        "blocks.0.mlp.fc1.bias": (2 * DIM,),
        "blocks.0.mlp.fc2.weight": (DIM, 2 * DIM),
        "blocks.0.mlp.fc2.bias": (DIM,),
    }
    for name in ("norm", "blocks.0.norm1", "blocks.0.norm2"):
        shapes |= {f"{name}.weight": (DIM,), f"{name}.bias": (DIM,)}
    if position:
        shapes["pos_embed"] = (1, position, DIM)
    return {prefix + k: v for k, v in seeded.state_dict(shapes).items()}


@pytest.fixture
def converted(tmp_path):
    np.savez(tmp_path / "vit.npz", **state())
    convert.convert("timm_vit", tmp_path / "vit.npz", tmp_path / "vit.safetensors")
    return tmp_path / "vit.safetensors"


def folder(path, config, tensors, **files):
    path.mkdir(parents=True)
    (path / "config.json").write_text(json.dumps(config))
    safetensors.numpy.save_file(tensors, path / "model.safetensors")
    for name, content in files.items():
        (path / f"{name}.json").write_text(json.dumps(content))
    return path


def test_a_converted_file(converted):
    encoder = encoders.load(str(converted))
    assert (encoder.patch, encoder.channels, encoder.grid(64)) == (16, DIM, 4)
    found = encoder.features(IMAGES)
    assert found.shape == (2, 2, 3, DIM)
    assert found.dtype == np.float32
    # The same numbers from the network itself, normalised here by hand.
    net = vit.ViT(dim=DIM, depth=1, heads=1, hidden=2 * DIM, grid=2)
    x = (IMAGES / 255.0 - np.array(encoders.IMAGENET[0])) / np.array(encoders.IMAGENET[1])
    want, _ = net.apply(encoder.variables, x.astype(np.float32))
    np.testing.assert_allclose(found, want, atol=1e-4)
    with pytest.raises(ValueError, match=r"multiple of 16 pixels, not 40; the nearest is 32"):
        encoder.grid(40)


def test_statistics_and_precision(converted):
    plain = encoders.load(str(converted))
    other = encoders.load(str(converted), statistics=((0.5,) * 3, (0.25,) * 3))
    assert other.digest != plain.digest
    assert np.abs(other.features(IMAGES) - plain.features(IMAGES)).max() > 1e-2
    low = encoders.load(str(converted), precision="bfloat16")
    assert low.features(IMAGES).dtype == np.float32
    np.testing.assert_allclose(low.features(IMAGES), plain.features(IMAGES), atol=0.2)


def test_the_digest_follows_the_weights(converted, tmp_path):
    changed = {k: v + (k == "norm.bias") for k, v in state().items()}
    np.savez(tmp_path / "changed.npz", **changed)
    convert.convert("timm_vit", tmp_path / "changed.npz", tmp_path / "changed.safetensors")
    one, other = (
        encoders.load(str(p)).digest for p in (converted, tmp_path / "changed.safetensors")
    )
    assert one != other
    assert one == encoders.load(str(converted)).digest


def test_a_folder_as_on_the_hub(tmp_path):
    """timm's folder says mean and deviation; an id gives the same through a download."""
    config = {
        "architecture": "vit_tiny_patch16_224",
        "pretrained_cfg": {"mean": [0.1, 0.2, 0.3], "std": [0.5, 0.5, 0.5]},
    }
    path = folder(tmp_path / "x", config, state())
    encoder = encoders.load(str(path))
    assert encoder.mean == (0.1, 0.2, 0.3)
    assert encoder.features(IMAGES).shape == (2, 2, 3, DIM)


def test_an_id_is_downloaded(tmp_path, monkeypatch):
    asked = {}

    def snapshot_download(name, revision, allow_patterns, local_files_only):
        asked.update(name=name, revision=revision, patterns=allow_patterns)
        asked["offline"] = local_files_only
        return str(path)

    heads = {k: v for k, v in state(position=None).items() if "qkv.bias" not in k}
    path = folder(
        tmp_path / "snapshot",
        {"model_type": "dinov3_vit"},
        heads,
        preprocessor_config={"image_mean": [0.4] * 3, "image_std": [0.3] * 3},
    )
    module = types.SimpleNamespace(snapshot_download=snapshot_download)
    monkeypatch.setitem(sys.modules, "huggingface_hub", module)
    encoder = encoders.load("facebook/dinov3-vitl16-pretrain-lvd1689m")
    assert asked["name"] == "facebook/dinov3-vitl16-pretrain-lvd1689m"
    assert asked["revision"] == "ea8dc2863c51be0a264bab82070e3e8836b02d51"
    assert "config.json" in asked["patterns"]
    assert not asked["offline"]
    assert encoder.mean == (0.4, 0.4, 0.4)
    assert encoder.features(IMAGES).shape == (2, 2, 3, DIM)
    encoders.load("someone/other", revision="v1")
    assert asked["revision"] == "v1"


def test_retfound_by_its_id(tmp_path, monkeypatch):
    """A PyTorch file with the state dict inside, listed in hub.PLACES."""
    torch = pytest.importorskip("torch", reason="torch is not installed: the `reference` extra")
    inside = {k: torch.from_numpy(v) for k, v in state().items()}
    inside["decoder_pred.weight"] = torch.ones(2, 2)
    torch.save({"model": inside, "epoch": 3}, tmp_path / "RETFound_mae_natureCFP.pth")
    asked = {}

    def snapshot_download(name, **kw):
        asked.update(kw)
        return str(tmp_path)

    module = types.SimpleNamespace(snapshot_download=snapshot_download)
    monkeypatch.setitem(sys.modules, "huggingface_hub", module)
    encoder = encoders.load("YukunZhou/RETFound_mae_natureCFP")
    assert "RETFound_mae_natureCFP.pth" in asked["allow_patterns"]
    assert encoder.features(IMAGES).shape == (2, 2, 3, DIM)


def test_downloads_that_fail(monkeypatch):
    def snapshot_download(name, **kw):
        raise OSError("403 Client Error.\nAccess to model x is restricted")

    module = types.SimpleNamespace(snapshot_download=snapshot_download)
    monkeypatch.setitem(sys.modules, "huggingface_hub", module)
    with pytest.raises(ValueError, match=r"403 Client Error\.\)\. Some encoders ask to accept"):
        encoders.load("facebook/dinov2-large")
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ValueError, match=r"pip install 'fiqa-jax\[hub\]', or download it by"):
        encoders.load("facebook/dinov2-large")


def test_the_shipped_network_with_initial_weights():
    random, shipped = encoders.load("random:unet"), encoders.load("shipped")
    shapes = [jax.tree.map(np.shape, e.variables) for e in (random, shipped)]
    assert shapes[0] == shapes[1]
    assert random.channels == shipped.channels
    assert random.digest != shipped.digest


def test_names_that_are_nothing(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"Give --config\.x a \.safetensors file from"):
        encoders.load("nowhere", flag="--config.x")
    with pytest.raises(ValueError, match=r"'vit_x' is none of vit_ti, "):
        encoders.load("random:vit_x")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"no config\.json that says what network"):
        encoders.load(str(tmp_path / "empty"))
    other = folder(tmp_path / "other", {"model_type": "bert"}, state())
    with pytest.raises(ValueError, match="says 'bert'; understood are dinov3_vit, dinov2"):
        encoders.load(str(other))
    foreign = other / "model.safetensors"
    with pytest.raises(ValueError, match=r"not written by `python -m fiqa_jax\.convert`"):
        encoders.load(str(foreign))


def test_partial_weights_are_named(tmp_path):
    lacking = {k: v for k, v in state().items() if k != "blocks.0.mlp.fc2.bias"}
    path = folder(tmp_path / "x", {"architecture": "vit_tiny_patch16_224"}, lacking)
    with pytest.raises(
        ValueError, match=r"as timm_vit: .*1 missing, first: params/block0/fc2/bias"
    ):
        encoders.load(str(path))
    parts = {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-2.safetensors"}}
    path = folder(
        tmp_path / "y",
        {"model_type": "dinov2"},
        lacking,
        **{"model.safetensors.index": parts},
    )
    with pytest.raises(ValueError, match=r"lacks model-00001-of-00002\.safetensors"):
        hub.read(path)


def test_pixels_by_hand():
    encoder = encoders.load("pixels")
    found = encoder.features(IMAGES)
    assert found.shape == (2, 2, 3, encoder.channels)
    cell = IMAGES[1, 16:32, 32:48] / 255.0
    np.testing.assert_allclose(found[1, 1, 2, :3], cell.mean((0, 1)), atol=1e-6)
    np.testing.assert_allclose(found[1, 1, 2, -3:], cell.std((0, 1)), atol=1e-6)
    steps = np.abs(np.diff(IMAGES[0, :16, :17] / 255.0, axis=1)).mean((0, 1))
    np.testing.assert_allclose(found[0, 0, 0, 3:6], steps, atol=1e-6)


def test_random_networks():
    found = encoders.load("random:tiny")
    cells = found.features(IMAGES)
    assert cells.shape == (2, 2, 3, found.channels)
    assert np.ptp(cells, (0, 1, 2)).max() > 0
    again = encoders.load("random:tiny")
    assert again.digest == found.digest
    jax.tree.map(np.testing.assert_array_equal, again.variables, found.variables)
    encoder = encoders.load("random:vit_ti")
    assert (encoder.patch, encoder.channels) == (16, 192)
    assert encoder.digest != found.digest


def test_mobilenet_gives_its_map_at_stride_16(tmp_path):
    channels = [8, *(c // 4 for _, c in mobilenet.BLOCKS)]
    state = keras_seeded.state(keras_seeded.mobilenet_shapes(channels))
    state.pop("conv_pw_13/kernel")
    np.savez(tmp_path / "m.npz", **state)
    convert.convert("mobilenet", tmp_path / "m.npz", tmp_path / "m.safetensors")
    encoder = encoders.load(str(tmp_path / "m.safetensors"))
    golden = np.load(keras_seeded.GOLDEN)
    x = (seeded.images(2, *keras_seeded.SIDES) + 1) / 2  # undone by mean and deviation 0.5
    found = jax.jit(encoder.apply)(encoder.variables, x)
    np.testing.assert_allclose(found, golden["stride16"], atol=1e-3)


def test_the_shipped_one_is_the_segmentor_on_its_way_down():
    from fiqa_jax.inference import model_dir
    from fiqa_jax.methods import vessels

    encoder = encoders.load("shipped")
    assert (encoder.patch, encoder.channels) == (16, 8 + 16 + 32 + 64)
    found = encoder.features(IMAGES)
    model = model_dir.load(encoders.SHIPPED)
    net = vessels.network(ConfigDict(model.config["settings"]["method"]), np.float32)
    x = (IMAGES / 255.0 - np.array(encoder.mean)) / np.array(encoder.std)
    _, levels = net.apply(model.variables, x.astype(np.float32), False)
    fine, coarse = np.asarray(levels["level1"]), np.asarray(levels["level4"])
    cell = fine[1, 16:32, 32:48].mean((0, 1))
    np.testing.assert_allclose(found[1, 1, 2, :8], cell, rtol=1e-4, atol=1e-5)
    cell = coarse[0, :2, 2:4].mean((0, 1))
    np.testing.assert_allclose(found[0, 0, 1, -64:], cell, rtol=1e-4, atol=1e-5)


def test_an_encoder_in_one_file_is_the_same(tmp_path):
    encoder = encoders.load("shipped")
    encoders.save(encoder, tmp_path / "one.safetensors")
    again = encoders.load(str(tmp_path / "one.safetensors"))
    assert again.digest == encoder.digest
    np.testing.assert_array_equal(again.features(IMAGES), encoder.features(IMAGES))


def test_a_segmentor_that_does_not_see_the_photograph_is_none(tmp_path):
    for file in encoders.SHIPPED.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    config = json.loads((tmp_path / "config.json").read_text())
    config["settings"]["method"]["flatten"] = 6.0
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match="a U-Net that sees the photograph"):
        encoders.load(str(tmp_path))
