"""The Vision Transformer: published sizes, positions, patches, and parity under every name."""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from golden import seeded

from fiqa_jax.models import vit
from fiqa_jax.models.layers import position
from fiqa_jax.pretrained import tensors as pretrained
from fiqa_jax.pretrained.formats import FORMATS
from fiqa_jax.pretrained.formats.rules import FormatError

GOLDEN = np.load(Path(__file__).parents[1] / "golden" / "vit.npz")
CASES = {  # name -> (format, image of make_vit.py)
    "hf_dinov3": ("dinov3", (64, 48)),
    "timm_dinov3": ("dinov3", (64, 48)),
    "timm_dinov3_bias": ("dinov3", (64, 48)),
    "hf_dinov2": ("dinov2", (56, 98)),
    "hf_dinov2_registers": ("dinov2", (56, 98)),
    "timm_dinov2": ("dinov2", (56, 56)),
    "timm_vit": ("timm_vit", (64, 64)),
}
DINOV3_L = {
    **vit.SIZES["vit_l"],
    "registers": 4,
    "layer_scale": True,
    "position": "rope",
    "key_bias": False,
    "epsilon": 1e-5,
}


def state_of(name):
    return seeded.state_dict(json.loads(str(GOLDEN[f"{name}_shapes"])))


def tokens(state, form, x):
    """Class token, registers and patches `[B, N, C]` of a converted state dict."""
    tensors, metadata = FORMATS[form].convert(state)
    net = vit.ViT(**metadata["settings"])
    example = jax.ShapeDtypeStruct((1, 28 if net.patch == 14 else 32, net.patch, 3), np.float32)
    shapes = jax.eval_shape(lambda x: net.init(jax.random.key(0), x), example)
    variables = pretrained.fit(shapes, tensors, form)
    patches, extra = jax.jit(lambda v, x: net.apply(v, x))(variables, x)
    flat = patches.reshape(len(x), -1, patches.shape[-1])
    return np.concatenate([extra["cls"][:, None], extra["registers"], flat], 1)


def close(got, want):
    np.testing.assert_allclose(got, want, atol=1e-4 * np.abs(want).max())


@pytest.mark.parametrize("name", list(CASES))
def test_equals_the_reference(name):
    form, sides = CASES[name]
    close(tokens(state_of(name), form, seeded.images(2, *sides)), GOLDEN[name])


def test_live_references():
    torch = pytest.importorskip("torch", reason="torch is not installed: the `reference` extra")
    from golden import vit_reference
    from golden.torchvision_reference import torchvision_models

    try:
        torchvision_models()
        networks = vit_reference.networks()
    except ImportError as error:
        pytest.skip(f"{error}: pip install torchvision transformers timm")
    torch.manual_seed(0)
    torch.set_num_threads(1)
    for name in ("hf_dinov3", "hf_dinov2_registers", "timm_vit"):
        net, sides = networks[name]
        x = seeded.images(1, *sides)
        with torch.no_grad():
            want = vit_reference.tokens(net.eval(), torch.from_numpy(x.transpose(0, 3, 1, 2)))
        state = {k: v.numpy() for k, v in net.state_dict().items()}
        close(tokens(state, CASES[name][0], x), want.numpy())


def same(form, one, other):
    want, metadata = FORMATS[form].convert(one)
    got, again = FORMATS[form].convert(other)
    assert again == metadata
    assert set(got) == set(want)
    for path in want:
        np.testing.assert_array_equal(got[path], want[path], err_msg=path)


def test_names_of_transformers_4():
    """transformers 5 holds other names in memory than it writes; older files have these."""
    new = state_of("hf_dinov2")
    old = {
        k.replace("attention.q_proj", "attention.attention.query")
        .replace("attention.k_proj", "attention.attention.key")
        .replace("attention.v_proj", "attention.attention.value")
        .replace("attention.o_proj", "attention.output.dense"): v
        for k, v in new.items()
    }
    assert "encoder.layer.1.attention.output.dense.bias" in old
    same("dinov2", new, old)
    three = state_of("hf_dinov3")
    assert "model.layer.0.norm1.weight" in three
    same("dinov3", three, {k.replace("model.layer.", "layer."): v for k, v in three.items()})


def test_names_of_meta():
    """Meta's own file: a whole bias of which the key's third is masked, and a table of periods."""
    ours = state_of("timm_dinov3_bias")
    meta = {"rope_embed.periods": np.ones(16, np.float32), "mask_token": np.ones((1, 128))}
    for name, value in ours.items():
        block = name.rsplit(".", 1)[0]
        if name.endswith(("q_bias", "v_bias")):
            parts = [ours[f"{block}.q_bias"], np.full(128, 9.0), ours[f"{block}.v_bias"]]
            meta[f"{block}.qkv.bias"] = np.concatenate(parts).astype(np.float32)
            meta[f"{block}.qkv.bias_mask"] = np.ones(384, np.float32)
            continue
        name = name.replace("gamma_1", "ls1.gamma").replace("gamma_2", "ls2.gamma")
        meta[name.replace("reg_token", "storage_tokens")] = value
    same("dinov3", ours, meta)


def test_retfound_leaves_the_decoder_out():
    state = state_of("timm_vit")
    more = {"mask_token": np.ones((1, 1, 8)), "decoder_embed.weight": np.ones((8, 128))}
    same("retfound_mae", state, {**state, **more})


def test_published_sizes():
    """DINOv3-L's file has 303,129,600, its unused mask token of 1,024 included; others by timm."""
    assert vit.count(DINOV3_L) + 1024 == 303_129_600
    assert vit.count(vit.SIZES["vit_l"]) == 303_301_632
    # timm's vit_tiny / small / base_patch16_224 with num_classes=0.
    for name, want in (("vit_ti", 5_524_416), ("vit_s", 21_665_664), ("vit_b", 85_798_656)):
        assert vit.count(vit.SIZES[name]) == want
    assert vit.count({**vit.SIZES["vit_l"], "position": "sines"}) == 303_301_632 - 197 * 1024


