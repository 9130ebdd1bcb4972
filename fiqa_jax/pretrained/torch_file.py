"""Reads the tensors of a PyTorch file without PyTorch, and without running anything in it.

Both layouts of torch.save are read: the zip of torch >= 1.6 and the plain stream before it. Also
.safetensors and .npz.
"""

import io
import os
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import safetensors.numpy

from fiqa_jax.pretrained.torch_pickle import (
    Storage,
    Tensor,
    TorchFileError,
    Unpickler,
    builder,
    itemsize,
)
from input_pipeline.photo.file_type import looks_like

_STREAM_MAGIC = 0x1950A86A20F9469CFC6C  # first pickle of the plain stream
_STREAM_VERSION = 1001  # its second


def read(path: str | os.PathLike[str], key: str = "") -> dict[str, np.ndarray]:
    """The tensors of a state dict.

    Args:
      path: what torch.save wrote (.pth, .pt, .bin), or .safetensors or .npz; told by its content.
      key: where the state dict is inside a checkpoint, for example `model`; `a.b` is `b` inside
        `a`. Empty for the file itself.

    Returns:
      Tensors by name, each a C-contiguous array of its own in the file's dtype; bfloat16 is widened
      to float32, exactly. Entries that are no tensors (an epoch, a learning rate) are left out.

    Raises:
      FileNotFoundError: there is no such file.
      TorchFileError: the file is damaged, of another kind or from a big-endian machine, asks for
        a name outside the table, or has no tensors under `key`; then the message lists what it has.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"no file at {path}")
    try:
        with open(path, "rb") as file:
            head = file.read(512)
            start = head[:9]
            file.seek(0)
            if start[:4] == b"PK\x03\x04":
                with zipfile.ZipFile(file) as archive:
                    if not any(n.endswith("/data.pkl") for n in archive.namelist()):
                        return _select(_read_npz(file), np.asarray, key)
                    return _select(*_read_zip(archive), key)
            if start[8:] == b"{":
                return _select(safetensors.numpy.load_file(path), _widened, key)
            if start[:1] == b"\x80":
                return _select(*_read_stream(file), key)
        seen = looks_like(head) if head else "an empty file"
        hint = "; fetch the file itself: git lfs pull" if "Git LFS" in seen else ". Get it again"
        raise TorchFileError(f"{seen}, expected a .pth, .safetensors or .npz file{hint}")
    except TorchFileError as error:
        raise TorchFileError(f"{path}: {error}") from error
    except Exception as error:  # a damaged file can raise nearly anything in the parsers
        message = f"{path}: damaged or incomplete ({type(error).__name__}: {error}). Get it again"
        raise TorchFileError(message) from error


def _read_npz(file: BinaryIO) -> dict[str, np.ndarray]:
    file.seek(0)
    with np.load(file, allow_pickle=False) as arrays:
        if not arrays.files:
            raise TorchFileError("is a zip with neither a data.pkl nor arrays")
        return dict(arrays)


def _read_zip(archive: zipfile.ZipFile) -> tuple[Any, Callable[[Any], np.ndarray]]:
    names = set(archive.namelist())
    pickles = [n for n in names if n.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise TorchFileError(f"is a zip with {len(pickles)} data.pkl, not one")
    folder = pickles[0].removesuffix("data.pkl")

    def member(name: str) -> bytes:
        if name not in names:
            raise TorchFileError(f"is incomplete: it lacks {name}")
        if archive.getinfo(name).compress_type != zipfile.ZIP_STORED:
            raise TorchFileError(f"is not as torch.save wrote it: {name} is compressed")
        return archive.read(name)

    if f"{folder}byteorder" in names:
        order = member(f"{folder}byteorder")
        if order != b"little":
            raise TorchFileError(f"has byte order {order[:20]!r}; only little-endian is read")
    tree = Unpickler(io.BytesIO(member(pickles[0]))).load()
    return tree, builder(lambda storage: member(f"{folder}data/{storage.key}"))


def _read_stream(file: BinaryIO) -> tuple[Any, Callable[[Any], np.ndarray]]:
    # Four pickles (magic number, version, system, object), one more of the storages' keys in the
    # order in which they follow, each as a count of elements and its bytes.
    if Unpickler(file).load() != _STREAM_MAGIC:
        raise TorchFileError("is a pickle, but not one of torch.save")
    version, system = Unpickler(file).load(), Unpickler(file).load()
    if version != _STREAM_VERSION:
        raise TorchFileError(f"has stream version {version!r}; {_STREAM_VERSION} is read")
    if not (isinstance(system, dict) and system.get("little_endian") is True):
        raise TorchFileError("comes from a big-endian machine; only little-endian is read")
    unpickler = Unpickler(file)
    tree = unpickler.load()
    begins: dict[str, int] = {}
    for key in Unpickler(file).load():
        storage = unpickler.storages[key]
        length = int.from_bytes(file.read(8), "little")
        if length != storage.length:
            raise TorchFileError(
                f"is damaged: storage {key} has {length} of {storage.length} values"
            )
        begins[key] = file.tell()
        file.seek(storage.length * itemsize(storage), os.SEEK_CUR)

    def fetch(storage: Storage) -> bytes:
        file.seek(begins[storage.key])
        return file.read(storage.length * itemsize(storage))

    return tree, builder(fetch)


def _widened(array: np.ndarray) -> np.ndarray:
    return array.astype(np.float32) if array.dtype.name == "bfloat16" else array


def _select(tree: Any, build: Callable[[Any], np.ndarray], key: str) -> dict[str, np.ndarray]:
    node = _descend(tree, key)
    entries = node if isinstance(node, Mapping) else {}
    tensors = {n: build(x) for n, x in entries.items() if isinstance(n, str) and _is_tensor(x)}
    if not tensors:
        where = f"has no tensors at {key!r}" if key else "has no tensors at its top"
        raise TorchFileError(f"{where}. {_contents(tree)}")
    return tensors


def _descend(node: Any, key: str) -> Any:
    if not key or not isinstance(node, Mapping):
        return None if key else node
    if key in node:
        return node[key]
    first, _, rest = key.partition(".")
    return _descend(node.get(first), rest) if rest else None


def _is_tensor(x: Any) -> bool:
    return isinstance(x, Tensor | np.ndarray)


def _contents(tree: Any) -> str:
    if _is_tensor(tree):
        return "It holds one tensor, not a state dict"
    if not isinstance(tree, Mapping):
        return f"It holds a {type(tree).__name__.strip('_')}, not a state dict"
    lines = []
    for name, x in list(tree.items())[:20]:
        inside = sum(map(_is_tensor, x.values())) if isinstance(x, Mapping) else 0
        kind = "tensor" if _is_tensor(x) else type(x).__name__.strip("_").lower()
        lines.append(f"{name} ({f'{inside} tensors' if inside else kind})")
    return f"It has: {', '.join(lines) or 'nothing'}. Choose one that has tensors with --key"
