"""The pickle inside a PyTorch file, opened without running anything in it.

A pickle is a program. Here each name that it may call is one of a short literal table of inert
stand-ins; any other name ends the reading.
"""

import functools
import math
import pickle
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

# torch's storage classes, as little-endian numpy dtypes; numpy has no bfloat16.
_STORAGES = {
    "torch.DoubleStorage": "<f8",
    "torch.FloatStorage": "<f4",
    "torch.HalfStorage": "<f2",
    "torch.BFloat16Storage": "bfloat16",
    "torch.LongStorage": "<i8",
    "torch.IntStorage": "<i4",
    "torch.ShortStorage": "<i2",
    "torch.CharStorage": "i1",
    "torch.ByteStorage": "u1",
    "torch.BoolStorage": "?",
}
_ADVICE = (
    "Nothing in it was run. If you trust it, open it in PyTorch where it came from and save the"
    " tensors alone: torch.save(model.state_dict(), 'weights.pth')"
)


class TorchFileError(ValueError):
    """The file cannot be read, or does not hold what was asked for."""


class Storage(NamedTuple):
    """A run of `length` numbers that tensors are views of; `key` says where its bytes are."""

    key: str
    dtype: str
    length: int


class Tensor(NamedTuple):
    """A tensor not yet read: as torch has it, offset and strides in elements."""

    storage: Storage
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]


# What a pickle gets to hold has no attributes that it could set, and calling it does nothing more
# than it says here.
class _Dict(dict):
    __slots__ = ()

    def __setstate__(self, state: object) -> None:
        """Ignores attributes (torch keeps layout versions in `_metadata`)."""


class _Ignored:
    __slots__ = ()

    def __new__(cls, *args: object, **kw: object) -> "_Ignored":
        return object.__new__(cls)

    def __setstate__(self, state: object) -> None:
        """Ignores the state."""

    def __setitem__(self, key: object, value: object) -> None:
        """Ignores the entry."""


class _RebuildTensor:
    __slots__ = ()

    def __call__(self, storage: Any, offset: Any, size: Any, stride: Any, *rest: Any) -> Tensor:
        return Tensor(storage, offset, size, stride)


class _RebuildParameter:
    __slots__ = ()

    def __call__(self, data: Any, *rest: Any) -> Any:
        return data


_ALLOWED: dict[str, Any] = {
    "collections.OrderedDict": _Dict,
    "torch.Size": tuple,
    "torch._utils._rebuild_tensor": _RebuildTensor(),
    "torch._utils._rebuild_tensor_v2": _RebuildTensor(),
    "torch._utils._rebuild_parameter": _RebuildParameter(),
    **_STORAGES,
    # What checkpoints carry beside tensors: read as nothing, the real thing is never looked up.
    "argparse.Namespace": _Ignored,
    "collections.defaultdict": _Ignored,
    "_codecs.encode": _Ignored,
    "numpy.dtype": _Ignored,
    "numpy.ndarray": _Ignored,
    "numpy.core.multiarray.scalar": _Ignored,
    "numpy.core.multiarray._reconstruct": _Ignored,
    "numpy._core.multiarray.scalar": _Ignored,
    "numpy._core.multiarray._reconstruct": _Ignored,
    "torch.device": _Ignored,
}


# The unpickler written in Python: the one in C fills as large a memo as a damaged file asks for.
class Unpickler(pickle._Unpickler):
    """Builds dicts, lists, numbers, text and `Tensor`s, and nothing else.

    Attributes:
      storages: those that were referred to, by key.
    """

    def __init__(self, file: Any) -> None:
        super().__init__(file, encoding="utf-8")
        self.storages: dict[str, Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        """The stand-in for a name, or a refusal."""
        full = f"{module}.{name}"
        if full not in _ALLOWED:
            raise TorchFileError(f"asks for {full}, which no file of tensors needs. {_ADVICE}")
        return _ALLOWED[full]

    def persistent_load(self, pid: Any) -> Storage:
        """A reference to one storage: ('storage', class, key, device, count[, no view])."""
        if isinstance(pid, tuple) and len(pid) in (5, 6) and pid[0] == "storage":
            storage = Storage(key=pid[2], dtype=pid[1], length=pid[4])
            if _sound(storage) and pid[5:] in ((), (None,)):
                self.storages[storage.key] = storage
                return storage
        what = pid[0] if isinstance(pid, tuple) and pid and isinstance(pid[0], str) else type(pid)
        raise TorchFileError(f"refers to a {what!r} that is no plain storage of numbers. {_ADVICE}")


def _sound(storage: Storage) -> bool:
    key, dtype, length = storage
    known = isinstance(dtype, str) and dtype in _STORAGES.values()
    return known and isinstance(key, str) and isinstance(length, int) and length >= 0


def itemsize(storage: Storage) -> int:
    """Bytes of one element of a storage."""
    return 2 if storage.dtype == "bfloat16" else np.dtype(storage.dtype).itemsize


def builder(fetch: Callable[[Storage], bytes]) -> Callable[[Tensor], np.ndarray]:
    """A function from tensors to C-contiguous arrays of their own, given storages' bytes.

    bfloat16 is widened to float32, exactly. The function raises TorchFileError where a tensor
    reaches beyond its storage, or the storage is not as long as announced.
    """

    @functools.lru_cache(maxsize=1)  # neighbours often share a storage
    def values(storage: Storage) -> np.ndarray:
        raw = fetch(storage)
        if len(raw) != storage.length * itemsize(storage):
            raise TorchFileError(
                f"is damaged: storage {storage.key} has {len(raw)} bytes,"
                f" {storage.length} x {itemsize(storage)} were announced"
            )
        if storage.dtype == "bfloat16":  # the upper half of a float32
            return (np.frombuffer(raw, "<u2").astype(np.uint32) << 16).view(np.float32)
        return np.frombuffer(raw, storage.dtype)

    def array(tensor: Tensor) -> np.ndarray:
        _check(tensor)
        flat = values(tensor.storage)
        if 0 in tensor.size:
            return np.zeros(tensor.size, flat.dtype)
        steps = [s * flat.itemsize for s in tensor.stride]
        view = np.lib.stride_tricks.as_strided(flat[tensor.offset :], tensor.size, steps)
        return np.array(view, order="C")

    return array


def _check(tensor: Tensor) -> None:
    # as_strided trusts its arguments: whatever it is given is proven to lie inside the storage.
    storage, offset, size, stride = tensor
    if not (isinstance(storage, Storage) and type(size) is type(stride) is tuple):
        raise TorchFileError("is damaged: a tensor without storage, size or strides")
    whole = all(isinstance(n, int) and n >= 0 for n in (offset, *size, *stride))
    if not whole or len(size) != len(stride):
        raise TorchFileError(f"is damaged: a tensor has {offset=}, {size=}, {stride=}")
    count = math.prod(size)
    last = offset + sum((n - 1) * s for n, s in zip(size, stride, strict=True))
    if count > storage.length or (count and last >= storage.length):
        raise TorchFileError(
            f"has a tensor of {size=}, {stride=}, {offset=} in a storage of {storage.length}"
            " values: damaged, or an expanded view (save `.contiguous()` tensors)"
        )
