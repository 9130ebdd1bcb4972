"""EFIQA-CP's network: published sizes, PyTorch's numbers under both namings, dropped branches."""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from golden import seeded

from fiqa_jax.convert import convert
from fiqa_jax.models import efiqa_cp
from fiqa_jax.models.efiqa_cp import EfiqaCP
from fiqa_jax.pretrained import tensors as pretrained
from fiqa_jax.pretrained.formats import FORMATS
from fiqa_jax.pretrained.formats.efiqa_cp import released
from fiqa_jax.pretrained.formats.rules import FormatError

GOLDEN = np.load(Path(__file__).parents[1] / "golden" / "efiqa_cp.npz")
CHANNELS, GRID = 12, (16, 24)  # as in make_efiqa_cp.py


def features():
    x = seeded.images(2, *GRID)
    return np.concatenate([x, x[:, ::-1], x[:, :, ::-1], x[::-1]], -1)


def template(net, *shape):
    return jax.eval_shape(net.init, jax.random.key(0), jax.ShapeDtypeStruct(shape, np.float32))


def count(tree):
    return sum(int(np.prod(x.shape)) for x in jax.tree.leaves(tree))


def state_of(ratio):
    return seeded.state_dict(json.loads(str(GOLDEN[f"ratio{ratio}_shapes"])))


def logits(state, x):
    tensors, metadata = FORMATS["efiqa_cp"].convert(state)
    net = EfiqaCP(metadata["width"], metadata["ratio"])
    shapes = template(net, 1, 4, 4, metadata["channels"])
    variables = pretrained.fit(shapes, tensors, "efiqa_cp")
    return jax.jit(lambda x: net.apply(variables, x)[0])(x)


def close(got, want):
    np.testing.assert_allclose(got, want, atol=1e-4 * np.abs(want).max())


def test_published_parameter_counts_and_shapes():
    for ratio, parameters in ((1, 5_390_849), (4, 13_262_849)):
        net = EfiqaCP(512, ratio)
        assert count(template(net, 1, 64, 64, 1024)) == parameters
    x = jax.ShapeDtypeStruct((2, 64, 64, 1024), np.float32)
    out, maps = jax.eval_shape(lambda v, x: net.apply(v, x), template(net, *x.shape), x)
    assert out.shape == (2, 16, 16)
    assert [maps[f"stage{k}"].shape[1:3] for k in (1, 2, 3)] == [(64, 64), (32, 32), (16, 16)]


def test_from_pixels():
    net = EfiqaCP(128, 1, stem=64)
    x = jax.ShapeDtypeStruct((1, 256, 256, 3), np.float32)
    variables = template(net, *x.shape)
    out, maps = jax.eval_shape(lambda v, x: net.apply(v, x), variables, x)
    assert out.shape == (1, 16, 16)
    assert maps["stage1"].shape == (1, 64, 64, 128)
    assert variables["params"]["pixels"]["conv2"]["kernel"].shape == (3, 3, 32, 64)
    with pytest.raises(ValueError, match="one cell of 16 x 16 pixels: 250 x 250"):
        template(net, 1, 250, 250, 3)
    with pytest.raises(ValueError, match="one cell of 4 x 4 cells of features: 14 x 14"):
        template(EfiqaCP(8), 1, 14, 14, 3)


def test_one_stage_keeps_the_grid():
    """As many halvings as there are steps from stage to stage."""
    for blocks, cells in (((3,), 14), ((2, 1), 7)):
        net = EfiqaCP(8, blocks=blocks)
        x = jax.ShapeDtypeStruct((2, 14, 14, 5), np.float32)
        variables = template(net, *x.shape)
        out, maps = jax.eval_shape(lambda v, x, n=net: n.apply(v, x), variables, x)
        assert out.shape == (2, cells, cells)
        assert list(maps) == ["stage1", "stage2"][: len(blocks)]
        assert ("down1" in variables["params"]) == (len(blocks) > 1)
        paths = efiqa_cp.drop_paths(jax.random.split(jax.random.key(0), 6), blocks)
        assert paths.shape == (6, 3)


@pytest.mark.parametrize("ratio", [1, 4])
def test_equals_pytorch(ratio):
    close(logits(state_of(ratio), features()), GOLDEN[f"ratio{ratio}"])


def older(state):
    """The names of the first release."""

    def name(n):
        n = n.replace("norm.norm.", "norm.ln.").replace("stage3.", "stage3.0.")
        return n.replace("stem.0.norm.", "stem.0.ln.").replace("head.0.norm.", "head.0.ln.")

    return {name(n): x for n, x in state.items()}


