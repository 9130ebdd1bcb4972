"""PyTorch files read without PyTorch: what torch wrote, what attackers write, what is damaged."""

import argparse
import io
import pickle
import struct
import zipfile
from collections import OrderedDict

import numpy as np
import pytest
import safetensors.numpy

from fiqa_jax.torchfile import read
from fiqa_jax.torchpickle import TorchFileError

# A pickle by hand: enough of its machine language to write what torch.save writes, and worse.


def text(s):
    return b"X" + struct.pack("<I", len(s.encode())) + s.encode()


def number(n):
    return b"J" + struct.pack("<i", n)


def tuple_of(*items):
    return b"(" + b"".join(items) + b"t"


def name(full):
    module, _, attribute = full.rpartition(".")
    return b"c" + module.encode() + b"\n" + attribute.encode() + b"\n"


def call(function, *arguments):
    return name(function) + tuple_of(*arguments) + b"R"


def tensor(key="0", kind="FloatStorage", length=6, size=(2, 3), stride=(3, 1), offset=0):
    storage = tuple_of(
        text("storage"), name(f"torch.{kind}"), text(key), text("cpu"), number(length)
    )
    return call(
        "torch._utils._rebuild_tensor_v2",
        storage + b"Q",
        number(offset),
        tuple_of(*map(number, size)),
        tuple_of(*map(number, stride)),
        b"\x89",
        call("collections.OrderedDict"),
    )


def dict_of(**items):
    return b"}(" + b"".join(text(k) + v for k, v in items.items()) + b"u"


