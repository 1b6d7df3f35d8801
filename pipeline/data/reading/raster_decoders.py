"""Raster files (PNG, JPEG, TIFF, BMP) to 8-bit gray and, where asked for, colour; and to the labels that a mask stores."""

from __future__ import annotations

from pipeline.data.reading.assumptions import Notes, ReadScan, ScanHeader
from pipeline.data.reading.raster_files.gray_levels import to_colour, to_gray
from pipeline.data.reading.raster_files.stored_picture import StoredPicture


def raster_kind(data: bytes) -> str | None:
    """"PNG", "JPEG", "TIFF" or "BMP" by the first bytes; None for anything else."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        return "TIFF"
    return "BMP" if data.startswith(b"BM") else None


def decode_raster(data: bytes, kind: str, name: str, with_colour: bool = True) -> ReadScan:
    """A raster file's bytes → one scan. Raises DataError as `read_scan` tells."""
    notes = Notes(name)
    picture = stored_picture(data, kind, notes)
    gray = to_gray(picture, notes)
    bits = 8 * picture.samples.dtype.itemsize if picture.top is None else picture.top.bit_length()
    header = ScanHeader(kind, photometric="RGB" if picture.samples.ndim == 3 else "", bits_stored=bits)
    return ReadScan(gray, to_colour(picture) if with_colour else None, notes.all(), header)


def stored_picture(data: bytes, kind: str, notes: Notes) -> StoredPicture:
    """The picture as the file stores it, checked against the file's header. Raises DataError as `read_scan` tells."""
    if kind == "PNG":
        from pipeline.data.reading.raster_files.png_file import decode_png

        return decode_png(data, notes)
    if kind == "JPEG":
        from pipeline.data.reading.raster_files.jpeg_file import decode_jpeg

        return decode_jpeg(data, notes)
    if kind == "TIFF":
        from pipeline.data.reading.raster_files.tiff_file import decode_tiff

        return decode_tiff(data, notes)
    from pipeline.data.reading.raster_files.bmp_file import decode_bmp

    return decode_bmp(data, notes)
