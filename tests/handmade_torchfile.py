"""Writes PyTorch files without PyTorch: what torch.save writes, and what it never would."""

import os
import pickle
import struct
import zipfile

import numpy as np

SIX = np.arange(6, dtype="<f4")


class Payload:
    """Leaves a file behind if a pickle of it is run."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


# Enough of the pickle's machine language to write state dicts, and worse.


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