def test_older_names():
    want, metadata = FORMATS["efiqa_cp"].convert(state_of(4))
    assert metadata == {"model": "efiqa_cp", "width": 8, "ratio": 4, "channels": 12}
    old = older(state_of(4))
    assert {"model.stem.0.ln.weight", "model.stage3.0.norm.ln.bias"} <= set(old)
    got, again = FORMATS["efiqa_cp"].convert(old)
    assert again == metadata
    assert set(got) == set(want)
    for path in want:
        np.testing.assert_array_equal(got[path], want[path], err_msg=path)
    bare = {n.removeprefix("model."): x for n, x in old.items()}
    assert set(FORMATS["efiqa_cp"].convert(bare)[0]) == set(want)
    assert released("model.down1.norm.ln.weight") == "down1.norm.norm.weight"


def test_other_files_are_refused():
    state = state_of(1)
    with pytest.raises(FormatError, match=r"no model\.stem\.1\.weight among 1 tensors"):
        FORMATS["efiqa_cp"].convert({"x": np.zeros(1)})
    lacking = {n: x for n, x in state.items() if n != "model.down2.conv.bias"}
    with pytest.raises(FormatError, match="1 missing, first: params/down2/bias"):
        FORMATS["efiqa_cp"].convert(lacking)
    with pytest.raises(FormatError, match="1 tensors are not known, first: stage9"):
        FORMATS["efiqa_cp"].convert({**state, "model.stage9.x": np.zeros(1)})
    with pytest.raises(FormatError, match="names of both releases"):
        FORMATS["efiqa_cp"].convert({**state, **older(state)})


def test_a_saved_file(tmp_path):
    torch = pytest.importorskip("torch", reason="torch is not installed: the `reference` extra")
    from golden import efiqa_cp_reference

    torch.manual_seed(0)
    torch.set_num_threads(1)
    theirs = efiqa_cp_reference.Wrapped(channels=CHANNELS, width=8, ratio=1).eval()
    torch.save(theirs.state_dict(), tmp_path / "net.pth")
    done = convert("efiqa_cp", tmp_path / "net.pth", tmp_path / "net.safetensors")
    assert done["parameters"] == sum(p.numel() for p in theirs.parameters())
    with torch.no_grad():
        want = theirs(torch.from_numpy(features().transpose(0, 3, 1, 2)))[:, 0].numpy()
    close(logits({n: x.numpy() for n, x in theirs.state_dict().items()}, features()), want)


def test_initial_weights_are_drawn_as_pytorchs():
    """Uniform in +-1 / sqrt(fan-in), biases too; gamma is 1."""
    params = EfiqaCP(64).init(jax.random.key(0), jnp.zeros((1, 4, 4, 100)))["params"]
    for part, fan_in in (("stem", 100), ("down1", 256), ("head", 64)):
        for leaf in ("kernel", "bias"):
            value = np.asarray(params[part][leaf])
            assert np.abs(value).max() <= fan_in**-0.5
    block = params["stage2_block1"]
    for value, fan_in in ((params["stem"]["kernel"], 100), (block["dw"]["kernel"], 49)):
        assert float(value.std()) == pytest.approx((3 * fan_in) ** -0.5, rel=0.05)
    np.testing.assert_array_equal(block["gamma"], 1.0)


@pytest.mark.whole
def test_dropped_branches():
    keys = jax.random.split(jax.random.key(0), 4000)
    paths = np.asarray(jax.jit(efiqa_cp.drop_paths)(keys))
    share = np.repeat(efiqa_cp.DROP, efiqa_cp.BLOCKS)
    np.testing.assert_allclose((paths == 0).mean(0), share, atol=0.015)
    np.testing.assert_allclose(paths.max(0), 1 / (1 - share), rtol=1e-6)
    np.testing.assert_allclose(paths.mean(0), 1.0, atol=0.02)

    x = jnp.asarray(features()[:, :4, :4])
    net = EfiqaCP(8)
    variables = net.init(jax.random.key(1), x)
    apply = jax.jit(lambda paths: net.apply(variables, x, paths)[1])
    whole = net.apply(variables, x)[1]
    np.testing.assert_allclose(apply(jnp.ones((2, 5)))["stage3"], whole["stage3"], atol=1e-6)
    # without any branch a block is the identity: the first stage is the stem's result
    bare = apply(jnp.zeros((2, 5)))["stage1"]
    mixed = apply(jnp.array([[0.0] * 5, [1.0] * 5]))["stage1"]
    np.testing.assert_allclose(mixed[0], bare[0], atol=1e-6)
    np.testing.assert_allclose(mixed[1], whole["stage1"][1], atol=1e-6)
    assert float(jnp.abs(bare - whole["stage1"]).max()) > 1e-3
