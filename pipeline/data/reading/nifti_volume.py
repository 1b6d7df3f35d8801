"""NIfTI volumes (.nii, .nii.gz) as axial slices in Hounsfield units."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.data.reading.assumptions import Notes, ReadScan, ScanHeader
from pipeline.data.reading.dicom_chain.ct_values import lung_window
from pipeline.data.reading.dicom_chain.dicom_object import PADDING_HU
from pipeline.data.reading.dicom_chain.header_numbers import first_line
from pipeline.data.reading.file_integrity import BROKEN_REMEDY
from pipeline.engine.errors import DataError

MAXIMUM_VOXELS = 1 << 30
GZIP = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class NiftiVolume:
    """`stored` (X, Y, Z) as in the file, turned so that indices rise to the patient's right, front and head."""

    notes: Notes
    stored: np.ndarray
    slope: float
    intercept: float
    spacing_mm: float

    @property
    def name(self) -> str:
        return self.notes.name

    @property
    def count(self) -> int:
        return int(self.stored.shape[2])

    def hounsfield(self, number: int) -> np.ndarray:
        """float32 (H, W): the front above, the patient's right on the left; what is not finite is fill."""
        values = np.asarray(self.stored[::-1, ::-1, number].T, np.float32) * np.float32(self.slope) + np.float32(self.intercept)
        return np.where(np.isfinite(values), values, np.float32(PADDING_HU))

    def read(self, number: int, vouched: bool) -> ReadScan:
        header = ScanHeader(
            "NIfTI", "ct", frames=self.count, bits_stored=8 * self.stored.dtype.itemsize, hounsfield=True,
            position_mm=number * self.spacing_mm,
        )  # fmt: skip
        return ReadScan(lung_window(self.hounsfield(number)), None, self.notes.all(), header)


def open_nifti(path: Path) -> NiftiVolume:
    """A NIfTI file's volume. Raises DataError: missing, broken, not of three dimensions, too large, in colour."""
    import nibabel

    if not path.is_file():
        raise DataError(f"{path}: no such file.", "Check the path.")
    return _opened(lambda: nibabel.load(path), str(path))


def decode_nifti(data: bytes, name: str) -> NiftiVolume:
    """The same of a file's bytes (an upload), compressed or not. Raises as `open_nifti`."""
    import nibabel

    def image() -> Any:
        raw = _inflated(data) if data.startswith(GZIP) else data
        second = 540 in (int.from_bytes(raw[:4], order) for order in ("little", "big"))
        return (nibabel.Nifti2Image if second else nibabel.Nifti1Image).from_bytes(raw)

    return _opened(image, name)


def _inflated(data: bytes) -> bytes:
    """The first member of a gzip file, which is what bounds are kept of. Raises EOFError where it is cut off."""
    inflater = zlib.decompressobj(zlib.MAX_WBITS | 16)
    raw = inflater.decompress(data)
    if not inflater.eof:
        raise EOFError("compressed file ended before its end was reached")
    return raw


def _opened(load: Callable[[], Any], path: str) -> NiftiVolume:
    notes = Notes(path)
    try:
        image = load()
        shape = tuple(int(side) for side in image.shape)
        if len(shape) > 3 and set(shape[3:]) != {1} or len(shape) < 3:
            raise DataError(f"{path}: a NIfTI of {'x'.join(map(str, shape))}, one volume expected.", "Save one volume alone.")
        if min(shape) < 1 or np.prod(shape, dtype=np.float64) > MAXIMUM_VOXELS:
            raise DataError(f"{path}: {'x'.join(map(str, shape))} voxels, at most {MAXIMUM_VOXELS:,} are read.", "Crop it.")
        if image.get_data_dtype().kind not in "iuf":
            raise DataError(f"{path}: a NIfTI of {image.get_data_dtype()}, numbers expected.", "Save the CT's values.")
        return _turned(image, shape[:3], notes)
    except DataError:
        raise
    except Exception as cause:  # nibabel, zlib and gzip each raise their own
        raise DataError(f"{path}: NIfTI truncated or corrupt ({first_line(cause)}).", BROKEN_REMEDY) from cause


def _turned(image: Any, shape: tuple[int, ...], notes: Notes) -> NiftiVolume:
    import nibabel

    stored = np.asanyarray(image.dataobj.get_unscaled()).reshape(shape)
    affine = np.asarray(image.affine, np.float64)
    if int(image.header["qform_code"]) == 0 and int(image.header["sform_code"]) == 0:
        notes.add("orientation", "The NIfTI does not tell how it lies: taken as axial, from the feet up, right to left.")
    orientation = nibabel.io_orientation(affine)
    if not np.isfinite(orientation).all():
        raise DataError(f"{notes.name}: the NIfTI's affine tells no orientation.", BROKEN_REMEDY)
    turned = nibabel.apply_orientation(stored, orientation)
    if not np.array_equal(orientation, [[0, -1], [1, -1], [2, 1]]):
        notes.add("orientation", "The NIfTI is turned to axial slices seen from the feet.", False)
    spacing = float(np.linalg.norm(affine[:3, int(np.argmax(orientation[:, 0] == 2))]))
    return NiftiVolume(notes, turned, float(image.dataobj.slope), float(image.dataobj.inter), spacing)
