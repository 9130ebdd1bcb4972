"""What a DICOM object would take to decode, before it is inflated or decoded.

Needs pydicom, the optional extra `dicom`.
"""

import itertools
import os
import struct
import zlib
from typing import Any, BinaryIO

from input_pipeline.photo.errors import problem
from input_pipeline.photo.limits import MEMORY, check_memory, check_size

FILE = MEMORY // 2  # bytes of an object, inflated: its pixels are held a second time as an array
PIECE = 1 << 20  # bytes that are inflated at a time
# Of one sample of a pixel, in units of its stored size: the object's, the decoder's, the array's.
HELD = 3
SHOWN = 3  # bytes of a sample more, for what becomes of it: 8 bits, and Pillow's picture
UNUSUAL = 32  # bytes of a sample that is stored in more than 16 bits: scaled in float64
# JPEG start of frame (ISO/IEC 10918-1 B.1.1.3) and JPEG-LS (ISO/IEC 14495-1 C.1.1).
FRAMES = {*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC}
RLE_HEADER = struct.Struct("<16L")  # count of segments, and where each begins (DICOM PS3.5 G.5)


def check_inflated(file: BinaryIO, name: str) -> None:
    """Refuses an object of more than FILE bytes, be it only once it is inflated.

    Args:
      file: open for reading at its start, where it stands afterwards.
      name: for messages.

    Raises:
      PhotoError: it is larger.
      Exception: whatever pydicom raises on an object that is damaged.
    """
    from pydicom.filereader import read_dataset, read_preamble
    from pydicom.uid import DeflatedExplicitVRLittleEndian

    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    read_preamble(file, False)
    group = read_dataset(file, False, True, stop_when=lambda tag, vr, length: tag.group > 2)
    if group.get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian:
        inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        rest = file.read(PIECE)
        size = 0
        while rest and not inflate.eof and size <= FILE:
            size += len(inflate.decompress(rest, PIECE))
            rest = inflate.unconsumed_tail or file.read(PIECE)
    file.seek(0)
    if size > FILE:
        raise problem(
            name,
            f"a DICOM object of more than {FILE >> 20} MiB, which takes more than {MEMORY >> 30} "
            "GiB to decode",
            "export it smaller",
        )


def check_pixels(header: Any, name: str) -> None:
    """Refuses an object by its size, or by the sizes that its compressed pixels say of themselves.

    Args:
      header: the object, read, its pixels as stored.
      name: for messages.

    Raises:
      PhotoError: too large, or compressed pixels of another size than the header says.
      Exception: whatever pydicom raises on an object that is damaged.
    """
    width, height = int(header.get("Columns") or 0), int(header.get("Rows") or 0)
    check_size(width, height, name)
    mode = str(header.get("PhotometricInterpretation", "unknown"))
    samples = 3 if "PALETTE" in mode else int(header.get("SamplesPerPixel") or 1)
    stored = -(-int(header.get("BitsAllocated") or 8) // 8)
    cost = HELD * stored + SHOWN if stored <= 2 else UNUSUAL
    check_memory(width * height * samples * cost, width, height, mode, name)
    syntax = header.file_meta.TransferSyntaxUID
    if not syntax.is_compressed or syntax.is_deflated:
        return
    from pydicom.encaps import get_frame

    frame = get_frame(header.PixelData, 0, number_of_frames=1)
    if "RLE" in syntax.name:
        if longest_segment(frame, 2 * width * height) <= width * height + 1:
            return
        says = "more pixels"
    else:
        size = coded_size(frame)
        if size is None or size == (width, height):
            return  # where it says nothing, its decoder finds damage in its first bytes
        says = f"{size[0]} x {size[1]} pixels"
    raise problem(
        name,
        f"a DICOM object of {width} x {height} pixels, whose compressed data hold {says}",
        "export it again",
    )


def coded_size(data: bytes) -> tuple[int, int] | None:
    """Width and height that a JPEG, JPEG-LS or JPEG 2000 stream says of itself; None for neither.

    JPEG 2000: image area less its offset (ISO/IEC 15444-1 A.5.1), also inside a JP2 file.
    """
    start = data.find(b"\xff\x4f\xff\x51")
    if start >= 0 and not data.startswith(b"\xff\xd8"):
        if len(data) < start + 24:
            return None
        right, bottom, left, top = struct.unpack_from(">4L", data, start + 8)
        return right - left, bottom - top
    at = 2
    while data.startswith(b"\xff\xd8") and at + 9 <= len(data):
        if data[at] != 0xFF:
            return None
        marker = data[at + 1]
        if marker in FRAMES:
            height, width = struct.unpack_from(">2H", data, at + 5)
            return width, height
        if marker == 0xFF:  # a fill byte
            at += 1
        elif marker == 0x01 or 0xD0 <= marker <= 0xD8:  # without a length
            at += 2
        else:
            at += 2 + struct.unpack_from(">H", data, at + 2)[0]
    return None


def longest_segment(data: bytes, stop: int) -> int:
    """Bytes that the longest segment of a run-length frame becomes, counted up to about `stop`.

    PackBits, as DICOM PS3.5 annex G.3 describes it: a head n from 0 to 127 and n + 1 bytes as they
    are; from 129 to 255 one byte, repeated 257 - n times; 128 is skipped.
    """
    if len(data) < RLE_HEADER.size:
        return 0
    count, *starts = RLE_HEADER.unpack_from(data)
    starts = [*starts[: min(count, 15)], len(data)]
    longest = 0
    for at, end in itertools.pairwise(starts):
        end = min(end, len(data))
        length = 0
        while at < end and length <= stop:
            head = data[at]
            if head < 128:
                length += head + 1
                at += head + 2
            else:
                length += 257 - head if head > 128 else 0
                at += 2 if head > 128 else 1
        longest = max(longest, length)
    return longest