def archive(path, body, storages, extra=(), compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as file:
        file.writestr("net/data.pkl", b"\x80\x02" + body + b".")
        for key, raw in storages.items():
            file.writestr(f"net/data/{key}", raw)
        for member, raw in extra:
            file.writestr(member, raw)
    return path


SIX = np.arange(6, dtype="<f4")


@pytest.fixture
def good(tmp_path):
    return archive(tmp_path / "good.pth", dict_of(w=tensor()), {"0": SIX.tobytes()})


def test_a_zip_written_by_hand(good):
    out = read(good)
    assert list(out) == ["w"]
    assert out["w"].dtype == np.float32
    np.testing.assert_array_equal(out["w"], [[0, 1, 2], [3, 4, 5]])


def test_views_of_one_storage(tmp_path):
    body = dict_of(
        transposed=tensor(size=(3, 2), stride=(1, 3)),
        column=tensor(size=(2,), stride=(3,), offset=2),
        last=tensor(size=(), stride=(), offset=5),
        none=tensor(size=(0, 3), stride=(3, 1), offset=6),
        diagonal=tensor(size=(2,), stride=(4,)),
    )
    out = read(archive(tmp_path / "x.pt", body, {"0": SIX.tobytes()}))
    np.testing.assert_array_equal(out["transposed"], [[0, 3], [1, 4], [2, 5]])
    np.testing.assert_array_equal(out["column"], [2, 5])
    np.testing.assert_array_equal(out["last"], 5)
    np.testing.assert_array_equal(out["diagonal"], [0, 4])
    assert out["none"].shape == (0, 3)
    for array in out.values():
        assert array.flags.c_contiguous
        assert array.flags.owndata


def test_bfloat16_is_the_upper_half_of_float32(tmp_path):
    raw = struct.pack("<3H", 0x3F80, 0xC0A0, 0x7F80)  # 1, -5, infinity by IEEE 754's layout
    body = dict_of(w=tensor(kind="BFloat16Storage", length=3, size=(3,), stride=(1,)))
    out = read(archive(tmp_path / "x.pt", body, {"0": raw}))
    assert out["w"].dtype == np.float32
    np.testing.assert_array_equal(out["w"], [1.0, -5.0, np.inf])


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


# Attacks. Each would leave a file behind if it ran.


class Payload:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        import os

        return os.system, (f"touch {self.path}",)


def attacks(marker):
    command = text(f"touch {marker}")
    python = text(f"open({str(marker)!r}, 'w')")
    yield "os.system", call("os.system", command)
    yield "posix.system", call("posix.system", command)
    yield "builtins.eval", call("builtins.eval", python)
    yield "builtins.getattr", call("builtins.getattr", name("collections.OrderedDict"), text("x"))
    yield "os.system", b"(" + command + b"ios\nsystem\n"  # INST
    yield "os.system", b"(" + name("os.system") + command + b"o"  # OBJ
    yield "subprocess.Popen", name("subprocess.Popen") + tuple_of(command) + b"\x81"  # NEWOBJ
    yield "os.system", text("os") + text("system") + b"\x93" + tuple_of(command) + b"R"
    yield "torch.load", call("torch.load", command)
    yield "numpy.load", call("numpy.load", command)
    yield "collections.OrderedDict.__init__", call("collections.OrderedDict.__init__")


def test_attacks_are_refused_and_not_run(tmp_path):
    marker = tmp_path / "was_run"
    for asked, body in attacks(marker):
        for whole in (body, dict_of(w=body), dict_of(w=tensor(), x=body)):
            path = archive(tmp_path / "evil.pth", whole, {"0": SIX.tobytes()})
            with pytest.raises(TorchFileError, match=rf"evil\.pth: asks for {asked}, .*was run"):
                read(path)
    assert not marker.exists()


@pytest.mark.parametrize("where", range(5))
def test_attacks_in_every_pickle_of_a_stream(tmp_path, where):
    marker = tmp_path / "was_run"
    parts = stream_parts(tensor())
    parts[where] = pickle.dumps(Payload(marker), protocol=2)
    (tmp_path / "evil.pth").write_bytes(b"".join(parts) + struct.pack("<q", 6) + SIX.tobytes())
    with pytest.raises(TorchFileError, match=r"asks for (posix|nt)\.system"):
        read(tmp_path / "evil.pth")
    assert not marker.exists()


def test_stand_ins_cannot_be_changed(good, tmp_path):
    # BUILD sets attributes: on a class or function of ours that would outlive the file.
    state = dict_of(__setstate__=number(1), __call__=number(1), length=number(1))
    for target in (
        "torch._utils._rebuild_tensor_v2",
        "torch._utils._rebuild_parameter",
        "collections.OrderedDict",
        "argparse.Namespace",
        "torch.Size",
        "torch.FloatStorage",
    ):
        for change in (state, tuple_of(b"N", state)):
            path = archive(tmp_path / "x.pth", dict_of(w=name(target) + change + b"b"), {})
            with pytest.raises(TorchFileError):
                read(path)
    np.testing.assert_array_equal(read(good)["w"], [[0, 1, 2], [3, 4, 5]])


@pytest.mark.parametrize(
    "wrong",
    [
        {"size": (2, 4), "stride": (3, 1)},
        {"size": (2, 3), "stride": (4, 1)},
        {"offset": 1},
        {"offset": -1},
        {"size": (-2, 3)},
        {"stride": (-3, 1)},
        {"stride": (3,)},
        {"size": (2**30, 2**30), "stride": (0, 0)},
        {"size": (7,), "stride": (0,)},
    ],
)
def test_no_tensor_reaches_beyond_its_storage(tmp_path, wrong):
    path = archive(tmp_path / "x.pth", dict_of(w=tensor(**wrong)), {"0": SIX.tobytes()})
    with pytest.raises(TorchFileError, match=r"x\.pth: (is damaged: a tensor|has a tensor)"):
        read(path)


def test_a_storage_that_is_none(tmp_path):
    fake = call("torch._utils._rebuild_tensor", number(1), number(0), *[tuple_of(number(1))] * 2)
    with pytest.raises(TorchFileError, match=r"a tensor without storage"):
        read(archive(tmp_path / "x.pth", dict_of(w=fake), {}))
    module = tuple_of(text("module"), name("torch.Size"), text(""), text("")) + b"Q"
    with pytest.raises(TorchFileError, match=r"refers to a 'module'.*state_dict"):
        read(archive(tmp_path / "x.pth", dict_of(w=module), {}))


# Damage.


def stream_parts(body, system=None):
    """The five pickles of a file before torch 1.6."""
    body = body.replace(b"tQ", b"NtQ", 1)  # storages end with "no view"
    system = system or {"protocol_version": 1001, "little_endian": True, "type_sizes": {}}
    return [
        pickle.dumps(0x1950A86A20F9469CFC6C, protocol=2),
        pickle.dumps(1001, protocol=2),
        pickle.dumps(system, protocol=2),
        b"\x80\x02" + dict_of(w=body) + b".",
        pickle.dumps(["0"], protocol=2),
    ]


def stream(path, **kw):
    path.write_bytes(b"".join(stream_parts(tensor(), **kw)) + struct.pack("<q", 6) + SIX.tobytes())
    return path


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
        (b"", "begins like no"),
        (b"<!DOCTYPE html><html>", "begins like no"),
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
