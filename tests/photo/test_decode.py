"""Files and arrays of every kind, decoded to values known beforehand."""

import os
import struct
from pathlib import Path

import numpy as np
import pytest
from encoded import pack
from PIL import Image

from input_pipeline.photo import decode
from input_pipeline.photo.errors import PhotoError

# Distinct corners, and no symmetry, so that no two ways of turning look the same.
PICTURE = np.zeros((24, 32, 3), np.uint8)
PICTURE[:12, :16], PICTURE[:12, 16:] = (200, 30, 40), (20, 180, 60)
PICTURE[12:, :16], PICTURE[12:, 16:] = (30, 60, 220), (240, 230, 20)


def pixels(source, **options):
    return np.asarray(decode.decode(source, **options).image)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("PNG", {}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("BMP", {}),
        ("PPM", {}),
        ("WEBP", {"lossless": True}),
        ("JPEG2000", {"irreversible": False}),
    ],
)
def test_lossless_files_keep_every_value(kind, options):
    np.testing.assert_array_equal(pixels(pack(Image.fromarray(PICTURE), kind, **options)), PICTURE)


@pytest.mark.parametrize(("kind", "subsampling"), [("JPEG", 0), ("AVIF", "4:4:4")])
def test_lossy_files_nearly(kind, subsampling):
    got = pixels(pack(Image.fromarray(PICTURE), kind, quality=100, subsampling=subsampling))
    assert np.abs(got.astype(int) - PICTURE).mean() < 3


def test_grey_becomes_three_equal_channels_or_one():
    grey = np.arange(48, dtype=np.uint8).reshape(6, 8) * 5
    data = pack(Image.fromarray(grey), "PNG")
    np.testing.assert_array_equal(pixels(data), np.repeat(grey[..., None], 3, axis=-1))
    np.testing.assert_array_equal(pixels(data, grey=True), grey)


def test_colour_to_grey_is_the_luma_of_bt_601():
    got = pixels(pack(Image.fromarray(PICTURE), "PNG"), grey=True)
    np.testing.assert_allclose(got, PICTURE @ np.array([0.299, 0.587, 0.114]), atol=1)


@pytest.mark.parametrize("kind", ["TIFF", "JPEG"])
def test_cmyk(kind):
    # Ink shares of white, cyan, magenta, yellow, black; JPEGs by Adobe store them inverted.
    inks = [(0, 0, 0, 0), (255, 0, 0, 0), (0, 255, 0, 0), (0, 0, 255, 0), (0, 0, 0, 255)]
    light = [(255, 255, 255), (0, 255, 255), (255, 0, 255), (255, 255, 0), (0, 0, 0)]
    image = Image.fromarray(np.repeat(np.uint8([inks]), 16, axis=0).repeat(16, axis=1), "CMYK")
    data = pack(image, kind, **({"quality": 100, "subsampling": 0} if kind == "JPEG" else {}))
    if kind == "JPEG":
        assert b"Adobe" in data[:200]
    np.testing.assert_allclose(pixels(data)[8, 8::16], light, atol=3)


def test_palette_and_its_transparent_colour():
    image = Image.fromarray(np.array([[0, 1], [2, 1]], np.uint8), "P")
    image.putpalette([10, 20, 30, 200, 100, 50, 0, 255, 0])
    expected = np.array([[[10, 20, 30], [200, 100, 50]], [[0, 255, 0], [200, 100, 50]]])
    np.testing.assert_array_equal(pixels(pack(image, "PNG")), expected)
    expected[:, 1] = 0
    np.testing.assert_array_equal(pixels(pack(image, "PNG", transparency=1)), expected)


def test_transparency_lies_on_black():
    colour = np.array([[[200, 100, 50, 255], [200, 100, 50, 51], [9, 9, 9, 0]]], np.uint8)
    expected = [[[200, 100, 50], [40, 20, 10], [0, 0, 0]]]  # 51 / 255 = 1 / 5
    np.testing.assert_array_equal(pixels(pack(Image.fromarray(colour), "PNG")), expected)
    grey = pack(Image.fromarray(colour[..., [0, 3]], "LA"), "PNG")
    np.testing.assert_array_equal(pixels(grey, grey=True), [[200, 40, 0]])