@pytest.mark.parametrize(
    ("change", "form", "message"),
    [
        (
            lambda s: s.pop("blocks.1.mlp.fc2.bias"),
            "timm_vit",
            "1 missing, first: params/block1/fc2",
        ),
        (lambda s: s.update({"blocks.0.extra": np.ones(2)}), "timm_vit", "first: blocks.0.extra"),
        (
            lambda s: s.update({"blocks.0.mlp.fc1.bias": np.ones(5)}),
            "timm_vit",
            r"first: params/block0/fc1/bias is \(5,\), the model's \(384,\)",
        ),
        (lambda s: s.update({"blocks.0.mlp.w12.bias": np.ones(5)}), "timm_vit", "gated MLP"),
        (lambda s: s.pop("patch_embed.proj.weight"), "timm_vit", r"no patch_embed\.proj\.weight"),
        (lambda s: None, "dinov3", "has a table of positions.*--format dinov2"),
        (lambda s: s.pop("pos_embed"), "timm_vit", "has no table of positions.*--format dinov3"),
        (
            lambda s: s.update({"pos_embed": np.ones((1, 7, 128))}),
            "timm_vit",
            "7 positions is no square grid",
        ),
    ],
)
def test_files_that_do_not_fit(change, form, message):
    state = state_of("timm_vit")
    change(state)
    with pytest.raises(FormatError, match=message):
        FORMATS[form].convert(state)


@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize("wanted", [(3, 9), (7, 7), (14, 5)])
def test_tables_resize_as_pytorch_does(antialias, wanted):
    torch = pytest.importorskip("torch", reason="torch is not installed: the `reference` extra")
    table = np.random.default_rng(0).normal(size=(49, 3))
    got = position.resized(table, 7, wanted, antialias).reshape(*wanted, 3)
    theirs = torch.from_numpy(table.reshape(1, 7, 7, 3)).permute(0, 3, 1, 2)
    how = {"mode": "bicubic", "align_corners": False, "antialias": antialias}
    want = torch.nn.functional.interpolate(theirs, wanted, **how)[0].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(got, want, atol=1e-12)


def test_cubic_weights_by_hand():
    """Doubling: samples lie a quarter from the old ones; Keys's cubic at 1/4, 3/4, 5/4, 7/4."""
    a = -0.75
    t = np.array([1.25, 0.25, 0.75, 1.75])
    near = (a + 2) * t**3 - (a + 3) * t**2 + 1
    far = a * t**3 - 5 * a * t**2 + 8 * a * t - 4 * a
    want = np.where(t <= 1, near, far)
    np.testing.assert_allclose(position.cubic_weights(6, 12, False)[5, 1:5], want, atol=1e-12)


def test_sines_by_hand():
    table = position.sines((2, 3), 8).reshape(2, 3, 8)
    rate = np.array([1.0, 0.01])
    want = [np.sin(2 * rate), np.cos(2 * rate), np.sin(1 * rate), np.cos(1 * rate)]
    np.testing.assert_allclose(table[1, 2], np.concatenate(want), atol=1e-12)
    with pytest.raises(ValueError, match="divide by 4"):
        position.sines((2, 2), 6)


def test_rotary_attention_sees_differences_only():
    """Turning query and key alike leaves their product a function of the distance."""
    angles = jnp.asarray(position.rope_angles((1, 4), 8), jnp.float32)
    x = jnp.ones((1, 4, 1, 8))
    y = np.asarray(vit.rotated(x, angles[None]))[0, :, 0]
    products = y @ y.T
    np.testing.assert_allclose(products[0, 1], products[2, 3], rtol=1e-5)
    np.testing.assert_allclose(products[0, 2], products[1, 3], rtol=1e-5)
    assert abs(products[0, 1] - products[0, 2]) > 1e-3


def test_patches():
    x = np.arange(2 * 4 * 6 * 3).reshape(2, 4, 6, 3)
    patches = vit.patchify(jnp.asarray(x), 2)
    assert patches.shape == (2, 2, 3, 12)
    np.testing.assert_array_equal(patches[1, 1, 2], x[1, 2:4, 4:6].reshape(-1))


@pytest.mark.parametrize("kind", ["sines", "rope", "learnt"])
def test_kept_patches_are_a_smaller_picture(kind):
    """All patches in another order give the same tokens in that order."""
    net = vit.ViT(dim=16, depth=2, heads=2, patch=4, position=kind, grid=3)
    x = jax.random.normal(jax.random.key(0), (2, 12, 12, 3))
    variables = net.init(jax.random.key(1), x)
    whole, _ = net.apply(variables, x)
    keep = jnp.array([[4, 0, 8, 1, 2, 3, 5, 6, 7], [8, 7, 6, 5, 4, 3, 2, 1, 0]], jnp.int32)
    some, _ = net.apply(variables, x, keep=keep)
    want = jnp.take_along_axis(whole.reshape(2, 9, 16), keep[:, :, None], 1)
    np.testing.assert_allclose(some, want, atol=1e-5)


def test_sides_and_positions_are_checked():
    net = vit.ViT(dim=8, depth=1, heads=1, patch=4)
    with pytest.raises(ValueError, match=r"\(10, 8\) are no multiples of the patch, 4"):
        net.init(jax.random.key(0), jnp.zeros((1, 10, 8, 3)))
    with pytest.raises(ValueError, match="'none' is none of"):
        vit.ViT(8, 1, 1, 4, position="none").init(jax.random.key(0), jnp.zeros((1, 8, 8, 3)))
