"""Every scan comes in here: a file or its bytes to gray pixels, what was assumed, and what the header says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from pipeline.data.reading.assumptions import ReadScan
from pipeline.data.reading.file_integrity import BROKEN_REMEDY, refuse_flat, refuse_small
from pipeline.data.reading.raster_decoders import decode_raster, raster_kind
from pipeline.engine.errors import DataError, PipelineError

DICOM_SUFFIXES = (".dcm", ".dicom")
VOLUME_SUFFIXES = (".nii", ".nii.gz")

# What reads in this process's stead.
_elsewhere: ContextVar[Callable[[Path | str, int | str | None, bool], ReadScan] | None] = ContextVar("elsewhere", default=None)
_FORMAT_REMEDY = "Save it as PNG, JPEG, TIFF, BMP or DICOM, or leave it out."


def read_scan(path: Path | str, *, slice: int | str | None = None, with_colour: bool = True) -> ReadScan:
    """One scan as gray uint8 (H, W), 0 black … 255 white, both sides at least 16 px; see `ReadScan`.

    The format is told from the file's bytes, never from its name; a raster's picture is held against its header.
    - up to 8 bits: the stored values. Colour and palette: BT.601 luma; a palette is resolved first.
    - deeper and floating point: from the 0.5th to the 99.5th percentile of the file to 0…255 (scanners store 10, 12
      or 16 significant bits without saying which, and mark with single pixels), said.
    - Alpha: composited on black, as a scan's surround is, and said; refused where nothing of the picture shows.
    - Orientation of EXIF (JPEG, PNG) and TIFF is applied: the scan is read as every viewer shows it.
    - CMYK: RGB without a profile, then luma, said. TIFF: one picture only; white-is-zero is inverted.
    - DICOM radiograph (PS3.3 C.11): stored bits, modality LUT or rescale, the first VOI LUT or window that shows
      anything; without one, values of up to 8 bits over their range and deeper ones between their 0.5 and 99.5
      percentiles; MONOCHROME1 inverted; padding black.
    - DICOM CT: Hounsfield units through a lung window (centre −600 HU, width 1500 HU), windows of the file ignored;
      an 8-bit capture as it is, and said.
    - a file of several frames, a folder of a DICOM series or a NIfTI volume: the slice that `slice` names, a number
      from 1 on or "largest-lung"; see `volume_reader`.

    Raises DataError naming the file, the finding and the remedy: missing, empty, cut off, corrupt, not an image, of
    another format or modality, of a kind that no decoder here surely reads, of several pages or frames with no `slice`,
    too small or too large, flat (`refuse_flat`), a CT localizer or a CT whose values are no Hounsfield units.
    """
    reader = _elsewhere.get()
    return reader(path, slice, with_colour) if reader is not None else read_scan_here(path, slice, with_colour)


def read_scan_here(path: Path | str, slice: int | str | None, with_colour: bool) -> ReadScan:
    """`read_scan` in this process, whatever `decoding_apart` says."""
    if slice is not None or is_volume(path):
        from pipeline.data.reading.volume_reader import read_slice

        return read_slice(path, slice, with_colour=with_colour)
    return decode_scan(file_bytes(path), str(path), with_colour=with_colour)


def decode_scan(data: bytes, name: str, *, with_colour: bool = True) -> ReadScan:
    """`read_scan` for the bytes of one image that are in memory (an upload); `name` is what errors call them."""
    scan = decode_unchecked(data, name, with_colour)
    refuse_small(scan.gray, name)
    refuse_flat(scan.gray, name)
    return scan


def decode_upload(data: bytes, name: str, slice: int | str | None, with_colour: bool) -> ReadScan:
    """`decode_scan`, or `decode_slice` where a slice is named or the name is a volume's."""
    if slice is None and not is_volume(name):
        return decode_scan(data, name, with_colour=with_colour)
    from pipeline.data.reading.volume_reader import decode_slice

    return decode_slice(data, name, slice, with_colour=with_colour)


