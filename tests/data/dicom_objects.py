"""DICOM objects made on the fly for the tests of the reader."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pydicom
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID, ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

LUT_SEQUENCES = ("ModalityLUTSequence", "VOILUTSequence")


def dicom_bytes(
    pixels: np.ndarray,
    modality: str = "DX",
    *,
    syntax: str = ExplicitVRLittleEndian,
    frames: list[bytes] | None = None,
    **elements: object,
) -> bytes:
    """A DICOM object of words (H, W), (H, W, 3) or, with NumberOfFrames, of a leading axis more; None leaves an element out.

    `frames`: the compressed frames of an encapsulated `syntax`. A LUT sequence is given as (descriptor, bytes), raw
    elements as ("VR", value): ("LO", "2048,5") writes what pydicom would refuse under its own VR.
    """
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=["scan"])
    meta.TransferSyntaxUID = UID(syntax)
    dataset = FileDataset("scan.dcm", {}, file_meta=meta, preamble=b"\0" * 128)
    shape = pixels.shape[1:] if "NumberOfFrames" in elements and pixels.ndim > 2 else pixels.shape
    bits = pixels.dtype.itemsize * 8
    defaults = {
        "SOPClassUID": SecondaryCaptureImageStorage, "SOPInstanceUID": meta.MediaStorageSOPInstanceUID,
        "Modality": modality, "Rows": shape[0], "Columns": shape[1], "SamplesPerPixel": 1, "BitsAllocated": bits,
        "PhotometricInterpretation": "MONOCHROME2", "BitsStored": bits, "PixelRepresentation": int(pixels.dtype.kind == "i"),
    }  # fmt: skip
    told = {**defaults, **elements}
    told.setdefault("HighBit", (told["BitsStored"] or bits) - 1)
    for keyword, value in told.items():
        if value is not None:
            add_element(dataset, keyword, value, signed=told["PixelRepresentation"] == 1)
    if frames is None:
        content = pixels.tobytes()
        dataset.add_new(0x7FE00010, "OB" if bits == 8 else "OW", content + b"\0" * (len(content) % 2))
    else:
        dataset.PixelData = encapsulate(frames)
        dataset["PixelData"].VR = "OB"
    stream = BytesIO()
    pydicom.dcmwrite(stream, dataset)
    return stream.getvalue()


def add_element(dataset: Dataset, keyword: str, value: object, signed: bool = False) -> None:
    """One element of a data set, in the VR that an encoder would choose."""
    tag = tag_for_keyword(keyword)
    if keyword in LUT_SEQUENCES and isinstance(value, tuple):
        dataset.add_new(tag, "SQ", [lut_item(*value)])
    elif isinstance(value, tuple) and value and isinstance(value[0], str) and len(value[0]) == 2:
        dataset.add_new(tag, *value)
    elif keyword.endswith("TableDescriptor"):
        dataset.add_new(tag, "US", list(value))
    elif keyword.endswith("TableData"):
        dataset.add_new(tag, "OW", value)
    elif keyword.startswith("PixelPadding"):
        dataset.add_new(tag, "SS" if signed else "US", value)
    else:
        setattr(dataset, keyword, value)


def lut_item(descriptor: tuple[int, int, int], data: bytes) -> Dataset:
    """An item of a LUT sequence; a first value below 0 is given as the 16 bits that are written."""
    item = Dataset()
    item.add_new(0x00283002, "US", [number % 65536 for number in descriptor])
    item.add_new(0x00283006, "OW", data)
    return item


def table_bytes(entries: np.ndarray, packed: bool = False) -> bytes:
    """Entries as 16-bit words, or packed two to a word."""
    return np.asarray(entries).astype(np.uint8 if packed else "<u2").tobytes()


def palette(entries: np.ndarray, bits: int, first: int = 0, packed: bool = False) -> dict[str, object]:
    """Elements of a palette of (N, 3) entries."""
    told: dict[str, object] = {"PhotometricInterpretation": "PALETTE COLOR"}
    for place, colour in enumerate(("Red", "Green", "Blue")):
        told[f"{colour}PaletteColorLookupTableDescriptor"] = (len(entries) % 65536, first % 65536, bits)
        told[f"{colour}PaletteColorLookupTableData"] = table_bytes(entries[:, place], packed)
    return told


def chest_hounsfield(side: int = 20, lung: int = -600) -> np.ndarray:
    """int16 (side, side): lung between air and soft tissue, as every slice of a chest has them."""
    hounsfield = np.full((side, side), lung, np.int16)
    hounsfield[side // 2 : side * 7 // 10], hounsfield[side * 7 // 10 :] = 40, -1000
    return hounsfield


def thorax_hounsfield(side: int = 64, lungs: int = 200) -> np.ndarray:
    """int16 (side, side): a body of 40 HU in air of -1000, with two square lungs of -850 HU, `lungs` pixels in all."""
    hounsfield = np.full((side, side), -1000, np.int16)
    hounsfield[side // 8 : -side // 8, side // 8 : -side // 8] = 40
    width = max(1, round((lungs / 2) ** 0.5))
    for column in (side // 4, side // 2 + 2):
        hounsfield[side // 3 : side // 3 + width, column : column + width] = -850
    return hounsfield