def test_one_bit():
    bits = np.array([[True, False], [False, True]])
    got = pixels(pack(Image.fromarray(bits), "PNG"), grey=True)
    np.testing.assert_array_equal(got, bits * 255)


# Stored rows and columns by the EXIF standard's words: 6 = "the 0th row is the visual right-hand
# side, the 0th column is the visual top", and so on.
STORED = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: a[:, ::-1].transpose(1, 0, 2),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: a[::-1].transpose(1, 0, 2),
}


def _exif(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


@pytest.mark.parametrize("orientation", STORED)
def test_every_exif_orientation_comes_upright(orientation):
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation](PICTURE)))
    for kind in ("PNG", "TIFF"):
        got = decode.decode(pack(stored, kind, exif=_exif(orientation)))
        np.testing.assert_array_equal(np.asarray(got.image), PICTURE)
        assert got.size == (32, 24)
        assert got.origin == (0, 0)


@pytest.mark.parametrize("orientation", STORED)
def test_scaled_decoding_keeps_the_place_of_every_pixel(orientation):
    # At 1/4 the last cells reach 3 and 2 pixels beyond. A ramp tells where a cell lies: its value
    # is that of its centre.
    width, height = 2305, 2066
    x, y = np.arange(width) + 0.5, np.arange(height) + 0.5
    ramp = (x[None, :] * 200 / width)[..., None] * [1, 0, 0] + (y[:, None] * 200 / height)[
        ..., None
    ] * [0, 1, 0]
    stored = STORED[orientation](np.rint(ramp).astype(np.uint8))
    data = pack(
        Image.fromarray(np.ascontiguousarray(stored)),
        "JPEG",
        quality=98,
        subsampling=0,
        exif=_exif(orientation),
    )
    got = decode.decode(data, short_side=500)
    assert got.scale == 4
    assert got.size == (width, height)
    assert got.image.size == (577, 517)
    cells = np.asarray(got.image).astype(float)
    x = got.origin[0] + (np.arange(577) + 0.5) * 4
    y = got.origin[1] + (np.arange(517) + 0.5) * 4
    # Rounding and JPEG leave noise of a grey level; a cell of error shifts the mean by 0.35.
    inner = np.s_[8:-8]
    assert abs((cells[..., 0] - x[None, :] * 200 / width)[inner, inner].mean()) < 0.1
    assert abs((cells[..., 1] - y[:, None] * 200 / height)[inner, inner].mean()) < 0.1


def test_the_scale_leaves_what_is_asked_for():
    data = pack(Image.new("RGB", (3504, 2336)), "JPEG")
    scales = {None: 1, 100: 4, 448: 4, 584: 4, 585: 2, 1168: 2, 1169: 1, 5000: 1}
    for short_side, scale in scales.items():  # 100: 1/8 would leave 438 < 512 on the long side
        assert decode.decode(data, short_side=short_side).scale == scale
    assert decode.decode(pack(Image.new("RGB", (3504, 2336)), "PNG"), short_side=100).scale == 1


def test_a_damaged_exif_block_does_not_matter():
    data = pack(Image.fromarray(PICTURE), "JPEG", quality=100, exif=b"Exif\x00\x00MM\x00*\xff\xff")
    assert decode.decode(data).size == (32, 24)


def test_arrays():
    np.testing.assert_array_equal(pixels(PICTURE), PICTURE)
    np.testing.assert_array_equal(pixels(PICTURE.astype(np.uint16) * 257), PICTURE)
    np.testing.assert_array_equal(pixels(PICTURE / 255), PICTURE)
    np.testing.assert_array_equal(pixels((PICTURE / 255).astype(np.float32)), PICTURE)
    np.testing.assert_array_equal(pixels(PICTURE[..., 0], grey=True), PICTURE[..., 0])
    np.testing.assert_array_equal(pixels(PICTURE[..., :1], grey=True), PICTURE[..., 0])
    np.testing.assert_array_equal(pixels(PICTURE[::-1, ::2]), PICTURE[::-1, ::2])
    clear = np.concatenate([PICTURE, np.full((24, 32, 1), 51, np.uint8)], axis=-1)
    np.testing.assert_array_equal(pixels(clear), np.rint(PICTURE / 5))


