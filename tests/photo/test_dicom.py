"""DICOM objects written here, read back to known values."""

import importlib.util
import io
import struct
import sys

import numpy as np
import pytest
from PIL import Image

pydicom = pytest.importorskip("pydicom", reason="DICOM needs the extra `dicom`")
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset  # noqa: E402
from pydicom.encaps import encapsulate  # noqa: E402
from pydicom.uid import (  # noqa: E402
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
    generate_uid,
)

from input_pipeline.photo import decode  # noqa: E402
from input_pipeline.photo.dicom import dicom_bounds  # noqa: E402
from input_pipeline.photo.errors import PhotoError  # noqa: E402

OPHTHALMIC_8_BIT = "1.2.840.10008.5.1.4.1.1.77.1.5.1"
PICTURE = np.zeros((16, 24, 3), np.uint8)
PICTURE[:8, :12], PICTURE[:8, 12:] = (200, 30, 40), (20, 180, 60)
PICTURE[8:, :12], PICTURE[8:, 12:] = (30, 60, 220), (240, 230, 20)


def dataset(array, photometric, *, stored=None, syntax=ExplicitVRLittleEndian, **more):
    """An ophthalmic photograph object around an array `[H, W]`, `[H, W, 3]` or `[F, H, W]`."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = OPHTHALMIC_8_BIT
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = syntax
    ds = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
    ds.SOPClassUID, ds.SOPInstanceUID = OPHTHALMIC_8_BIT, meta.MediaStorageSOPInstanceUID
    colour = array.ndim == 3 and array.shape[2] == 3
    ds.SamplesPerPixel = 3 if colour else 1
    if colour:
        ds.PlanarConfiguration = 0
    frames = array.shape[0] if array.ndim == 3 and not colour else None
    if frames:
        ds.NumberOfFrames = frames
    ds.Rows, ds.Columns = array.shape[:2] if not frames else array.shape[1:]
    ds.PhotometricInterpretation = photometric
    ds.BitsAllocated = array.dtype.itemsize * 8
    ds.BitsStored = stored or ds.BitsAllocated
    ds.HighBit = ds.BitsStored - 1
    ds.PixelRepresentation = int(array.dtype.kind == "i")
    ds.PixelData = array.tobytes()
    ds["PixelData"].VR = "OB" if ds.BitsAllocated == 8 else "OW"
    for name, value in more.items():
        setattr(ds, name, value)
    return ds


def packed(ds):
    out = io.BytesIO()
    ds.save_as(out, enforce_file_format=True)
    return out.getvalue()


def pixels(ds, **options):
    return np.asarray(decode.decode(packed(ds), **options).image)


def test_rgb():
    np.testing.assert_array_equal(pixels(dataset(PICTURE, "RGB")), PICTURE)


def test_ybr_becomes_rgb():
    ycc = np.array(Image.fromarray(PICTURE).convert("YCbCr"))
    np.testing.assert_allclose(pixels(dataset(ycc, "YBR_FULL")), PICTURE, atol=3)


def test_monochrome_both_ways_round():
    grey = np.arange(0, 240, 10, dtype=np.uint8).reshape(4, 6)
    np.testing.assert_array_equal(pixels(dataset(grey, "MONOCHROME2"), grey=True), grey)
    np.testing.assert_array_equal(pixels(dataset(grey, "MONOCHROME1"), grey=True), 255 - grey)
    in_three = pixels(dataset(grey, "MONOCHROME2"))
    np.testing.assert_array_equal(in_three, np.repeat(grey[..., None], 3, axis=-1))


def test_the_stored_bits_set_the_range():
    values = np.array([[0, 1024], [2048, 4095]], np.uint16)
    got = pixels(dataset(values, "MONOCHROME2", stored=12), grey=True)
    np.testing.assert_array_equal(got, np.rint(values / 4095 * 255))


def test_a_window_is_applied():
    # A CT slice in Hounsfield units, window centre 40, width 400: -160 is black, 240 white.
    raw = np.array([[0, 864], [1064, 1264], [1164, 4000]], np.int16)
    ds = dataset(raw, "MONOCHROME2", RescaleSlope=1, RescaleIntercept=-1024)
    ds.WindowCenter, ds.WindowWidth = 40, 400
    got = pixels(ds, grey=True)
    np.testing.assert_allclose(got, [[0, 0], [127.5, 255], [191, 255]], atol=1)


def test_signed_values_without_a_window_span_the_picture():
    raw = np.array([[-1000, 0], [500, 1000]], np.int16)
    got = pixels(dataset(raw, "MONOCHROME2"), grey=True)
    np.testing.assert_allclose(got, [[0, 127.5], [191, 255]], atol=1)


def test_a_voi_table_is_applied():
    table = Dataset()
    table.LUTDescriptor = [4, 0, 16]  # 4 entries from stored value 0, 16 bits each
    table.LUTData = (np.array([0, 250, 100, 200]) * 257).astype("<u2").tobytes()
    ds = dataset(np.array([[0, 1], [2, 3]], np.uint8), "MONOCHROME2", VOILUTSequence=[table])
    np.testing.assert_array_equal(pixels(ds, grey=True), [[0, 250], [100, 200]])


def test_palettes_become_rgb():
    ds = dataset(np.array([[0, 1], [2, 1]], np.uint8), "PALETTE COLOR")
    colours = np.array([[10, 20, 30], [200, 100, 50], [0, 255, 0]], np.uint16)
    for channel, name in enumerate(("Red", "Green", "Blue")):
        setattr(ds, f"{name}PaletteColorLookupTableDescriptor", [3, 0, 16])
        table = (colours[:, channel] * 257).astype("<u2").tobytes()
        setattr(ds, f"{name}PaletteColorLookupTableData", table)
    expected = colours[np.array([[0, 1], [2, 1]])]
    np.testing.assert_array_equal(pixels(ds), expected)


def test_several_frames_are_said():
    frames = np.stack([np.full((5, 6), 40, np.uint8), np.full((5, 6), 200, np.uint8)])
    with pytest.raises(PhotoError, match=r"2 frames, any of which .*object of its own"):
        decode.decode(packed(dataset(frames, "MONOCHROME2")), grey=True)


def test_jpeg_and_jpeg_2000_inside():
    for syntax, kind, options, photometric, tolerance in (
        (JPEGBaseline8Bit, "JPEG", {"quality": 100, "subsampling": 0}, "YBR_FULL", 4),
        (JPEG2000Lossless, "JPEG2000", {"irreversible": False, "no_jp2": True}, "RGB", 0),
    ):
        out = io.BytesIO()
        Image.fromarray(PICTURE).save(out, kind, **options)
        ds = dataset(PICTURE, photometric, syntax=syntax)
        ds.PixelData = encapsulate([out.getvalue()])
        assert np.abs(pixels(ds).astype(int) - PICTURE).mean() <= tolerance


def test_run_lengths_inside():
    ds = dataset(PICTURE, "RGB")
    ds.compress(RLELossless, generate_instance_uid=False)
    np.testing.assert_array_equal(pixels(ds), PICTURE)


def test_what_is_kept_names_no_patient():
    ds = dataset(
        PICTURE,
        "RGB",
        PatientName="Muster^Anna",
        PatientID="4711-PID",
        PatientBirthDate="19500101",
        StudyDate="20240229",
        AcquisitionDateTime="20240229101500",
        InstitutionName="Augenklinik",
        ImageLaterality="L",
        Manufacturer="Topcon",
        HorizontalFieldOfView=45.0,
    )
    meta = decode.decode(packed(ds)).meta
    assert meta == {
        "format": "DICOM",
        "mode": "RGB",
        "laterality": "L",
        "manufacturer": "Topcon",
        "field_of_view_degrees": "45.0",
    }


def test_files_with_pydicom_missing_name_the_extra(monkeypatch):
    data = packed(dataset(PICTURE, "RGB"))
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(PhotoError, match=r"pydicom is not installed; pip install .*\[dicom\]"):
        decode.decode(data)


@pytest.mark.skipif(
    importlib.util.find_spec("libjpeg") is not None, reason="the decoder is installed"
)
def test_a_missing_decoder_names_the_extra():
    ds = dataset(PICTURE[..., 0], "MONOCHROME2", syntax=JPEGLosslessSV1)
    ds.PixelData = encapsulate([b"\xff\xd8\xff\xd9"])
    with pytest.raises(PhotoError, match=r"JPEG Lossless.*\[dicom\]"):
        decode.decode(packed(ds))


def test_objects_without_pixels():
    ds = dataset(PICTURE, "RGB")
    del ds.PixelData
    with pytest.raises(PhotoError, match=r"without pixels .*Ophthalmic Photography 8 Bit"):
        decode.decode(packed(ds))


def test_damaged_objects(tmp_path):
    data = packed(dataset(PICTURE, "RGB"))
    with pytest.raises(PhotoError, match="DICOM"):
        decode.decode(data[:-500])
    path = tmp_path / "notes.dcm"
    path.write_text("These are notes about a patient's visit, no picture at all.")
    with pytest.raises(PhotoError, match=r"notes\.dcm: no DICOM file"):
        decode.decode(path)


@pytest.mark.parametrize("tag", ["08001600", "28000400", "28001000"])
def test_a_header_with_an_unknown_kind_of_value(tag):
    """The class, the colour model, the rows: pydicom raises where the value is asked for."""
    ds = dataset(PICTURE, "RGB")
    if tag == "08001600":
        del ds.PixelData  # only then the class is looked at
    data = packed(ds)
    place = data.rindex(bytes.fromhex(tag)) + 4
    with pytest.raises(PhotoError, match="a damaged DICOM"):
        decode.decode(data[:place] + b"UK" + data[place + 2 :])


def test_enormous_objects_are_refused_from_their_header():
    ds = dataset(PICTURE, "RGB", Rows=60000, Columns=60000)
    with pytest.raises(PhotoError, match="more than 200 million"):
        decode.decode(packed(ds))


def test_deflated_objects():
    ds = dataset(PICTURE, "RGB", syntax=DeflatedExplicitVRLittleEndian)
    np.testing.assert_array_equal(pixels(ds), PICTURE)


@pytest.mark.parametrize("syntax", [DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian])
def test_an_object_larger_than_decoding_may_take_is_not_read(syntax, monkeypatch):
    """2 MiB beside a picture of 64 pixels, stored or in some 2 KiB that inflate to them."""
    monkeypatch.setattr(dicom_bounds, "FILE", 1 << 20)
    monkeypatch.setattr(pydicom, "dcmread", lambda file: pytest.fail("it is read"))
    ds = dataset(np.zeros((8, 8), np.uint8), "MONOCHROME2", syntax=syntax)
    ds.PixelData = bytes(2 << 20)
    with pytest.raises(PhotoError, match="a DICOM object of more than 1 MiB"):
        decode.decode(packed(ds))


def test_a_picture_that_takes_too_much_is_refused_before_it_is_decoded():
    ds = dataset(PICTURE, "RGB", Rows=13_000, Columns=13_000)
    with pytest.raises(PhotoError, match="mode RGB, which takes more than 1 GiB to decode"):
        decode.decode(packed(ds))


@pytest.mark.parametrize(
    ("syntax", "kind", "options"),
    [
        (JPEGBaseline8Bit, "JPEG", {}),
        (JPEGBaseline8Bit, "JPEG", {"progressive": True}),
        (JPEG2000Lossless, "JPEG2000", {"no_jp2": True}),
        (JPEG2000Lossless, "JPEG2000", {}),
    ],
)
def test_compressed_pixels_of_another_size_than_the_header_says(syntax, kind, options):
    out = io.BytesIO()
    Image.new("RGB", (200, 150)).save(out, kind, **options)
    assert dicom_bounds.coded_size(out.getvalue()) == (200, 150)
    ds = dataset(PICTURE, "RGB", syntax=syntax)
    ds.PixelData = encapsulate([out.getvalue()])
    with pytest.raises(PhotoError, match=r"24 x 16 pixels, whose compressed data hold 200 x 150"):
        decode.decode(packed(ds))


def test_the_size_in_a_jpeg_ls_stream():
    """Its start of frame by hand: length, 8 bits, 300 rows, 400 columns, one component."""
    frame = b"\xff\xf7" + struct.pack(">HBHHBBBB", 11, 8, 300, 400, 1, 1, 0x11, 0)
    comment = b"\xff\xfe" + struct.pack(">H", 6) + b"\xff\xc0\x00\x00"  # no start of frame
    assert dicom_bounds.coded_size(b"\xff\xd8" + comment + frame) == (400, 300)
    ds = dataset(PICTURE, "RGB", syntax=JPEGLSLossless)
    ds.PixelData = encapsulate([b"\xff\xd8" + frame])
    with pytest.raises(PhotoError, match="hold 400 x 300 pixels"):
        decode.decode(packed(ds))
    for cut in (b"", b"\xff\xd8", b"\xff\xd8\xff", b"\xff\x4f\xff\x51\x00", b"text"):
        assert dicom_bounds.coded_size(cut) is None


def test_run_lengths_that_hold_more_than_the_header_says():
    runs = bytes([129, 7]) * 1000  # 128,000 pixels
    ds = dataset(PICTURE[..., 0], "MONOCHROME2", syntax=RLELossless)
    ds.PixelData = encapsulate([dicom_bounds.RLE_HEADER.pack(1, 64, *[0] * 14) + runs])
    with pytest.raises(PhotoError, match="24 x 16 pixels, whose compressed data hold more pixels"):
        decode.decode(packed(ds))


def test_how_long_run_lengths_become():
    """Three as they are, a head that is skipped, five of one: eight; the second segment is one."""
    first, second = bytes([2, 1, 2, 3, 128, 252, 9]), bytes([0, 5])
    head = dicom_bounds.RLE_HEADER.pack(2, 64, 64 + len(first), *[0] * 13)
    assert dicom_bounds.longest_segment(head + first + second, 100) == 8
    assert dicom_bounds.longest_segment(head[:20], 100) == 0
