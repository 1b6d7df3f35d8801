"""DICOM objects to 8-bit gray."""

from __future__ import annotations

import struct
from io import BytesIO
from typing import Any

import cv2
import numpy as np

from pipeline.engine.errors import DataError

LUNG_WINDOW_CENTRE_HU = -600.0
LUNG_WINDOW_WIDTH_HU = 1500.0
PERCENTILES = (0.5, 99.5)

XRAY_MODALITIES = frozenset({"CR", "DX", "DR", "RG", "XR", "RF", "OT", "SC", ""})
# What pydicom raises over broken objects, besides its own InvalidDicomError.
PYDICOM_FAULTS = (AttributeError, EOFError, LookupError, OSError, RuntimeError, TypeError, ValueError, struct.error)
DECODER_REMEDY = "Install a decoder for it (pip install python-gdcm), or save the scan as PNG."


def decode_dicom(data: bytes, name: str) -> np.ndarray:
    """The image of a DICOM object as uint8 (H, W), air dark and bone light.

    CT: rescale slope and intercept give Hounsfield units, which a lung window (centre −600 HU, width
    1500 HU, so −1350…150 HU → 0…255) maps to 8 bits; windows stored in the file are ignored, so that every
    slice is on one scale. X-ray (CR, DX, RG…, and secondary captures): modality LUT, then the file's first
    VOI LUT or window; without one, stored 8-bit values are kept and deeper ones are stretched between their
    0.5 and 99.5 percentiles (padding left out); MONOCHROME1 is inverted. Colour is turned to gray.

    Raises DataError: not readable as DICOM, no pixels, several frames, another modality (MR, US…), or a
    compression that no installed decoder reads.
    """
    dataset = _parse(data, name)
    modality = str(dataset.get("Modality", "") or "").upper()
    if modality != "CT" and modality not in XRAY_MODALITIES:
        raise DataError(f"{name}: DICOM modality {modality!r} is neither an X-ray nor CT.", "Leave it out.")
    frames = int(dataset.get("NumberOfFrames", 1) or 1)
    if frames != 1:
        raise DataError(
            f"{name}: DICOM object of {frames} frames, one image expected.",
            "Save the slice that is wanted as its own file.",
        )
    stored = _pixels(dataset, name)
    if stored.ndim == 3:
        return cv2.cvtColor(np.clip(stored, 0, 255).astype(np.uint8), cv2.COLOR_RGB2GRAY)
    return lung_window(_rescaled(dataset, stored)) if modality == "CT" else _radiograph(dataset, stored)


def lung_window(hounsfield: np.ndarray) -> np.ndarray:
    """Hounsfield units, any shape → uint8 of that shape through the lung window (−1350…150 HU → 0…255)."""
    low = LUNG_WINDOW_CENTRE_HU - LUNG_WINDOW_WIDTH_HU / 2
    return _to_bytes(hounsfield, low, low + LUNG_WINDOW_WIDTH_HU)


def _parse(data: bytes, name: str) -> Any:
    import pydicom
    from pydicom.errors import InvalidDicomError

    try:
        dataset = pydicom.dcmread(BytesIO(data), force=True)
        has_pixels = "PixelData" in dataset
    except (InvalidDicomError, *PYDICOM_FAULTS) as cause:
        raise DataError(
            f"{name}: not readable as DICOM ({_first_line(cause)}).", "Export it again, or leave it out."
        ) from cause
    if not has_pixels:
        raise DataError(
            f"{name}: DICOM object without pixel data (or cut off before it).",
            "Export it again, or leave it out.",
        )
    return dataset


def _pixels(dataset: Any, name: str) -> np.ndarray:
    from pydicom.uid import ImplicitVRLittleEndian

    if not hasattr(dataset.file_meta, "TransferSyntaxUID"):
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    try:
        return np.asarray(dataset.pixel_array)
    except PYDICOM_FAULTS as cause:
        missing = "missing dependencies" in str(cause) or "no available" in str(cause)
        if missing:
            syntax = dataset.file_meta.TransferSyntaxUID.name
            raise DataError(
                f"{name}: no installed decoder reads DICOM {syntax!r}.", DECODER_REMEDY
            ) from cause
        raise DataError(
            f"{name}: DICOM pixel data truncated or corrupt ({_first_line(cause)}).",
            "Export it again, or leave it out.",
        ) from cause


def _rescaled(dataset: Any, stored: np.ndarray) -> np.ndarray:
    from pydicom.pixels import apply_modality_lut

    return np.asarray(apply_modality_lut(stored, dataset), dtype=np.float32)


def _radiograph(dataset: Any, stored: np.ndarray) -> np.ndarray:
    values = _rescaled(dataset, stored)
    gray = _through_voi(dataset, stored)
    if gray is None:
        padding = dataset.get("PixelPaddingValue")
        counted = values if padding is None else values[stored != padding]
        if int(dataset.get("BitsStored", 16)) == 8 and stored.dtype == np.uint8:
            gray = _to_bytes(values, 0, 255)
        else:
            low, high = np.percentile(counted if counted.size else values, PERCENTILES)
            gray = _to_bytes(values, float(low), float(high))
    inverted = str(dataset.get("PhotometricInterpretation", "")) == "MONOCHROME1"
    return np.asarray(255 - gray if inverted else gray, dtype=np.uint8)


def _through_voi(dataset: Any, stored: np.ndarray) -> np.ndarray | None:
    """The file's first VOI LUT or window applied; None where it has none, or one that leaves a flat image."""
    from pydicom.pixels import apply_modality_lut, apply_voi, apply_windowing

    values = apply_modality_lut(stored, dataset)
    if dataset.get("VOILUTSequence"):
        shown = np.asarray(apply_voi(values, dataset), dtype=np.float32)
        low, high = float(shown.min()), float(shown.max())
    elif dataset.get("WindowCenter") is not None and dataset.get("WindowWidth") is not None:
        shown = np.asarray(apply_windowing(values, dataset), dtype=np.float32)
        low, high = (float(end) for end in apply_windowing(np.array([-1e7, 1e7]), dataset))
    else:
        return None
    gray = _to_bytes(shown, low, high)
    return gray if gray.max() > gray.min() else None


def _to_bytes(values: np.ndarray, low: float, high: float) -> np.ndarray:
    if high <= low:
        return np.zeros(values.shape, np.uint8)
    scaled = (np.asarray(values, dtype=np.float32) - low) * (255.0 / (high - low))
    return np.rint(np.clip(scaled, 0, 255)).astype(np.uint8)


def _first_line(cause: BaseException) -> str:
    return (str(cause).splitlines() or [type(cause).__name__])[0][:120]
