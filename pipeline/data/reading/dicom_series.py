"""Slices of DICOM: the frames of one object, or the objects of one series in a folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.data.reading.assumptions import Notes, ReadScan
from pipeline.data.reading.dicom_chain.ct_values import refuse_localizer, slice_normal, slice_position
from pipeline.data.reading.dicom_chain.dicom_object import DicomObject, open_dicom
from pipeline.data.reading.scan_reader import file_bytes, is_dicom
from pipeline.engine.errors import DataError

# Two slices nearer than this lie in one place; normals this much apart are of two orientations.
SAME_PLACE_MM = 1e-3
SAME_DIRECTION = 0.999
_UNEVEN = 1.5
_FIRST_BYTES = 132


@dataclass(frozen=True, slots=True)
class FramesOfObject:
    """The frames of one object, in the order of the file."""

    opened: DicomObject
    notes: Notes

    @property
    def name(self) -> str:
        return self.notes.name

    @property
    def count(self) -> int:
        return self.opened.count

    def hounsfield(self, number: int) -> np.ndarray | None:
        return frame_hounsfield(self.opened, number)

    def read(self, number: int, vouched: bool) -> ReadScan:
        return self.opened.read(number, vouched=vouched)


@dataclass(frozen=True, slots=True)
class SeriesOfFolder:
    """One object of one frame a slice; each is read again when it is asked for, so that memory stays flat."""

    notes: Notes
    paths: tuple[Path, ...]

    @property
    def name(self) -> str:
        return self.notes.name

    @property
    def count(self) -> int:
        return len(self.paths)

    def hounsfield(self, number: int) -> np.ndarray | None:
        return frame_hounsfield(self._open(number), 0)

    def read(self, number: int, vouched: bool) -> ReadScan:
        return self._open(number).read(0, vouched=vouched)

    def _open(self, number: int) -> DicomObject:
        path = self.paths[number]
        return open_dicom(file_bytes(path), str(path))


def frame_hounsfield(opened: DicomObject, frame: int) -> np.ndarray | None:
    """float32 (H, W) HU of a CT frame; None for a radiograph and for pictures of 8 bits. Raises DataError else."""
    if opened.modality != "ct" or opened.frames.samples != 1 or opened.frames.cells.stored <= 8:
        return None
    return opened.hounsfield(frame)


def open_frames(data: bytes, name: str) -> FramesOfObject:
    """The frames of one object's bytes. Raises DataError as `open_dicom` does."""
    opened = open_dicom(data, name)
    if opened.modality == "ct":
        refuse_localizer(opened.header(0).image_type, name)
    return FramesOfObject(opened, opened.notes.copy())


def open_series(folder: Path) -> SeriesOfFolder:
    """The series that a folder holds, in order along its normal; files that are no slice of it are left out, and said.

    Raises DataError as `read_volume` tells.
    """
    notes = Notes(str(folder))
    found: list[_Described] = []
    broken: list[DataError] = []
    strangers, localizers = 0, 0
    for path in sorted(part for part in folder.iterdir() if part.is_file() and not part.name.startswith(".")):
        if path.name.upper() == "DICOMDIR" or not is_dicom(_beginning(path), path.name):
            strangers += 1
            continue
        try:
            opened = open_dicom(file_bytes(path), str(path))
            if opened.header(0).localizer:
                localizers += 1
            else:
                found.append(_described(opened, path))
        except DataError as error:
            broken.append(error)
    if not found and broken:
        raise broken[0]
    if not found:
        raise DataError(f"{folder}: no slice of a DICOM series in it.", "Give the folder that holds the series' files.")
    if strangers:
        notes.add("order", f"{strangers} file(s) of the folder are no DICOM slices: left out.", False)
    if localizers:
        notes.add("order", f"{localizers} localizer(s) of the folder are left out.", False)
    for error in broken:
        notes.add("order", f"Left out of the series: {error.message}")
    return SeriesOfFolder(notes, _ordered(found, notes))


def _beginning(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(_FIRST_BYTES)
    except OSError as cause:
        raise DataError(f"{path}: cannot be read ({cause.strerror}).", "Check the path and its permissions.") from cause


@dataclass(frozen=True, slots=True)
class _Described:
    path: Path
    series: str
    position: float | None
    normal: np.ndarray | None
    number: float | None
    size: tuple[int, int]


def _described(opened: DicomObject, path: Path) -> _Described:
    if opened.count != 1:
        raise DataError(f"{path}: an object of {opened.count} frames in a series.", "Give the file itself.")
    attributes = opened.attributes(0)
    try:
        number = attributes.number("InstanceNumber")
    except DataError:
        number = None
    return _Described(
        path, attributes.text("SeriesInstanceUID"), slice_position(attributes), slice_normal(attributes), number,
        (opened.frames.rows, opened.frames.columns),
    )  # fmt: skip


def _ordered(found: list[_Described], notes: Notes) -> tuple[Path, ...]:
    """By position along the normal, or by InstanceNumber where no slice tells its position."""
    series = {part.series for part in found}
    if len(series) > 1:
        raise _mixed(notes, f"{len(series)} DICOM series in one folder")
    if len({part.size for part in found}) > 1:
        raise _mixed(notes, "slices of several sizes in one series")
    placed = [part for part in found if part.position is not None and part.normal is not None]
    if not placed:
        numbers = [part.number for part in found]
        if len(found) > 1 and (None in numbers or len(set(numbers)) < len(numbers)):
            raise _mixed(notes, "slices without positions and without numbers")
        notes.add("position", "The slices tell no position: they stand in the order of their InstanceNumber.", len(found) > 1)
        return tuple(part.path for part in sorted(found, key=lambda part: part.number or 0))
    if len(placed) < len(found):
        raise _mixed(notes, f"{len(found) - len(placed)} of {len(found)} slices tell no position")
    first = placed[0].normal
    if any(abs(float(part.normal @ first)) < SAME_DIRECTION for part in placed):
        raise _mixed(notes, "slices of several orientations in one series")
    placed.sort(key=lambda part: part.position)
    gaps = np.diff([part.position for part in placed])
    if gaps.size and gaps.min() < SAME_PLACE_MM:
        raise _mixed(notes, "two slices in one place")
    if gaps.size and gaps.max() > _UNEVEN * np.median(gaps):
        told = f"{np.median(gaps):.3g} mm apart, once {gaps.max():.3g} mm"
        notes.add("position", f"Slices are missing from the series: they are {told}.")
    return tuple(part.path for part in placed)


def _mixed(notes: Notes, finding: str) -> DataError:
    return DataError(f"{notes.name}: {finding}.", "Give a folder with one series, or one file of it.")
