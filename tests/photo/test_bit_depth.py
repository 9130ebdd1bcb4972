"""Values of 8 to 16 bits, all of them read."""

import struct
import zlib

import numpy as np
import pytest
from encoded import pack
from PIL import Image

from input_pipeline.photo import decode
from input_pipeline.photo.errors import PhotoError


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


def tiff_in_planes(values):
    """A TIFF by hand, `[H, W, 3] uint16`, each colour in a plane of its own: Pillow writes none."""
    height, width = values.shape[:2]
    planes = [values[..., k].astype("<u2").tobytes() for k in range(3)]
    entries = [(256, 4, [width]), (257, 4, [height]), (258, 3, [16] * 3), (259, 3, [1])]
    entries += [(262, 3, [2]), (273, 4, None), (277, 3, [3]), (278, 4, [height])]
    entries += [(279, 4, [len(planes[0])] * 3), (284, 3, [2])]
    at = 8 + 2 + 12 * len(entries) + 4
    extra, directory = b"", b""
    data_at = at + 6 + 12 + 12  # behind the three lists
    for tag, kind, numbers in entries:
        numbers = numbers or [data_at + k * len(planes[0]) for k in range(3)]
        packed = struct.pack(f"<{len(numbers)}{'H' if kind == 3 else 'I'}", *numbers)
        if len(packed) > 4:
            extra, packed = extra + packed, struct.pack("<I", at + len(extra))
        directory += struct.pack("<HHI", tag, kind, len(numbers)) + packed.ljust(4, b"\0")
    head = b"II*\0" + struct.pack("<IH", 8, len(entries))
    return head + directory + b"\0" * 4 + extra + b"".join(planes)


def test_planes_of_sixteen_bits_are_refused():
    """Of (48000, 24000, 11200) everywhere Pillow makes noise, without a word."""
    data = tiff_in_planes(np.tile(np.array([48000, 24000, 11200], np.uint16), (4, 5, 1)))
    with pytest.raises(PhotoError, match=r"in a plane of its own, of 16 bits; export it with"):
        decode.decode(data)


def test_grey_of_sixteen_bits_whose_least_is_white():
    values = np.array([[0, 65535], [25700, 514]], np.uint16)
    data = pack(Image.fromarray(values), "TIFF", tiffinfo={262: 0})
    np.testing.assert_array_equal(pixels(data, grey=True), [[255, 0], [155, 253]])
