"""Pictures that are too large, refused from their header."""

import struct
import zlib

import pytest
from encoded import pack
from PIL import Image

from input_pipeline.photo import decode
from input_pipeline.photo.errors import PhotoError


def _bomb_png(side=60000, depth=8, colour=2, height=None):
    head = struct.pack(">IIBBBBB", side, height or side, depth, colour, 0, 0, 0)
    head = b"IHDR" + head
    head = struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head))
    return b"\x89PNG\r\n\x1a\n" + head + struct.pack(">I", 1000) + b"IDAT"


def _bomb_jpeg():
    data = bytearray(pack(Image.new("RGB", (64, 64)), "JPEG"))
    at = data.index(b"\xff\xc0")  # start of frame: length, precision, height, width
    data[at + 5 : at + 9] = struct.pack(">HH", 40000, 40000)
    return bytes(data)


@pytest.mark.parametrize(("side", "depth", "colour"), [(9000, 8, 6), (5000, 16, 2), (9000, 16, 0)])
def test_what_would_take_more_than_a_gibibyte_is_refused(side, depth, colour):
    """Alpha, 16 bits a channel, 16 bits of grey: copies are made on the way to RGB."""
    with pytest.raises(PhotoError, match="takes more than 1 GiB to decode"):
        decode.decode(_bomb_png(side, depth, colour))
    with pytest.raises(PhotoError, match="damaged, truncated"):
        decode.decode(_bomb_png(64, depth, colour))


@pytest.mark.parametrize("make", [_bomb_png, _bomb_jpeg], ids=["png", "jpeg"])
def test_enormous_pictures_are_refused_from_their_header(make):
    # Warnings are errors here: Pillow's own on large pictures must not come first.
    data = make() + bytes(200)
    with pytest.raises(PhotoError, match="more than 200 million"):
        decode.decode(data)


@pytest.mark.parametrize(("width", "height"), [(200_000_000, 1), (1, 100_000_000), (65_536, 64)])
def test_strips_longer_than_any_photograph_are_refused_from_their_header(width, height):
    with pytest.raises(PhotoError, match=f"{width} x {height} pixels, more than 65,535 along"):
        decode.decode(_bomb_png(width, 8, 0, height))


def test_the_longest_strip_is_read():
    assert decode.decode(pack(Image.new("L", (65_535, 1)), "PNG")).size == (65_535, 1)


def test_large_pictures_within_the_limit_do_not_warn():
    # 100 million pixels, past the 89 at which Pillow warns; one bit each.
    assert decode.decode(pack(Image.new("1", (10000, 10000)), "PNG"), grey=True).size[0] == 10000
