"""Weights on disk: round trips, and one message that names everything that does not fit."""

import hashlib
import os

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.numpy

from fiqa_jax.pretrained import tensors as pretrained

TRUNK = ((r"^(params|batch_stats)/", r"\1/trunk/"),)


def variables():
    return {
        "params": {"stem": {"kernel": np.arange(6.0, dtype=np.float32).reshape(2, 3)}},
        "batch_stats": {"stem": {"mean": np.ones(3, np.float32)}},
    }


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "net.safetensors"
    pretrained.save(path, variables(), {"model": "tiny", "width": 0.5})
    return path


def blank(tree):
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), tree)


def test_round_trip(file):
    tensors, metadata = pretrained.read(file)
    assert list(tensors) == ["batch_stats/stem/mean", "params/stem/kernel"]
    assert metadata == {"model": "tiny", "width": 0.5}
    loaded = pretrained.load(blank(variables()), file)
    jax.tree.map(np.testing.assert_array_equal, loaded, variables())


def test_views_are_written_in_order(tmp_path):
    # safetensors itself writes a transposed view's buffer as it lies in memory.
    x = np.arange(6.0, dtype=np.float32).reshape(2, 3)
    pretrained.save(tmp_path / "x.safetensors", {"a": x.T, "b": x[:, ::2], "c": jnp.ones(())}, {})
    tensors, _ = pretrained.read(tmp_path / "x.safetensors")
    np.testing.assert_array_equal(tensors["a"], [[0, 3], [1, 4], [2, 5]])
    np.testing.assert_array_equal(tensors["b"], [[0, 2], [3, 5]])
    assert tensors["c"].shape == ()


def test_same_content_same_bytes(tmp_path):
    digests = set()
    for i in range(4):
        path = tmp_path / f"{i}.safetensors"
        pretrained.save(path, variables(), {k: i_ for i_, k in enumerate("abcdefgh")})
        digests.add(hashlib.sha256(path.read_bytes()).hexdigest())
    assert len(digests) == 1


def test_a_trunk_goes_into_a_larger_model(file):
    kernel = jnp.zeros(4)
    model = {
        "params": {"trunk": blank(variables()["params"]), "heads": {"kernel": kernel}},
        "batch_stats": {"trunk": blank(variables()["batch_stats"])},
    }
    loaded = pretrained.load(model, file, rename=TRUNK, skip=("params/heads/.*",))
    assert loaded["params"]["heads"]["kernel"] is kernel
    np.testing.assert_array_equal(
        loaded["params"]["trunk"]["stem"]["kernel"], variables()["params"]["stem"]["kernel"]
    )


def test_skip_leaves_what_the_file_also_has(file):
    model = jax.tree.map(lambda x: x + 10, variables())
    loaded = pretrained.load(model, file, skip=("params/.*",))
    assert loaded["params"]["stem"]["kernel"] is model["params"]["stem"]["kernel"]
    np.testing.assert_array_equal(loaded["batch_stats"]["stem"]["mean"], np.ones(3))


def test_skip_means_the_whole_name(file):
    model = variables()
    model["params"]["stem2"] = np.ones(1)
    with pytest.raises(ValueError, match="1 missing, first: params/stem2"):
        pretrained.load(model, file, skip=("params/stem",))


def test_an_optional_head_is_used_or_left_out(tmp_path):
    path = tmp_path / "x.safetensors"
    tensors = {"params/a": np.ones(2), "params/fc/bias": np.full(3, 7.0)}
    pretrained.save(path, tensors, {"optional": "params/fc/.*"})
    assert set(pretrained.load({"params": {"a": np.zeros(2)}}, path)["params"]) == {"a"}
    both = {"params": {"a": np.zeros(2), "fc": {"bias": np.zeros(3)}}}
    assert pretrained.load(both, path)["params"]["fc"]["bias"][0] == 7
    # Renamed, it is the name in the file that was declared.
    trunk = {"params": {"trunk": {"a": np.zeros(2)}}}
    assert set(pretrained.load(trunk, path, rename=TRUNK)["params"]["trunk"]) == {"a"}


