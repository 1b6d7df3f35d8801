"""A scan as it goes to a bundle: read once, when it is first needed, or with the reason why it is not looked at."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from pipeline.data.reading.assumptions import ReadScan
from pipeline.data.reading.scan_reader import read_scan
from pipeline.engine.arrays import Array
from pipeline.engine.errors import DataError, UsageError
from pipeline.engine.given_path import FileKey, file_key, path_given, type_name
from pipeline.inference.answers import Finding
from pipeline.inference.array_scan import read_array, require_picture
from pipeline.inference.scan_preview import Preview

Scan = str | os.PathLike[str] | Array | ReadScan


@dataclass(frozen=True, slots=True)
class Judged:
    """What stood before a bundle says of one scan.

    gate: "xray", "ct", "neither" or "not asked". refusal: why it is not what it was given as, or None. distance: from the scans
    of that modality that the bundle learnt from, about 1 for one like them, and distance_threshold: from which on it is far from
    them; None where the bundle does not say. seen: whether it is one of those, see `Finding`. warnings: what was assumed while it
    was read, and what to be wary of.
    """

    gate: str
    refusal: str | None = None
    distance: float | None = None
    distance_threshold: float | None = None
    seen: str | None = None
    warnings: tuple[str, ...] = ()

    def mark(self, finding: Finding) -> Finding:
        """A finding about the scan, with what is said here."""
        return replace(
            finding, gate=self.gate, refused=self.refusal is not None, distance=self.distance,
            distance_threshold=self.distance_threshold, seen=self.seen, warnings=self.warnings,
        )  # fmt: skip


class RefusedScanError(DataError):
    """A scan that is not what it was given as."""

    def __init__(self, judged: Judged, name: str = "") -> None:
        message = f"{name}: {judged.refusal}" if name else f"It {judged.refusal}"
        super().__init__(message, "open_bundle(…, gate=False), --no-gate of commands, answers what the gate refuses.")
        self.judged = judged


class GivenScan:
    """One scan. path: None where pixels were given. fault: why there are none to look at."""

    def __init__(self, scan: Scan, with_colour: bool = False) -> None:
        """scan: a path, an array as `read_array` takes it, or what `read_scan` gives. with_colour: whether it is looked at, too.

        Raises UsageError for what is none of these, and for an array that is not one picture.
        """
        self._scan = _checked(scan)
        self._with_colour = with_colour
        self.path = self._scan if isinstance(self._scan, Path) else None
        self.fault: DataError | None = None

    @cached_property
    def read(self) -> ReadScan:
        """Pixels, header and what was assumed. Raises DataError: unreadable."""
        if isinstance(self._scan, ReadScan):
            return self._scan
        if isinstance(self._scan, Path):
            if self._scan.is_dir():
                mend = "Give its files one by one; of a DICOM series, what read_scan(folder, slice=N) gives."
                raise DataError(f"{self._scan}: a folder, one scan is asked about.", mend)
            return read_scan(self._scan, with_colour=self._with_colour)
        return read_array(self._scan, self._with_colour)

    @cached_property
    def key(self) -> FileKey | None:
        """What its file is told by; None where there is none."""
        return file_key(self.path) if self.path is not None else None

    @property
    def gray(self) -> Array:
        """uint8 (H, W). Raises `fault`, and DataError: unreadable."""
        if self.fault is not None:
            raise self.fault
        return self.read.gray

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was assumed while it was read; () where it was not read."""
        return self.read.warnings if "read" in vars(self) else ()

    def preview(self) -> Preview | None:
        """What is kept of it for pictures; None where it cannot be read."""
        if "read" in vars(self):
            return Preview.of(self.read.gray)
        return Preview(None, self.path, self.key) if self.path is not None else None


def _checked(scan: Scan) -> Path | Array | ReadScan:
    if isinstance(scan, ReadScan):
        gray: object = scan.gray
        if not isinstance(gray, np.ndarray) or gray.dtype != np.uint8 or gray.ndim != 2 or gray.size == 0:
            raise UsageError("The ReadScan holds no gray uint8 (H, W).", "Give it as read_scan returned it, or its array alone.")
        return scan
    if isinstance(scan, np.ndarray):
        require_picture(scan)
        return scan
    if isinstance(scan, str | os.PathLike):
        return path_given(scan, "a scan")
    raise UsageError(f"{type_name(scan)} is no scan.", _mend(scan))


def _mend(scan: object) -> str:
    if isinstance(scan, bytes | bytearray | memoryview):
        return "Give a file's path; decode_scan(data, name) of pipeline.data.reading.scan_reader reads a file's bytes."
    if type(scan).__module__.startswith("PIL."):
        # The indices of a palette would be taken for gray levels.
        return "Give its file's path, or np.asarray(image) where image.mode is L, RGB or I;16."
    if isinstance(scan, list | tuple | set | frozenset):
        return "Ask about several scans one by one; of pixels give np.asarray(pixels, np.uint8)."
    if hasattr(scan, "__array__"):
        return "Give np.asarray of it."
    return "Give a path, an array, or what read_scan returns."
