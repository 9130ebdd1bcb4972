"""The pickle inside: tensors as views of storages; attacks that are refused and not run."""

import pickle
import struct

import numpy as np
import pytest
from handmade_torchfile import (
    SIX,
    Payload,
    archive,
    call,
    dict_of,
    name,
    number,
    stream_parts,
    tensor,
    text,
    tuple_of,
)

from fiqa_jax.pretrained.torch_file import read
from fiqa_jax.pretrained.torch_pickle import TorchFileError


@pytest.fixture
def good(tmp_path):
    return archive(tmp_path / "good.pth", dict_of(w=tensor()), {"0": SIX.tobytes()})


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


# Attacks. Each would leave a file behind if it ran.


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
