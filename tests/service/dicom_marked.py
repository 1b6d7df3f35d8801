"""A DICOM radiograph whose patient is marked, in every element that can name one."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian


def marked_dicom(mark: str, modality: str = "CR", side: int = 64) -> bytes:
    held = Dataset()
    held.file_meta = FileMetaDataset()
    held.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    held.file_meta.MediaStorageSOPClassUID = held.SOPClassUID = "1.2.840.10008.5.1.4.1.1.1"
    held.file_meta.MediaStorageSOPInstanceUID = held.SOPInstanceUID = "1.2.3"
    held.PatientName = held.PatientID = held.AccessionNumber = held.InstitutionName = held.StudyDescription = mark
    held.Modality, held.Rows, held.Columns = modality, side, side
    held.SamplesPerPixel, held.PhotometricInterpretation = 1, "MONOCHROME2"
    held.BitsAllocated, held.BitsStored, held.HighBit, held.PixelRepresentation = 8, 8, 7, 0
    held.PixelData = np.random.default_rng(0).integers(0, 256, (side, side), dtype=np.uint8).tobytes()
    stream = BytesIO()
    held.save_as(stream, enforce_file_format=True)
    return stream.getvalue()
