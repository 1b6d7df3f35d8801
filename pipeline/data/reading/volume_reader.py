"""Volumes of CT: a DICOM object of several frames, a folder of one DICOM series, a NIfTI file; slice by slice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from pipeline.data.reading.assumptions import Assumption, Notes, ReadScan
from pipeline.data.reading.dicom_chain.ct_values import FILL_BELOW_HU, not_hounsfield, refuse_not_hounsfield
from pipeline.data.reading.file_integrity import refuse_flat, refuse_small
from pipeline.data.reading.scan_reader import broken_files_named, decode_scan, file_bytes, is_dicom, is_volume
from pipeline.engine.errors import DataError, UsageError

ALL, LARGEST_LUNG = "all", "largest-lung"

# The lung rule: air and aerated lung inside the body, in pockets larger than a vessel or a fold.
LUNG_BELOW_HU = -500
MINIMUM_POCKET = 0.001
_SAMPLED_SLICES = 9


class Stack(Protocol):
    """Where slices come from; numbers run from 0 to count-1, from the feet to the head where positions are told."""

    name: str
    count: int
    notes: Notes

    def hounsfield(self, number: int) -> np.ndarray | None:
        """float32 (H, W) HU of one slice as a radiologist sees it; None for a stack of pictures."""
        ...

    def read(self, number: int, vouched: bool) -> ReadScan:
        """One slice as a scan; `vouched`: its values are known to be Hounsfield units by the whole volume."""
        ...


@dataclass(frozen=True, slots=True)
class Volume:
    """Slices 1 … count of one volume, read when they are asked for.

    `assumptions` hold for the whole volume and stand in every slice's too.
    """

    stack: Stack
    assumptions: tuple[Assumption, ...]
    hounsfield: bool

    @property
    def count(self) -> int:
        return self.stack.count

    def slice(self, number: int) -> ReadScan:
        """Slice `number` (from 1) through the lung window. Raises UsageError outside 1 … count, DataError as `read_scan`."""
        if not 1 <= number <= self.count:
            raise UsageError(f"{self.stack.name}: no slice {number}, it has 1 to {self.count}.", "Choose one of them.")
        with broken_files_named(self.stack.name):
            scan = self.stack.read(number - 1, vouched=self.hounsfield)
        refuse_small(scan.gray, self.stack.name)
        refuse_flat(scan.gray, f"{self.stack.name}, slice {number}")
        said = {known.sentence: known for known in (*self.assumptions, *scan.assumptions)}
        return replace(scan, assumptions=tuple(said.values()))

    def slices(self, numbers: list[int] | None = None) -> Iterator[tuple[int, ReadScan | DataError]]:
        """The slices `numbers` (all by default) with their numbers; one that cannot be read is its DataError."""
        for number in range(1, self.count + 1) if numbers is None else numbers:
            try:
                yield number, self.slice(number)
            except DataError as error:
                yield number, error

    def chosen(self, selection: int | str) -> list[int]:
        """The numbers that `N`, "largest-lung" or "all" stand for. Raises UsageError for other words and numbers."""
        word = str(selection).strip().lower()
        if word == ALL:
            return list(range(1, self.count + 1))
        if word == LARGEST_LUNG:
            return [self.largest_lung()]
        if not word.lstrip("-").isdigit() or not word.isascii():
            raise UsageError(f"--slice {selection!r} is not known.", f"Give a number from 1 on, {LARGEST_LUNG} or {ALL}.")
        number = int(word)
        if not 1 <= number <= self.count:
            raise UsageError(f"{self.stack.name}: no slice {number}, it has 1 to {self.count}.", "Choose one of them.")
        return [number]

    def largest_lung(self) -> int:
        """The number of the slice with the most lung by `lung_pixels`, the first of equals; broken slices have none.

        Raises DataError where the volume has no Hounsfield units or no slice has any lung.
        """
        if not self.hounsfield:
            raise DataError(f"{self.stack.name}: without Hounsfield units no lung is found.", "Give the slice's number.")
        found = (_hounsfield_or_error(self.stack, place) for place in range(self.count))
        areas = [lung_pixels(values) if isinstance(values, np.ndarray) else 0 for values in found]
        if not max(areas):
            raise DataError(f"{self.stack.name}: no slice holds lung.", "Give a CT of the chest, or the slice's number.")
        return int(np.argmax(areas)) + 1


def read_volume(path: Path | str) -> Volume:
    """A DICOM file, a folder of one DICOM series or a NIfTI file (.nii, .nii.gz) → its slices.

    - DICOM file: its frames in the order of the file.
    - folder: the objects of one SeriesInstanceUID by ImagePositionPatient along the slices' normal, from its low end
      (the feet, for axial slices); localizers and files that are no DICOM are left out, and said.
    - NIfTI: axial slices from the feet to the head, seen from the feet (the patient's right on the left).

    Values are Hounsfield units where a sample of slices is in their physical range (`not_hounsfield`), else the
    volume is refused; DICOM frames of 8 bits and radiographs are pictures as `read_scan` gives them.

    Raises DataError: several series, positions that are missing in part, double or of several orientations, more
    than one volume in time, values that are no Hounsfield units, or what `read_scan` refuses.
    """
    with broken_files_named(str(path)):
        stack = _stack(Path(path))
        hounsfield = _in_hounsfield(stack)
    return Volume(stack, stack.notes.all(), hounsfield)


def read_slice(path: Path | str, selection: int | str | None, *, with_colour: bool = True) -> ReadScan:
    """One slice of a volume, or a file of one image where `selection` is None, 1 or "largest-lung".

    Raises DataError as `read_volume` does, and UsageError for "all", a number that is not there, or none where
    there are several slices.
    """
    place = Path(path)
    if not place.is_dir() and not is_volume(place):
        data = file_bytes(place)
        if not is_dicom(data, place.name):
            if selection not in (None, 1, "1", LARGEST_LUNG):
                raise UsageError(f"{path}: one picture, it has no slice {selection}.", "Leave --slice out.")
            return decode_scan(data, str(path), with_colour=with_colour)
    volume = read_volume(place)
    if selection is None and volume.count > 1:
        raise DataError(f"{path}: a volume of {volume.count} slices, one image expected.", "Say which slice is wanted.")
    numbers = volume.chosen(1 if volume.count == 1 and selection in (None, LARGEST_LUNG) else selection or 1)
    if len(numbers) > 1:
        raise UsageError(f"{path}: {len(numbers)} slices chosen, one image expected.", f"Give one number or {LARGEST_LUNG}.")
    scan = volume.slice(numbers[0])
    return scan if with_colour else replace(scan, colour=None)


def decode_slice(data: bytes, name: str, selection: int | str | None, *, with_colour: bool = True) -> ReadScan:
    """`read_slice` for the bytes of a file that is in memory (an upload), named as its kind is (.nii, .nii.gz, .dcm).

    The header tells which slice it is; that the one with the most lung was taken is said. Raises as `read_slice`.
    """
    volume = _opened_volume(data, name) if is_volume(name) or is_dicom(data, name) else None
    if volume is None or volume.count == 1:
        if selection not in (None, 1, "1", LARGEST_LUNG):
            raise UsageError(f"{name}: one picture, it has no slice {selection}.", "Leave the slice out.")
        return volume.slice(1) if volume is not None and is_volume(name) else decode_scan(data, name, with_colour=with_colour)
    if selection is None:
        raise DataError(f"{name}: a volume of {volume.count} slices, one image expected.", "Say which slice is wanted.")
    numbers = volume.chosen(selection)
    if len(numbers) > 1:
        raise UsageError(f"{name}: {len(numbers)} slices chosen, one image expected.", f"Give one number or {LARGEST_LUNG}.")
    scan = volume.slice(numbers[0])
    by_lung = str(selection).strip().lower() == LARGEST_LUNG
    told = f"Slice {numbers[0]} of {volume.count} was taken: the one with the most lung."
    said = (*scan.assumptions, *([Assumption("frames", told)] if by_lung else []))
    header = replace(scan.header, slice=numbers[0], frames=volume.count)
    return replace(scan, colour=scan.colour if with_colour else None, assumptions=said, header=header)


def _opened_volume(data: bytes, name: str) -> Volume:
    with broken_files_named(name):
        if is_volume(name):
            from pipeline.data.reading.nifti_volume import decode_nifti

            stack: Stack = decode_nifti(data, name)
        else:
            from pipeline.data.reading.dicom_series import open_frames

            stack = open_frames(data, name)
        # A single frame may be of any kind, and its reader looks at its values.
        hounsfield = _in_hounsfield(stack) if stack.count > 1 or is_volume(name) else False
    return Volume(stack, stack.notes.all(), hounsfield)


def lung_pixels(hounsfield: np.ndarray) -> int:
    """How many pixels of a slice (H, W), in HU, are lung: below −500 HU and not fill, in pockets of at least a
    thousandth of the slice that do not reach its border (the air around the body does)."""
    air = (hounsfield < LUNG_BELOW_HU).astype(np.uint8)
    height, width = air.shape
    _, labels, sizes, _ = cv2.connectedComponentsWithStats(air, connectivity=4)
    border = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    inside = np.ones(len(sizes), bool)
    inside[border] = inside[0] = False
    inside[sizes[:, cv2.CC_STAT_AREA] < MINIMUM_POCKET * height * width] = False
    return int(np.count_nonzero(inside[labels] & (hounsfield >= FILL_BELOW_HU)))


def _stack(path: Path) -> Stack:
    if path.is_dir():
        from pipeline.data.reading.dicom_series import open_series

        return open_series(path)
    if is_volume(path):
        from pipeline.data.reading.nifti_volume import open_nifti

        return open_nifti(path)
    data = file_bytes(path)
    if not is_dicom(data, path.name):
        raise DataError(f"{path}: no volume, neither DICOM nor NIfTI.", "Give a DICOM file or folder, or a .nii file.")
    from pipeline.data.reading.dicom_series import open_frames

    return open_frames(data, str(path))


def _in_hounsfield(stack: Stack) -> bool:
    """Whether the slices are Hounsfield units, by a sample of them. Raises DataError where they should and are not."""
    places = sorted({round(place) for place in np.linspace(0, stack.count - 1, min(stack.count, _SAMPLED_SLICES))})
    found = [_hounsfield_or_error(stack, place) for place in places]
    errors = [values for values in found if isinstance(values, DataError)]
    if len(errors) == len(places):
        raise errors[0]
    sampled = [values[::2, ::2].ravel() for values in found if isinstance(values, np.ndarray)]
    if not sampled:
        return False
    finding = not_hounsfield(np.concatenate(sampled))
    if finding:
        raise refuse_not_hounsfield(finding, stack.notes)
    return True


def _hounsfield_or_error(stack: Stack, place: int) -> np.ndarray | DataError | None:
    try:
        with broken_files_named(stack.name):
            return stack.hounsfield(place)
    except DataError as error:
        return error
