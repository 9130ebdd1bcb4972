"""Files of several pages or frames: the photograph among its previews, or an error."""

import struct

import numpy as np
import pytest
from encoded import pack
from PIL import Image, ImageFile

from input_pipeline.photo import decode
from input_pipeline.photo.errors import PhotoError


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "WEBP", "PNG"])
def test_several_frames_of_one_size_are_said(kind):
    first, second = Image.new("RGB", (8, 6), (255, 0, 0)), Image.new("RGB", (8, 6), (0, 0, 255))
    data = pack(first, kind, save_all=True, append_images=[second])
    with pytest.raises(
        PhotoError, match=r"2 pages or frames \(8 x 6, 8 x 6 pixels\).*each to a file"
    ):
        decode.decode(data)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_frames_on_one_canvas_are_not_decoded_to_count_them(kind, monkeypatch):
    """Going to the second frame decodes the first, which may be enormous or slow."""
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda self: pytest.fail("it is decoded"))
    for reader in decode.READERS.values():
        if "load" in vars(reader):
            monkeypatch.setattr(reader, "load", lambda self: pytest.fail("it is decoded"))
    first, second = Image.new("RGB", (8, 6), (255, 0, 0)), Image.new("RGB", (8, 6), (0, 0, 255))
    with pytest.raises(PhotoError, match="2 pages or frames"):
        decode.decode(pack(first, kind, save_all=True, append_images=[second]))


def test_an_enormous_canvas_of_two_frames_is_refused_from_its_header():
    first, second = Image.new("P", (8, 6)), Image.new("P", (8, 6), 1)
    data = bytearray(pack(first, "GIF", save_all=True, append_images=[second]))
    data[6:10] = struct.pack("<HH", 65400, 65535)
    with pytest.raises(PhotoError, match="65400 x 65535 pixels, more than 200 million"):
        decode.decode(bytes(data))


@pytest.mark.parametrize("first", [True, False])
def test_of_a_photograph_and_its_preview_the_photograph_is_read(first):
    photo, preview = Image.new("RGB", (80, 60), (255, 0, 0)), Image.new("RGB", (16, 12), (0, 0, 9))
    pages = [preview, photo] if first else [photo, preview]
    got = decode.decode(pack(pages[0], "TIFF", save_all=True, append_images=pages[1:]))
    assert got.size == (80, 60)
    np.testing.assert_array_equal(np.asarray(got.image)[30, 40], [255, 0, 0])
    assert got.meta["pages"].startswith("2 pages of")
