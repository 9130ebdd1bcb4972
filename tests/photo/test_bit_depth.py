"""Values of 8 to 16 bits, all of them read."""

import struct
import zlib

import numpy as np
import pytest
from encoded import pack
from PIL import Image

from input_pipeline.photo import decode


def pixels(source, **options):
    return np.asarray(decode.decode(source, **options).image)


def png16(values):
    """A 16-bit RGB PNG by hand, `[H, W, 3] uint16`: Pillow cannot write one."""
    height, width = values.shape[:2]

    def chunk(name, data):
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    rows = b"".join(b"\x00" + row.astype(">u2").tobytes() for row in values)
    head = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        [chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")]
    )


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bit_grey_is_scaled(kind):
    values = np.array([[0, 257, 25700], [40000, 65407, 65535]], np.uint16)
    got = pixels(pack(Image.fromarray(values), kind), grey=True)
    np.testing.assert_array_equal(got, np.rint(values / 257))


def test_sixteen_bit_colour_is_scaled():
    values = np.random.default_rng(0).integers(0, 65536, (5, 6, 3))
    np.testing.assert_allclose(pixels(png16(values)), values / 257, atol=1)


@pytest.mark.parametrize("bits", [8, 10, 12, 14])
def test_sensor_values_in_files_of_sixteen_bits_are_scaled_by_the_bits_in_use(bits):
    values = np.random.default_rng(bits).integers(0, 2**bits, (9, 7, 3))
    values[0, 0] = 2**bits - 1
    expected = np.rint(values * 255 / (2**bits - 1))
    got = decode.decode(png16(values))
    np.testing.assert_array_equal(np.asarray(got.image), expected)
    assert got.meta["bits"] == f"{bits}-bit values in a 16-bit file, scaled to their range"
    grey = decode.decode(pack(Image.fromarray(values[..., 0].astype(np.uint16)), "TIFF"), grey=True)
    np.testing.assert_array_equal(np.asarray(grey.image), expected[..., 0])
    array = decode.decode(values.astype(np.uint16))
    np.testing.assert_array_equal(np.asarray(array.image), expected)
    assert grey.meta["bits"] == array.meta["bits"] == got.meta["bits"]


@pytest.mark.parametrize("high", [20000, 40000, 65535, 5000])
def test_other_ends_are_sixteen_bits(high):
    values = np.full((4, 5, 3), high)
    got = decode.decode(png16(values))
    np.testing.assert_allclose(np.asarray(got.image), high / 257, atol=1)
    assert "bits" not in got.meta
