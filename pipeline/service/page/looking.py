"""A file as the page tells of it: read, judged by the gate, with what was assumed and what its header says of the picture."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.data.reading.assumptions import ReadScan
from pipeline.data.scans import CT
from pipeline.engine.errors import DataError, UsageError
from pipeline.inference.gate.gate import Gate, Verdict
from pipeline.service.page.form import Given


@dataclass(frozen=True)
class Looked:
    """One file. read, verdict: None where it cannot be read; error: why, without the name that the reader was told."""

    given: Given
    read: ReadScan | None = None
    verdict: Verdict | None = None
    error: str | None = None

    @property
    def kind(self) -> str | None:
        """What the gate takes it for: "xray", "ct" or "neither"; None where it cannot be read."""
        return self.verdict.kind if self.verdict is not None else None

    @property
    def size(self) -> tuple[int, int]:
        """Width and height, px."""
        return (self.read.gray.shape[1], self.read.gray.shape[0]) if self.read is not None else (0, 0)

    @property
    def facts(self) -> dict[str, str]:
        """What the header says of the picture; nothing of a patient."""
        if self.read is None:
            return {}
        header, (width, height) = self.read.header, self.size
        told = {
            "Format": header.container,
            "Size": f"{width} × {height} px",
            "Bits a pixel": str(header.bits_stored),
            "Gray levels": header.photometric,
            "Kind of image": " ".join(header.image_type),
            "Slice": f"{header.slice} / {header.frames}" if header.slice is not None else "",
            "Hounsfield units": "yes" if header.hounsfield else "",
            "Place along the body": f"{header.position_mm:.1f} mm" if header.position_mm is not None else "",
        }
        return {name: value for name, value in told.items() if value}

    @property
    def slice(self) -> tuple[int, int] | None:
        """Which slice of how many it is, of a volume."""
        header = self.read.header if self.read is not None else None
        return (header.slice, header.frames) if header is not None and header.slice is not None else None

    @property
    def window(self) -> str:
        """What the gray levels of a CT are, which are worth another window: "hounsfield", those of the lung window, or "gray",
        whatever the picture was made with; "" for other scans."""
        if self.kind != CT or self.read is None:
            return ""
        return "hounsfield" if self.read.header.hounsfield else "gray"


def look(given: Given, gate: Gate, scan: ReadScan | DataError | UsageError) -> Looked:
    """What is said of a file that was read as `scan`."""
    if not isinstance(scan, ReadScan):
        return Looked(given, error=said_of(scan.message, given))
    return Looked(given, scan, gate.judge(scan.gray, scan.colour, scan.header))


def said_of(message: str, given: Given) -> str:
    """An error about a file, which begins with what the reader was told it is called."""
    return message.removeprefix(f"{given.called}: ")