@pytest.mark.parametrize(
    ("array", "seen"),
    [
        (np.zeros(5, np.uint8), r"shape \[5\]"),
        (np.zeros((4, 4, 2), np.uint8), r"shape \[4, 4, 2\]"),
        (np.zeros((2, 4, 4, 3), np.uint8), "shape"),
        (np.zeros((0, 4, 3), np.uint8), "4 x 0 pixels"),
        (np.zeros((4, 4, 3), np.int32), "type int32"),
        (np.zeros((4, 4), bool), "type bool"),
        (np.full((4, 4), np.nan), "NaN"),
        (np.full((4, 4), np.inf), "infinite"),
        (np.full((4, 4), 130.0), "from 130 to 130"),
        (np.full((4, 4), -0.5), "from -0.5"),
    ],
)
def test_wrong_arrays_are_refused(array, seen):
    with pytest.raises(PhotoError, match=seen):
        decode.decode(array)


def test_neither_path_nor_bytes_nor_array():
    with pytest.raises(TypeError, match="not int"):
        decode.decode(7)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "GIF", "BMP", "WEBP", "JPEG2000", "PPM"])
def test_truncated_files_are_one_clear_error(kind, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    data = pack(Image.fromarray(noise), kind)
    for size in (len(data) // 2, 40):
        path = tmp_path / "half.jpg"
        path.write_bytes(data[:size])
        with pytest.raises(PhotoError, match=r"half\.jpg.*damaged, truncated.*copy it again"):
            decode.decode(path)


def test_truncated_large_jpegs_are_refused_when_scaled_too():
    noise = np.random.default_rng(0).integers(0, 256, (1200, 1200, 3)).astype(np.uint8)
    data = pack(Image.fromarray(noise), "JPEG")
    with pytest.raises(PhotoError, match="truncated"):
        decode.decode(data[: len(data) // 2], short_side=500)


def test_modes_without_a_meaning_here_are_refused():
    data = bytearray(pack(Image.new("L", (8, 8)), "TIFF"))
    at = data.index(struct.pack("<HHI", 258, 3, 1)) + 8  # BitsPerSample, one SHORT
    data[at] = 7
    with pytest.raises(PhotoError, match=r"unsupported TIFF .*RGB or grey of 8 or 16 bits"):
        decode.decode(bytes(data))
    wide = pack(Image.fromarray(np.full((4, 4), 9.5, np.float32)), "TIFF")
    with pytest.raises(PhotoError, match=r"float values from 9\.5"):
        decode.decode(wide)


def test_float_tiffs_in_range_are_read():
    values = np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4)
    got = pixels(pack(Image.fromarray(values), "TIFF"), grey=True)
    np.testing.assert_array_equal(got, np.rint(values * 255))


def test_paths_that_are_no_files(tmp_path):
    with pytest.raises(PhotoError, match="no such file; check the path"):
        decode.decode(tmp_path / "none.jpg")
    with pytest.raises(PhotoError, match="a folder"):
        decode.decode(tmp_path)
    with pytest.raises(PhotoError, match="cannot be opened"):
        decode.decode("a\0b.jpg")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(PhotoError, match="no ordinary file"):
            decode.decode(tmp_path / "pipe")


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="no such file here")
def test_a_file_that_fails_while_it_is_read():
    """Its first bytes are an error of input and output, as on a failing disk."""
    with pytest.raises(PhotoError, match=r"mem: it cannot be read \(.*Input/output error"):
        decode.decode("/proc/self/mem")


def test_errors_name_what_was_given(tmp_path):
    with pytest.raises(PhotoError, match=r"the 3 bytes given: .*text"):
        decode.decode(b"abc")
    path = tmp_path / "photo.png"
    path.write_bytes(b"")
    with pytest.raises(PhotoError, match=r"photo\.png: an empty file"):
        decode.decode(str(path))


def test_a_wrong_ending_does_not_matter(tmp_path):
    path = tmp_path / "really_a_png.jpg"
    path.write_bytes(pack(Image.fromarray(PICTURE), "PNG"))
    got = decode.decode(path)
    np.testing.assert_array_equal(np.asarray(got.image), PICTURE)
    assert got.meta == {"format": "PNG", "mode": "RGB"}
