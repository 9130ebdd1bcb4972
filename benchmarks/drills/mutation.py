"""Files that are damaged, by accident or on purpose; the same case number, the same damage."""

import random
import struct
import zlib
from collections.abc import Callable, Mapping

MAGIC = (
    b"\xff\xd8\xff",
    b"\x89PNG\r\n\x1a\n",
    b"II*\0",
    b"MM\0*",
    b"II+\0",
    b"GIF89a",
    b"BM",
    b"RIFF\0\0\0\0WEBP",
    b"P6 ",
    b"P5\n",
    b"\0\0\0\x0cjP  \r\n\x87\n",
    b"\xff\x4f\xff\x51",
    b"\0\0\0\x20ftypavif",
    b"\0" * 128 + b"DICM",
    b"PK\3\4",
    b"\x1f\x8b",
)
EXTREME = (b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", bytes(4), b"\0\0\xc3\x50", b"\x50\xc3\0\0")
EXTREME += (b"\xff\xff\xff\x7f", b"\0\0\0\x80")
HEAD = 300  # bytes in which sizes and kinds stand


def accident(rng: random.Random, data: bytes) -> bytes:
    """One bit flipped, the end cut off, or 512 bytes set to zero."""
    out, place = bytearray(data), rng.randrange(len(data))
    way = rng.randrange(3)
    if way == 0:
        out[place] ^= 1 << rng.randrange(8)
    elif way == 1:
        del out[place:]
    else:
        out[place : place + 512] = bytes(len(out[place : place + 512]))
    return bytes(out)


def mutated(rng: random.Random, data: bytes, others: Mapping[str, bytes]) -> bytes:
    """A picture's file, changed in one of twelve ways.

    Args:
      rng: of the case; data: the file, at least 300 bytes; others: files to splice with.
    """
    way = rng.choice(WAYS)
    out = bytearray(data)
    if way is _splice:
        other = others[rng.choice(sorted(others))]
        place = rng.randrange(min(len(out), len(other)))
        return bytes(out[:place] + other[place:])
    way(rng, out)
    return bytes(out)


def _flip(rng: random.Random, out: bytearray, times: int, first: int = 0, end: int = 0) -> None:
    for _ in range(times):
        out[rng.randrange(first, end or len(out))] ^= 1 << rng.randrange(8)


def _part(rng: random.Random, out: bytearray, most: int) -> slice:
    first = rng.randrange(len(out))
    return slice(first, min(len(out), first + rng.randrange(1, most)))


def _one_bit(rng: random.Random, out: bytearray) -> None:
    _flip(rng, out, 1)


def _bits(rng: random.Random, out: bytearray) -> None:
    _flip(rng, out, rng.randrange(2, 40))


def _bits_of_the_head(rng: random.Random, out: bytearray) -> None:
    _flip(rng, out, rng.randrange(1, 8), 0, min(len(out), HEAD))


def _cut_off(rng: random.Random, out: bytearray) -> None:
    del out[rng.randrange(len(out)) :]


def _other_kind(rng: random.Random, out: bytearray) -> None:
    magic = rng.choice(MAGIC)
    out[: len(magic)] = magic


def _extreme_numbers(rng: random.Random, out: bytearray) -> None:
    for _ in range(rng.randrange(1, 4)):
        place = rng.randrange(min(len(out) - 4, HEAD))
        out[place : place + 4] = rng.choice(EXTREME)


def _zeros(rng: random.Random, out: bytearray) -> None:
    where = _part(rng, out, 400)
    out[where] = bytes(len(out[where]))


def _gap(rng: random.Random, out: bytearray) -> None:
    del out[_part(rng, out, 400)]


def _inserted(rng: random.Random, out: bytearray) -> None:
    place = rng.randrange(len(out))
    out[place:place] = rng.randbytes(rng.randrange(1, 300))


def _splice(rng: random.Random, out: bytearray) -> None:
    """The rest of another file behind the beginning of this one; see `mutated`."""


def _repeated(rng: random.Random, out: bytearray) -> None:
    where = _part(rng, out, 600)
    out[where.stop : where.stop] = out[where]


def _noise(rng: random.Random, out: bytearray) -> None:
    """Behind a PNG's own checksum, which is made to fit; of others the tail."""
    if out[:4] == b"\x89PNG":
        _flip(rng, out, rng.randrange(1, 4), 16, 29)
        out[29:33] = struct.pack(">I", zlib.crc32(bytes(out[12:29])))
        return
    place = rng.randrange(len(out))
    out[place:] = rng.randbytes(min(len(out) - place, 2000))


WAYS: tuple[Callable[[random.Random, bytearray], None], ...] = (
    _one_bit,
    _bits,
    _bits_of_the_head,
    _cut_off,
    _other_kind,
    _extreme_numbers,
    _zeros,
    _gap,
    _inserted,
    _splice,
    _repeated,
    _noise,
)
