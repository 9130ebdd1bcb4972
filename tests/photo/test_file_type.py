"""What a file is by its first bytes."""

import io

import pytest

from input_pipeline.photo import file_type
from input_pipeline.photo.errors import PhotoError


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\xff\xd8\xff\xe0", "JPEG"),
        (b"\x89PNG\r\n\x1a\n", "PNG"),
        (b"II*\x00", "TIFF"),
        (b"MM\x00*", "TIFF"),
        (b"MM\x00+", "TIFF"),
        (b"GIF89a", "GIF"),
        (b"RIFF\x10\x00\x00\x00WEBPVP8 ", "WebP"),
        (b"\x00\x00\x00\x1cftypavif", "AVIF"),
        (b"BM\x46\x00\x00\x00\x00\x00\x00\x00\x36", "BMP"),
        (b"P6\n8 6\n255\n", "PNM"),
        (bytes(128) + b"DICM", "DICOM"),
    ],
)
def test_photographs_by_their_first_bytes(head, kind):
    file = io.BytesIO(head + bytes(64))
    assert file_type.kind(file, "x.txt") == kind
    assert file.tell() == 0


@pytest.mark.parametrize(
    ("data", "seen"),
    [
        (b"", "an empty file"),
        (bytes(2000), "nothing but zero bytes"),
        (b"%PDF-1.7 ...", "a PDF document"),
        (b"\n<!DOCTYPE html><html><body>404", "a web page"),
        (b"\xef\xbb\xbf<HTML>", "a web page"),
        (b"<?xml version='1.0'?><svg>", "an SVG drawing"),
        (b"<?xml version='1.0'?><a/>", "an XML file"),
        (b"image,quality\n1_left,0\n", "a text file"),
        (b"BMW and other cars", "a text file"),
        (b"P5 is a road", "a text file"),
        (b"PK\x03\x04....", "a ZIP archive"),
        (b"\x1f\x8b\x08", "a gzip archive"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "a Git LFS pointer"),
        (b"\x00\x00\x00\x18ftypheic", "a HEIC photograph"),
        (b"\x93NUMPY\x01", "a NumPy array file"),
        (b"\x01\x02\x03\x04\x05\x06\x07\x08", "an unknown format .*01 02 03 04"),
    ],
)
def test_anything_else_is_called_by_its_name(data, seen):
    with pytest.raises(PhotoError, match=rf"scan\.jpg: {seen}"):
        file_type.kind(io.BytesIO(data), "scan.jpg")


def test_dicom_without_its_preamble_goes_by_its_ending():
    assert file_type.kind(io.BytesIO(b"\x08\x00\x05\x00" + bytes(200)), "A.DCM") == "DICOM"
    with pytest.raises(PhotoError):
        file_type.kind(io.BytesIO(b"\x08\x00\x05\x00" + bytes(200)), "A.jpg")
