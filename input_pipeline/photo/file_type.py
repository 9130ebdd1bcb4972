"""What a file is by its first bytes, whatever its name says."""

import os
import re
from typing import BinaryIO

from input_pipeline import marked
from input_pipeline.photo.errors import PhotoError, problem

# How the names of photographs end, for walking folders; opening goes by the contents alone.
SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".png", ".tif", ".tiff", ".bmp", ".gif", ".webp", ".avif"),
    *(".jp2", ".j2k", ".ppm", ".pgm", ".pnm", ".dcm", ".dicom"),
)
IMAGES = (  # first bytes -> a key of decode.READERS
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"II+\x00", "TIFF"),
    (b"MM\x00+", "TIFF"),
    (b"GIF8", "GIF"),
    (b"\x00\x00\x00\x0cjP  \r\n\x87\n", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
)
OTHERS = (
    (b"%PDF", "a PDF document"),
    (b"%!PS", "a PostScript document"),
    (b"PK\x03\x04", "a ZIP archive or an Office document"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!", "a RAR archive"),
    (b"\xd0\xcf\x11\xe0", "an old Office document"),
    (b"8BPS", "a Photoshop file"),
    (b"\x89HDF", "an HDF5 file"),
    (b"\x93NUMPY", "a NumPy array file"),
    (b"version https://git-lfs", "a Git LFS pointer in place of the file"),
    (b"{\\rtf", "an RTF document"),
)
SUPPORTED = "expected JPEG, PNG, TIFF, BMP, GIF, WebP, JPEG 2000, AVIF, PNM or DICOM"


def kind(file: BinaryIO, name: str) -> str:
    """A key of decode.READERS, or 'DICOM'.

    Args:
      file: open for reading at its start, where it is left.
      name: for messages; its ending decides only about DICOM files without their preamble.

    Raises:
      PhotoError: empty, or nothing that can be read, with what it looks like instead.
    """
    head = file.read(512)
    file.seek(0)
    if not head:
        raise problem(name, "an empty file", "copy or export it again")
    if head[128:132] == b"DICM":
        return "DICOM"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WebP"
    if head[4:12] in (b"ftypavif", b"ftypavis"):
        return "AVIF"
    for start, image in IMAGES:
        if head.startswith(start):
            return image
    if re.match(rb"P[1-6]\s+[#\d]", head):
        return "PNM"
    if head[:2] == b"BM" and head[6:10] == bytes(4):
        return "BMP"
    if os.path.splitext(name)[1].lower() in (".dcm", ".dicom"):
        return "DICOM"
    raise problem(name, f"{looks_like(head)}, not a photograph", SUPPORTED)


def other_than_photograph(path: str | os.PathLike[str]) -> str:
    """What a file of a folder is, in words; '' where it is to be opened as a photograph.

    Those are files that end or begin like one, HEIC among them: why they cannot be opened is told
    then. Drawings of this package are none.
    """
    name = os.fspath(path)
    suffix = os.path.splitext(name)[1].lower()
    try:
        with open(path, "rb") as file:
            head = file.read(marked.HEAD)
            if marked.is_marked(head):
                return "a picture that fiqa_jax drew"
            file.seek(0)
            if suffix in (*SUFFIXES, ".heic", ".heif") or kind(file, name):
                return ""
    except PhotoError:
        return looks_like(head) if head else "an empty file"
    except OSError as error:  # told when it is opened, if it is named like a photograph
        return "" if suffix in SUFFIXES else f"cannot be opened ({error.strerror or error})"
    return ""


def looks_like(head: bytes) -> str:
    """What a file is by its first bytes, none of a photograph that is read: 'a PDF document'."""
    for start, what in OTHERS:
        if head.startswith(start):
            return what
    if head[4:8] == b"ftyp":
        return "a HEIC photograph or a film"
    if not head.strip(b"\x00"):
        return "nothing but zero bytes"
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype html", b"<html")):
        return "a web page (HTML; a failed download?)"
    if text.startswith(b"<svg") or b"<svg" in text:
        return "an SVG drawing"
    if text.startswith(b"<?xml"):
        return "an XML file"
    if all(c >= 32 or c in b"\t\r\n\f" for c in head):
        return "a text file"
    return f"an unknown format (it begins with {head[:8].hex(' ')})"
