"""PyTorch files read without PyTorch: both layouts, other kinds, damage."""

import argparse
import io
import pickle
import zipfile
from collections import OrderedDict

import numpy as np
import pytest
import safetensors.numpy
from handmade_torchfile import SIX, Payload, archive, dict_of, number, stream, tensor, text

from fiqa_jax.pretrained.torch_file import read
from fiqa_jax.pretrained.torch_pickle import TorchFileError


@pytest.fixture
def good(tmp_path):
    return archive(tmp_path / "good.pth", dict_of(w=tensor()), {"0": SIX.tobytes()})


def test_a_zip_written_by_hand(good):
    out = read(good)
    assert list(out) == ["w"]
    assert out["w"].dtype == np.float32
    np.testing.assert_array_equal(out["w"], [[0, 1, 2], [3, 4, 5]])


# What torch itself writes.


@pytest.mark.parametrize("zipped", [True, False])
def test_what_torch_writes(tmp_path, zipped):
    torch = pytest.importorskip("torch", reason="torch is not installed: the `reference` extra")
    torch.manual_seed(0)
    base = torch.randn(4, 5, 6)
    state = {
        "float": base,
        "permuted": base.permute(2, 0, 1),
        "part": base[1:3, ::2, 4],
        "double": torch.randn(3).double(),
        "half": torch.randn(3).half(),
        "bfloat16": torch.randn(7).bfloat16(),
        "long": torch.tensor([1, -(2**40)]),
        "int": torch.tensor([5], dtype=torch.int32),
        "short": torch.tensor([-7], dtype=torch.int16),
        "char": torch.tensor([-8], dtype=torch.int8),
        "byte": torch.tensor([255], dtype=torch.uint8),
        "bool": torch.tensor([True, False]),
        "scalar": torch.tensor(3.5),
        "empty": torch.zeros(0, 4),
        "parameter": torch.nn.Parameter(torch.randn(2, 2)),
    }
    path = tmp_path / "all.pth"
    torch.save(state, path, _use_new_zipfile_serialization=zipped)
    out = read(path)
    assert list(out) == list(state)
    for key, value in state.items():
        value = value.float() if key == "bfloat16" else value
        expected = value.detach().numpy()
        assert out[key].dtype == expected.dtype, key
        np.testing.assert_array_equal(out[key], expected, err_msg=key)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_training_checkpoint(tmp_path, zipped):
    torch = pytest.importorskip("torch", reason="torch is not installed: the `reference` extra")
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    optimiser = torch.optim.AdamW(net.parameters())
    net(torch.randn(2, 3, 5, 5)).sum().backward()
    optimiser.step()
    checkpoint = {
        "state_dict": net.state_dict(),
        "optimizer": optimiser.state_dict(),
        "args": argparse.Namespace(lr=1e-3, device=torch.device("cpu")),
        "best": np.float64(0.5),
        "epoch": 3,
    }
    path = tmp_path / "checkpoint.pth"
    torch.save(checkpoint, path, _use_new_zipfile_serialization=zipped)
    out = read(path, "state_dict")
    assert list(out) == list(net.state_dict())
    for key, value in net.state_dict().items():
        np.testing.assert_array_equal(out[key], value.numpy())
    with pytest.raises(TorchFileError, match=r"no tensors at its top.*state_dict \(7 tensors\)"):
        read(path)
    with pytest.raises(TorchFileError, match=r"no tensors at 'model'.*epoch \(int\)"):
        read(path, "model")


def test_a_whole_network_is_refused(tmp_path):
    torch = pytest.importorskip("torch", reason="torch is not installed: the `reference` extra")
    torch.save(torch.nn.Linear(2, 2), tmp_path / "whole.pth")
    with pytest.raises(TorchFileError, match=r"asks for torch\.nn\.modules\.linear\.Linear.*state"):
        read(tmp_path / "whole.pth")


# Keys.


def test_keys_descend(tmp_path):
    inner = dict_of(w=tensor())
    body = dict_of(**{"teacher": dict_of(backbone=inner), "a.b": inner, "epoch": number(3)})
    path = archive(tmp_path / "x.pt", body, {"0": SIX.tobytes()})
    for key in ("teacher.backbone", "a.b"):
        assert read(path, key)["w"].shape == (2, 3)
    for key in ("teacher", "teacher.head", "epoch", "teacher.backbone.w"):
        with pytest.raises(TorchFileError, match=rf"no tensors at '{key}'. It has: teacher"):
            read(path, key)


def test_other_entries_are_left_out(tmp_path):
    body = dict_of(epoch=number(3), w=tensor(), note=text("x"))
    assert list(read(archive(tmp_path / "x.pt", body, {"0": SIX.tobytes()}))) == ["w"]


# Damage.


def test_a_stream_written_by_hand(tmp_path):
    np.testing.assert_array_equal(read(stream(tmp_path / "x.pth"))["w"], [[0, 1, 2], [3, 4, 5]])


