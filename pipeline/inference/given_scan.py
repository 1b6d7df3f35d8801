"""A scan as it goes to a bundle: read once, when it is first needed, or with the reason why it is not looked at."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from pipeline.data.reading.assumptions import ReadScan, ScanHeader
from pipeline.data.reading.scan_reader import read_scan
from pipeline.engine.arrays import Array
from pipeline.engine.errors import DataError
from pipeline.inference.answers import Finding

Scan = Path | Array | ReadScan


@dataclass(frozen=True, slots=True)
class Judged:
    """What stood before a bundle says of one scan.

    gate: "xray", "ct", "neither" or "not asked". refusal: why it is not what it was given as, or None. distance: from the scans
    of that modality that the bundle learnt from, about 1 for one like them, and distance_threshold: from which on it is far from
    them; None where the bundle does not say. warnings: what was assumed while it was read, and what to be wary of.
    """

    gate: str
    refusal: str | None = None
    distance: float | None = None
    distance_threshold: float | None = None
    warnings: tuple[str, ...] = ()

    def mark(self, finding: Finding) -> Finding:
        """A finding about the scan, with what is said here."""
        return replace(
            finding, gate=self.gate, refused=self.refusal is not None, distance=self.distance,
            distance_threshold=self.distance_threshold, warnings=self.warnings,
        )  # fmt: skip


class RefusedScanError(DataError):
    """A scan that is not what it was given as."""

    def __init__(self, judged: Judged, name: str = "") -> None:
        message = f"{name}: {judged.refusal}" if name else f"It {judged.refusal}"
        super().__init__(message, "--no-gate answers what the gate refuses.")
        self.judged = judged


class GivenScan:
    """One scan. path: None where pixels were given. fault: why there are none to look at."""

    def __init__(self, scan: Scan) -> None:
        """scan: a path, uint8 (H, W) as `read_gray` gives it, or what `read_scan` gives."""
        self._scan = scan
        self.path = scan if isinstance(scan, Path) else None
        self.fault: DataError | None = None

    @cached_property
    def read(self) -> ReadScan:
        """Pixels, header and what was assumed. Raises DataError: unreadable."""
        if isinstance(self._scan, ReadScan):
            return self._scan
        if isinstance(self._scan, Path):
            return read_scan(self._scan, with_colour=False)
        return ReadScan(self._scan, None, (), ScanHeader("pixels"))

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