def test_everything_that_does_not_fit_is_counted(tmp_path):
    path = tmp_path / "x.safetensors"
    tensors = {
        "params/shape": np.ones((2, 3)),
        "params/extra1": np.ones(1),
        "params/extra2": np.ones(1),
        "params/index": np.ones(2),
    }
    pretrained.save(path, tensors, {"model": "tiny"})
    model = {"params": {"shape": np.ones((3, 2)), "index": np.ones(2, np.int32)}}
    model["params"] |= {f"absent{i}": np.ones(1) for i in range(3)}
    with pytest.raises(ValueError) as caught:
        pretrained.load(model, path)
    message = str(caught.value)
    assert f"{path} (it says that it holds tiny) does not fit the model" in message
    assert "3 missing, first: params/absent0 (what should stay" in message
    assert "2 unexpected, first: params/extra1" in message
    assert "1 misshapen, first: params/shape is (2, 3), the model's (3, 2)" in message
    assert "1 of another dtype, first: params/index is float64, the model's int32" in message


@pytest.mark.parametrize("stored", ["float16", "float32", "float64", "bfloat16"])
def test_floats_take_the_model_s_width(tmp_path, stored):
    path = tmp_path / "x.safetensors"
    pretrained.save(path, {"a": np.asarray(jnp.array([0.5, -2.0])).astype(stored)}, {})
    loaded = pretrained.load({"a": jax.ShapeDtypeStruct((2,), jnp.float32)}, path)
    assert loaded["a"].dtype == np.float32
    np.testing.assert_array_equal(loaded["a"], [0.5, -2.0])


def test_two_names_made_one(file):
    with pytest.raises(ValueError, match="rename turns two tensors into 'x'"):
        pretrained.load(variables(), file, rename=((".*/.*", "x"),))


def test_skipping_everything(file):
    with pytest.raises(ValueError, match="nothing would be loaded"):
        pretrained.load(variables(), file, skip=(".*",))


def test_no_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"fiqa_jax\.convert.*--config\.model\.weights="):
        pretrained.load(variables(), tmp_path / "none.safetensors")
    with pytest.raises(ValueError, match="no file of weights was given"):
        pretrained.load(variables(), "")


def test_not_safetensors(tmp_path, file):
    path = tmp_path / "x.safetensors"
    for content, message in (
        (b"PK\x03\x04 a zip", r"looks like PyTorch's or numpy's.*fiqa_jax\.convert"),
        (b"\x80\x02 a pickle", r"looks like PyTorch's or numpy's"),
        (b"", r"not a readable safetensors file"),
        (file.read_bytes()[:-1], r"not a readable safetensors file.*Get it again"),
        (file.read_bytes()[:20], r"not a readable safetensors file"),
    ):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=message):
            pretrained.read(path)


def test_safetensors_of_others_have_no_metadata(tmp_path):
    safetensors.numpy.save_file({"a": np.ones(2)}, tmp_path / "x.safetensors")
    assert pretrained.read(tmp_path / "x.safetensors")[1] == {}


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_only_finite_weights_are_written(file, value):
    before = file.read_bytes()
    with pytest.raises(ValueError, match="was not written: a/b holds NaN or infinity"):
        pretrained.save(file, {"a": {"b": np.array([1, value])}}, {})
    with pytest.raises(ValueError, match="no tensors to write"):
        pretrained.save(file, {}, {})
    assert file.read_bytes() == before


def test_a_failed_write_leaves_what_was_there(file, monkeypatch):
    before = file.read_bytes()

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        pretrained.save(file, {"a": np.ones(3)}, {})
    assert file.read_bytes() == before
    assert os.listdir(file.parent) == [file.name]
