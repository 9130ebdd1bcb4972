"""Pictures in DICOM objects; needs pydicom, the optional extra `dicom`."""