def decode_unchecked(data: bytes, name: str, with_colour: bool) -> ReadScan:
    """The same where a picture may be small, or flat as a mask may be."""
    if not data:
        raise DataError(f"{name}: empty file (zero bytes).", BROKEN_REMEDY)
    kind = raster_kind(data)
    with broken_files_named(name):
        if kind is not None:
            return decode_raster(data, kind, name, with_colour)
        if is_dicom(data, name):
            return _only_frame(data, name, with_colour)
        raise DataError(f"{name}: not a scan, its content is {_content(data)}.", _FORMAT_REMEDY)


@contextmanager
def decoding_apart(really: bool = True) -> Iterator[None]:
    """`read_scan`, and all that reads through it, decodes in the processes of the shared pool while the context lasts.

    For loops over many files that somebody else wrote: a crash, a hang or a bomb is then that file's DataError. A single
    scan need not pay for the processes (`really` false: the context does nothing).
    """
    if not really:
        yield
        return
    from pipeline.data.reading.decoder_pool import shared_pool

    def read(path: Path | str, slice: int | str | None, with_colour: bool) -> ReadScan:
        return shared_pool().read(path, slice=slice, with_colour=with_colour)

    before = _elsewhere.set(read)
    try:
        yield
    finally:
        _elsewhere.reset(before)


@contextmanager
def broken_files_named(name: str) -> Iterator[None]:
    """What a broken file makes of a decoder is that file's fault, whatever it raises: a DataError that names it."""
    try:
        yield
    except PipelineError:
        raise
    except MemoryError as cause:
        raise needs_memory(name) from cause
    except Exception as cause:
        raise DataError(f"{name}: cannot be read ({type(cause).__name__}: {str(cause)[:120]}).", BROKEN_REMEDY) from cause


def needs_memory(name: str) -> DataError:
    """The error for a file that is larger, or grows larger, than the memory that its reader has."""
    return DataError(f"{name}: needs more memory than there is.", "Scale it down first, or leave it out.")


def file_bytes(path: Path | str) -> bytes:
    """A file's content. Raises DataError where there is none or it cannot be read."""
    try:
        return Path(path).read_bytes()
    except MemoryError as cause:
        raise needs_memory(str(path)) from cause
    except FileNotFoundError as cause:
        raise DataError(f"{path}: no such file.", "Check the path or the manifest's row.") from cause
    except (OSError, ValueError) as cause:
        reason = getattr(cause, "strerror", None) or str(cause)
        raise DataError(f"{path}: cannot be read ({reason}).", "Check the path and its permissions.") from cause


def is_dicom(data: bytes, name: str) -> bool:
    """Whether bytes are a DICOM object: by the prefix, or without one by the first group and the suffix."""
    if data[128:132] == b"DICM":
        return True
    return name.lower().endswith(DICOM_SUFFIXES) and data[:2] in (b"\x08\0", b"\x02\0", b"\0\x08", b"\0\x02")


def is_volume(path: Path | str) -> bool:
    """Whether a path is a volume by its kind: a NIfTI file."""
    return str(path).lower().endswith(VOLUME_SUFFIXES)


def _only_frame(data: bytes, name: str, with_colour: bool) -> ReadScan:
    from pipeline.data.reading.dicom_chain.dicom_object import open_dicom

    opened = open_dicom(data, name)
    if opened.count != 1:
        raise DataError(
            f"{name}: DICOM object of {opened.count} frames, one image expected.",
            "Say which slice is wanted, or save it as its own file.",
        )
    return opened.read(0, with_colour)


def _content(data: bytes) -> str:
    seems_text = all(byte >= 32 or byte in b"\t\r\n" for byte in data[:64])
    return f"text ({data[:24].decode('utf-8', 'replace')!r}…)" if seems_text else "of no known image format"
