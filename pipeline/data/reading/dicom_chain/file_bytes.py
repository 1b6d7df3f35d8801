"""The bytes of a DICOM file before they are parsed: deflated data sets, unpacked within bounds."""

from __future__ import annotations

import zlib

from pipeline.data.reading.file_integrity import BROKEN_REMEDY, MAXIMUM_PIXELS
from pipeline.engine.errors import DataError

_DEFLATED = b"1.2.840.10008.1.2.1.99"
_LONG_FORMS = (b"OB", b"OW", b"OF", b"OD", b"OL", b"OV", b"SQ", b"UC", b"UN", b"UR", b"UT", b"SV", b"UV")
_MAXIMUM_BYTES = 4 * MAXIMUM_PIXELS


def deflated_from(data: bytes) -> int | None:
    """Where the deflated data set of an object begins; None where it has none."""
    place, deflated = 132, False
    while data[128:132] == b"DICM" and data[place : place + 2] == b"\x02\0" and place + 12 <= len(data):
        long_form = data[place + 4 : place + 6] in _LONG_FORMS
        length = int.from_bytes(data[place + 8 : place + 12] if long_form else data[place + 6 : place + 8], "little")
        start = place + (12 if long_form else 8)
        is_syntax = data[place + 2 : place + 4] == b"\x10\0"
        deflated = deflated or is_syntax and data[start : start + length].rstrip(b"\0 ") == _DEFLATED
        place = start + length
    return place if deflated else None


def inflated(data: bytes, name: str) -> bytes:
    """An object's bytes with a deflated data set (PS3.5 A.5) unpacked and told as explicit little endian; others as they are.

    pydicom would unpack whatever a bomb holds. Raises DataError above a bound, or where the data are corrupt.
    """
    place = deflated_from(data)
    if place is None:
        return data
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        content = inflater.decompress(data[place:], _MAXIMUM_BYTES)
    except zlib.error as cause:
        raise DataError(f"{name}: not readable as DICOM (its deflated data are corrupt).", BROKEN_REMEDY) from cause
    if len(content) >= _MAXIMUM_BYTES:
        raise DataError(f"{name}: deflated to more than {_MAXIMUM_BYTES:,} bytes.", "Leave it out.")
    return data[:place].replace(_DEFLATED, _DEFLATED[:-3] + b"\0\0\0") + content
