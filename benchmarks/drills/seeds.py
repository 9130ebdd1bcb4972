"""One synthetic photograph as a file of 24 formats."""

import io
from typing import Any

import numpy as np
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRLittleEndian, JPEGBaseline8Bit

from input_pipeline import synthetic

SIDE = 120  # pixels
PHOTOGRAPHY = "1.2.840.10008.5.1.4.1.1.77.1.5.1"  # Ophthalmic Photography 8 Bit Image Storage
# A patient who does not exist, to look for where nothing of a patient may be.
PERSON = {
    "PatientName": "Zebrafink^Quintessa",
    "PatientID": "PID-55512345",
    "PatientBirthDate": "19310417",
    "StudyDate": "20190302",
    "InstitutionName": "Klinik Morgenrot",
    "ReferringPhysicianName": "Drfoo^Bar",
    "AccessionNumber": "ACC998877",
}


def photograph(seed: int = 7, side: int = SIDE) -> Image.Image:
    """A synthetic fundus image."""
    return Image.fromarray(synthetic.draw(seed, side, "a").image)


def encoded(image: Image.Image, kind: str, **how: Any) -> bytes:
    """The bytes of a file."""
    file = io.BytesIO()
    image.save(file, kind, **how)
    return file.getvalue()


def formats(image: Image.Image | None = None) -> dict[str, bytes]:
    """Name of a format -> a photograph in it, 24 of them."""
    rgb = image or photograph()
    grey = np.asarray(rgb.convert("L"))
    exif = Image.Exif()
    exif[0x0112] = 6
    sixteen = Image.fromarray(grey.astype(np.uint16) * 257)
    reals = Image.fromarray(grey.astype(np.float32) / 255)
    jpeg = encoded(rgb, "JPEG", quality=85)
    turned = [rgb.rotate(90)]
    return {
        "jpeg": jpeg,
        "jpeg progressive": encoded(rgb, "JPEG", quality=85, progressive=True),
        "jpeg turned": encoded(rgb, "JPEG", exif=exif),
        "jpeg cmyk": encoded(rgb.convert("CMYK"), "JPEG"),
        "png": encoded(rgb, "PNG"),
        "png palette": encoded(rgb.quantize(), "PNG"),
        "png 16 bits": encoded(sixteen, "PNG"),
        "png alpha": encoded(rgb.convert("RGBA"), "PNG"),
        "tiff": encoded(rgb, "TIFF"),
        "tiff lzw": encoded(rgb, "TIFF", compression="tiff_lzw"),
        "tiff deflate": encoded(rgb, "TIFF", compression="tiff_adobe_deflate"),
        "tiff jpeg": encoded(rgb, "TIFF", compression="jpeg"),
        "tiff float": encoded(reals, "TIFF"),
        "bmp": encoded(rgb, "BMP"),
        "gif": encoded(rgb, "GIF"),
        "gif of two": encoded(rgb, "GIF", save_all=True, append_images=turned),
        "webp": encoded(rgb, "WEBP"),
        "webp lossless": encoded(rgb, "WEBP", lossless=True),
        "jpeg 2000": encoded(rgb, "JPEG2000"),
        "avif": encoded(rgb, "AVIF"),
        "ppm": encoded(rgb, "PPM"),
        "dicom": dicom(np.asarray(rgb)),
        "dicom 16 bits": dicom(grey.astype("<u2") * 257),
        "dicom jpeg": dicom(np.asarray(rgb), jpeg),
    }


def dicom(pixels: np.ndarray, jpeg: bytes = b"") -> bytes:
    """A DICOM file of `[H, W, 3] uint8` or `[H, W] uint16`, as it is or as a given JPEG file."""
    made, meta = Dataset(), FileMetaDataset()
    made.file_meta = meta
    meta.MediaStorageSOPClassUID = made.SOPClassUID = PHOTOGRAPHY
    meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID = "1.2.826.0.1.3680043.8.498.1"
    meta.TransferSyntaxUID = JPEGBaseline8Bit if jpeg else ExplicitVRLittleEndian
    for name, value in PERSON.items():
        setattr(made, name, value)
    made.Rows, made.Columns = pixels.shape[:2]
    made.PixelRepresentation = 0
    made.BitsAllocated = made.BitsStored = 8 * pixels.itemsize
    made.HighBit = made.BitsStored - 1
    made.SamplesPerPixel = 3 if pixels.ndim == 3 else 1
    made.PhotometricInterpretation = "RGB" if pixels.ndim == 3 else "MONOCHROME2"
    if pixels.ndim == 3:
        made.PlanarConfiguration = 0
    if jpeg:
        made.PhotometricInterpretation = "YBR_FULL_422"
    data = pixels.tobytes()
    made.PixelData = encapsulate([jpeg]) if jpeg else data + b"\0" * (len(data) % 2)
    made["PixelData"].VR = "OB" if pixels.itemsize == 1 else "OW"
    file = io.BytesIO()
    made.save_as(file, enforce_file_format=True)
    return file.getvalue()