def test_big_endian_is_refused(tmp_path):
    path = archive(
        tmp_path / "x.pth",
        dict_of(w=tensor()),
        {"0": SIX.tobytes()},
        extra=[("net/byteorder", "big")],
    )
    with pytest.raises(TorchFileError, match=r"byte order b'big'; only little-endian"):
        read(path)
    with pytest.raises(TorchFileError, match=r"big-endian machine; only little-endian"):
        read(stream(tmp_path / "y.pth", system={"little_endian": False}))


@pytest.mark.parametrize("kind", ["zip", "stream"])
def test_truncation_anywhere_is_one_error(tmp_path, good, kind):
    whole = (good if kind == "zip" else stream(tmp_path / "s.pth")).read_bytes()
    cut = tmp_path / "cut.pth"
    for length in range(0, len(whole), 7):
        cut.write_bytes(whole[:length])
        with pytest.raises(TorchFileError, match=r"cut\.pth"):
            read(cut)


def test_damage_anywhere_is_one_error_or_none(tmp_path):
    # Without a checksum (the stream has none) a changed byte may go unseen; it may not go wrong
    # in any other way than the one error.
    whole = bytearray(stream(tmp_path / "s.pth").read_bytes())
    rng = np.random.default_rng(0)
    seen = 0
    for position in range(len(whole)):
        damaged = whole.copy()
        damaged[position] = rng.integers(256)
        (tmp_path / "d.pth").write_bytes(damaged)
        try:
            read(tmp_path / "d.pth")
        except TorchFileError:
            seen += 1
    assert seen > len(whole) // 3


def test_a_changed_byte_of_a_zip_is_seen(tmp_path, good):
    raw = bytearray(good.read_bytes())
    raw[raw.index(SIX.tobytes()) + 5] ^= 1
    good.write_bytes(raw)
    with pytest.raises(TorchFileError, match=r"damaged or incomplete .*CRC"):
        read(good)


def test_storages_as_long_as_announced(tmp_path):
    path = archive(tmp_path / "x.pth", dict_of(w=tensor()), {"0": SIX.tobytes()[:-1]})
    with pytest.raises(TorchFileError, match=r"storage 0 has 23 bytes, 6 x 4 were announced"):
        read(path)
    with pytest.raises(TorchFileError, match=r"is incomplete: it lacks net/data/0"):
        read(archive(path, dict_of(w=tensor()), {}))


def test_a_repacked_zip_is_refused(tmp_path):
    path = archive(
        tmp_path / "x.pth", dict_of(w=tensor()), {"0": bytes(24)}, compression=zipfile.ZIP_DEFLATED
    )
    with pytest.raises(TorchFileError, match=r"data\.pkl is compressed"):
        read(path)


# Other kinds of file.


def test_safetensors_and_npz(tmp_path):
    arrays = {"w": np.arange(6.0).reshape(2, 3), "n": np.array(3, np.int64)}
    safetensors.numpy.save_file(arrays, tmp_path / "x.safetensors")
    np.savez(tmp_path / "x.npz", **arrays)
    for suffix in ("safetensors", "npz"):
        out = read(tmp_path / f"x.{suffix}")
        assert set(out) == {"w", "n"}
        np.testing.assert_array_equal(out["w"], arrays["w"])
        assert out["n"].dtype == np.int64


def test_objects_in_an_npz_are_not_run(tmp_path):
    marker = tmp_path / "was_run"
    np.savez(tmp_path / "x.npz", w=np.array([Payload(marker)], dtype=object))
    with pytest.raises(TorchFileError, match=r"Object arrays cannot be loaded"):
        read(tmp_path / "x.npz")
    assert not marker.exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"an empty file, expected a \.pth, \.safetensors or \.npz file"),
        (b"<!DOCTYPE html><html>", r"a web page \(HTML; a failed download\?\), expected"),
        (b"version https://git-lfs.github.com/spec/v1\n", r"a Git LFS pointer .*: git lfs pull"),
        (b"hello\n", "a text file, expected"),
        (pickle.dumps({"w": 1}), "a pickle, but not one of torch.save"),
        (pickle.dumps(OrderedDict(w=1)), "a pickle, but not one of torch.save"),
        (b"\x10\0\0\0\0\0\0\0{'a': broken", "damaged or incomplete"),
    ],
)
def test_other_content(tmp_path, content, message):
    (tmp_path / "x.pth").write_bytes(content)
    with pytest.raises(TorchFileError, match=message):
        read(tmp_path / "x.pth")


def test_an_empty_or_foreign_zip(tmp_path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("readme.txt", "x")
    (tmp_path / "x.pth").write_bytes(buffer.getvalue())
    with pytest.raises(TorchFileError, match=r"x\.pth"):
        read(tmp_path / "x.pth")
    single = archive(tmp_path / "y.pth", tensor(), {"0": SIX.tobytes()})
    with pytest.raises(TorchFileError, match=r"one tensor, not a state dict"):
        read(single)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no file at .*none\.pth"):
        read(tmp_path / "none.pth")
