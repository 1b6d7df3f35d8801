"""Uploaded bytes to a scan: in the processes that decode, within the service's limits, under no name but the field's."""

from __future__ import annotations

from pipeline.data.reading.assumptions import ReadScan
from pipeline.data.reading.bounds import Bounds
from pipeline.data.reading.decoder_pool import DecoderPool
from pipeline.data.reading.processes.decoder_process import Limits as DecoderLimits
from pipeline.data.reading.scan_reader import DICOM_SUFFIXES, VOLUME_SUFFIXES
from pipeline.service.settings import MEGABYTE, Limits

# What a decoder may take beyond itself.
MEMORY_MB = 1024
# How a prefix-less DICOM object and a volume are told, of all that a file's name says.
_KINDS = {**dict.fromkeys(DICOM_SUFFIXES, DICOM_SUFFIXES[0]), **{kind: kind for kind in VOLUME_SUFFIXES}}


class Decoders:
    """Processes that decode uploads; one that breaks over a file, or is killed, costs that file and is replaced."""

    def __init__(self, count: int, limits: Limits) -> None:
        self._pool = DecoderPool(count, DecoderLimits(seconds=limits.decode_s, memory_mb=MEMORY_MB))
        self._bounds = Bounds(limits.pixels, limits.frames, int(limits.inflated_mb * MEGABYTE))

    def read(self, content: bytes, called: str, slice: str | None = None) -> ReadScan:
        """The scan in an upload, or a slice of the volume in it. Raises DataError as `decode_upload` and `refuse_beyond`, and
        where its decoder ends over it; NoDecoderError where none starts: an upload is never decoded in this process."""
        return self._pool.decode(content, called, bounds=self._bounds, slice=slice)

    def warm(self, content: bytes) -> None:
        """Start a process, so that no request waits for it. Raises NoDecoderError."""
        self.read(content, "scan.png")

    def close(self) -> None:
        """End them."""
        self._pool.close()


def called(field: str, filename: str | None) -> str:
    """What messages call an upload: its field. Its own name may tell a patient's."""
    name = (filename or "").lower()
    return field + next((kind for suffix, kind in _KINDS.items() if name.endswith(suffix)), "")
