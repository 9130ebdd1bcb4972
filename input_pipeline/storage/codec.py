"""One example as one lossless file.

A photograph with its field is a PNG whose alpha channel is the field: anybody can look at it, and
it takes a third of the bytes. Examples with further arrays are .npz files with fixed time stamps.
Equal arrays give equal bytes.
"""

import io
import zipfile
from collections.abc import Collection

import numpy as np
from PIL import Image

from input_pipeline.storage import npy_header

Arrays = dict[str, np.ndarray]

SUFFIXES = (".png", ".npz")

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time a zip file can hold


def encode(example: Arrays) -> tuple[str, bytes]:
    """Suffix and bytes of the file for an example; the same bytes for the same arrays."""
    out = io.BytesIO()
    if _is_picture(example):
        alpha = example["fov"][..., None] * np.uint8(255)
        layers = np.concatenate([example["image"], alpha], axis=2)
        # Level 3 is near level 6 in size for photographs and several times faster to write.
        Image.fromarray(layers).save(out, "PNG", compress_level=3)
        return ".png", out.getvalue()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        for name in sorted(example):
            array = io.BytesIO()
            np.lib.format.write_array(array, np.asarray(example[name]), allow_pickle=False)
            info = zipfile.ZipInfo(f"{name}.npy", _EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            file.writestr(info, array.getvalue(), compresslevel=1)
    return ".npz", out.getvalue()


def decode(suffix: str, data: bytes, only: Collection[str] = ()) -> Arrays:
    """The arrays that `encode` was given.

    Args:
      suffix: of the file.
      data: its contents.
      only: names of the arrays that are wanted; () for all.
    """
    if suffix == ".npz":
        return npy_header.read(lambda: _arrays(data, only))
    with Image.open(io.BytesIO(data), formats=("PNG",)) as picture:
        layers = np.asarray(picture)
    image = np.ascontiguousarray(layers[..., :-1])
    example = {"image": image, "fov": (layers[..., -1] != 0).astype(np.uint8)}
    return {name: array for name, array in example.items() if not only or name in only}


def _arrays(data: bytes, only: Collection[str]) -> Arrays:
    with np.load(io.BytesIO(data), allow_pickle=False) as file:
        return {name: file[name] for name in file.files if not only or name in only}


def _is_picture(example: Arrays) -> bool:
    """Whether a PNG with alpha can hold the example: an image and its field, and nothing else."""
    if example.keys() != {"image", "fov"}:
        return False
    image, fov = example["image"], example["fov"]
    return bool(
        image.dtype == np.uint8
        and fov.dtype == np.uint8
        and image.ndim == 3
        and image.shape[2] in (1, 3)
        and fov.shape == image.shape[:2]
        and fov.max(initial=0) <= 1
    )
