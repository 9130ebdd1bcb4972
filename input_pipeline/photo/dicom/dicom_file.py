"""Pixels of a DICOM file, and what it says of the camera; never of the patient.

Needs pydicom, the optional extra `dicom`.
"""

from typing import Any, BinaryIO

import numpy as np

from input_pipeline.photo.dicom.dicom_bounds import check_inflated, check_pixels
from input_pipeline.photo.errors import PhotoError, problem

EXTRA = "pip install 'fiqa-jax[dicom]'"
# Attributes kept, by their DICOM keyword. None names a patient, a visit, a place or a day.
KEPT = {
    "Laterality": "laterality",
    "ImageLaterality": "laterality",  # the newer attribute wins
    "Manufacturer": "manufacturer",
    "ManufacturerModelName": "model",
    "HorizontalFieldOfView": "field_of_view_degrees",
    "PupilDilated": "pupil_dilated",
    "NumberOfFrames": "frames",
}
ROWS = 256  # of YBR that become RGB at a time, which pydicom does in floating point


def read_dicom(file: BinaryIO, name: str) -> tuple[np.ndarray, dict[str, str]]:
    """Reads the picture of an object that holds one.

    Grey values pass through the file's window or VOI table where it has one; otherwise the stored
    range becomes 0 to 255 (for signed values without a window, the range in the picture).
    MONOCHROME1 is turned round, palettes and YBR become RGB.

    Args:
      file: open for reading at its start.
      name: for messages.

    Returns:
      `[H, W] uint8` or `[H, W, 3] uint8`, and what is known of the camera (see KEPT).

    Raises:
      PhotoError: pydicom or a decoder is not installed, no pixels, several frames, too large, or
        damaged.
    """
    try:
        import pydicom
        from pydicom.errors import InvalidDicomError
    except ImportError:
        raise problem(name, "a DICOM file, and pydicom is not installed", EXTRA) from None

    try:
        check_inflated(file, name)
        header = pydicom.dcmread(file)
    except PhotoError:
        raise
    except InvalidDicomError:
        raise problem(
            name, "no DICOM file, though its name says so", "export it again, with its preamble"
        ) from None
    except Exception as error:
        raise problem(name, f"a damaged DICOM file ({error})", "export it again") from error
    try:
        meta = _described(header, name)
    except PhotoError:
        raise
    except Exception as error:  # values are read as they are asked for, and may be anything
        raise problem(name, f"a damaged DICOM header ({error})", "export it again") from error
    try:
        return _pixels(header), meta
    except Exception as error:  # decoders raise nearly anything on damaged data
        if "plugin" in str(error):
            syntax = getattr(header.file_meta.get("TransferSyntaxUID"), "name", "unknown")
            raise problem(name, f"no decoder for its compression, {syntax}", EXTRA) from error
        raise problem(
            name, f"DICOM pixels that cannot be decoded ({error})", "export it again"
        ) from error


def _described(header: Any, name: str) -> dict[str, str]:
    """What is known of the camera, of an object that holds one picture of a size that can be."""
    if "PixelData" not in header:
        what = getattr(header.get("SOPClassUID"), "name", "unknown")
        raise problem(name, f"a DICOM file without pixels ({what})", "choose the image object")
    meta = {"format": "DICOM", "mode": str(header.get("PhotometricInterpretation", "unknown"))}
    for keyword, key in KEPT.items():
        if str(header.get(keyword) or ""):
            meta[key] = str(header.get(keyword))
    if (frames := int(header.get("NumberOfFrames") or 1)) > 1:
        raise problem(
            name,
            f"a DICOM object of {frames} frames, any of which may be the photograph",
            "export each as an object of its own",
        )
    check_pixels(header, name)
    return meta


def _pixels(header: Any) -> np.ndarray:
    from pydicom.pixels import get_decoder

    decoder = get_decoder(header.file_meta.TransferSyntaxUID)
    array, properties = decoder.as_array(header, index=0, raw=True)
    del header.PixelData  # the array is beside it
    if "YBR" in str(properties["photometric_interpretation"]):
        array = _rgb(array, str(properties["photometric_interpretation"]))
    bits = 8 * array.dtype.itemsize
    if bits > 16:
        return _scaled(array, array, header)
    unsigned = np.dtype(f"u{array.dtype.itemsize}")
    every = np.arange(2**bits, dtype=unsigned)
    table = _scaled(every.view(array.dtype), array, header)
    if bits == 8 and table.ndim == 1 and (table == every).all():
        return array
    return table[array.view(unsigned)]


def _rgb(array: np.ndarray, photometric: str) -> np.ndarray:
    """YBR as RGB, `[H, W, 3]`, in place where the decoder lets it."""
    from pydicom.pixels import convert_color_space

    out = array if array.flags.writeable else np.empty_like(array)
    for row in range(0, len(array), ROWS):
        rows = slice(row, row + ROWS)
        out[rows] = convert_color_space(array[rows], photometric, "RGB")
    return out


def _scaled(values: np.ndarray, array: np.ndarray, header: Any) -> np.ndarray:
    """Stored values as 0 to 255, `values.shape uint8` or `[..., 3]` of a palette.

    Args:
      values: all that there may be, or the picture's.
      array: the picture, for a range that the header does not tell.
      header: windows, tables and bits.
    """
    from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_voi_lut

    photometric = header.PhotometricInterpretation
    signed = header.PixelRepresentation == 1
    top = 2.0**header.BitsStored - 1
    low, high = 0.0, top
    if photometric == "PALETTE COLOR":
        values = apply_color_lut(values, header)
        high = float(np.iinfo(values.dtype).max)
    elif photometric.startswith("MONOCHROME"):
        if "WindowCenter" in header or "VOILUTSequence" in header:
            if signed:
                low, high = -(top + 1) / 2, (top - 1) / 2
            slope = float(header.get("RescaleSlope", 1))
            offset = float(header.get("RescaleIntercept", 0))
            low, high = low * slope + offset, high * slope + offset
            values = apply_voi_lut(apply_modality_lut(values, header), header)
            if "VOILUTSequence" in header:
                low, high = 0.0, 2.0 ** header.VOILUTSequence[0].LUTDescriptor[2] - 1
        elif signed:
            low, high = float(array.min()), max(float(array.max()), float(array.min()) + 1)
    unit = np.clip((values.astype(np.float64) - low) / (high - low), 0, 1)
    if photometric == "MONOCHROME1":
        unit = 1 - unit
    return np.rint(unit * 255).astype(np.uint8)
