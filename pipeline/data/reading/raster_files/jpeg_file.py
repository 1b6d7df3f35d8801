"""JPEG (ITU-T T.81): 8 bits by libjpeg-turbo, which stops where the data are damaged; lossless and deeper ones too."""

from __future__ import annotations

import numpy as np

from pipeline.data.reading.assumptions import Notes
from pipeline.data.reading.file_integrity import BROKEN_REMEDY
from pipeline.data.reading.raster_files.jpeg_header import JpegHeader, read_jpeg_header
from pipeline.data.reading.raster_files.orientation import UPRIGHT, exif_orientation
from pipeline.data.reading.raster_files.stored_picture import StoredPicture, mismatch, refused
from pipeline.engine.errors import DataError

BASELINE, EXTENDED, PROGRESSIVE, LOSSLESS = 0, 1, 2, 3
_NOT_READ = {
    **dict.fromkeys((5, 6, 7), "with a hierarchy of frames"), **dict.fromkeys((9, 10, 11), "with arithmetic coding"),
    **dict.fromkeys((13, 14, 15), "with a hierarchy of frames and arithmetic coding"), 0xF7 - 0xC0: "of the kind JPEG-LS",
}  # fmt: skip
_COLOURS = {1: "GRAY", 3: "RGB", 4: "CMYK"}
# No encoder writes as many; each costs a pass over the whole picture.
_MAXIMUM_SCANS = 100
_END = b"\xff\xd9"


def decode_jpeg(data: bytes, notes: Notes) -> StoredPicture:
    """A JPEG's bytes → its picture; of CMYK its RGB, said.

    Raises DataError: cut off or damaged data, coding processes and depths that are not read, two or more than four
    components, a picture of another size than its header tells.
    """
    header = read_jpeg_header(data, notes.name)
    if header.process in _NOT_READ:
        raise refused(notes.name, "JPEG", _NOT_READ[header.process])
    if header.process < 0 or not header.width or not header.height:
        raise DataError(f"{notes.name}: corrupt JPEG (its header tells no picture).", BROKEN_REMEDY)
    if header.components not in _COLOURS:
        raise refused(notes.name, "JPEG", f"of {header.components} components")
    if header.components == 4 and header.adobe is None:
        # Without it some writers mean 255 as full ink and others as none.
        raise refused(notes.name, "JPEG", "in CMYK without Adobe's segment")
    if header.process == PROGRESSIVE and data.count(b"\xff\xda", header.scans_from) > _MAXIMUM_SCANS:
        raise DataError(f"{notes.name}: a JPEG of more than {_MAXIMUM_SCANS} scans.", BROKEN_REMEDY)
    if header.precision == 8 and header.process != LOSSLESS:
        samples = _eight_bit(data, header, notes.name)
    else:
        samples = _deep(data, header, notes.name)
        notes.add("coding", f"A JPEG of {header.precision} bits or without loss: its decoder would not tell damage.")
    channels = 1 if header.components == 1 else 3
    if header.components == 4:
        samples = _cmyk_as_rgb(samples, notes)
    orientation = exif_orientation(header.exif, notes) if header.exif else UPRIGHT
    picture = StoredPicture(samples, (1 << header.precision) - 1, orientation=orientation)
    return picture.checked(notes.name, "JPEG", header.height, header.width, channels)


def check_stream(data: bytes, components: int, name: str) -> np.ndarray:
    """The 8-bit samples of a whole JPEG stream, (H, W, components). Raises DataError where its data are damaged."""
    import simplejpeg

    try:
        return simplejpeg.decode_jpeg(data, colorspace=_COLOURS[components])
    except ValueError as cause:
        mended = _without_harmless_faults(data, str(cause))
        if mended is not None:
            return check_stream(mended, components, name)
        if "subsampling" in str(cause):
            raise refused(name, "JPEG", "of these sampling factors") from cause
        raise DataError(f"{name}: corrupt JPEG ({_first_sentence(cause)}).", BROKEN_REMEDY) from cause


def _without_harmless_faults(data: bytes, finding: str) -> bytes | None:
    """The same without what the decoder complains of, where the picture is whole all the same; None else."""
    if "JFIF revision" in finding and (version := data.find(b"JFIF\0") + 5) > 4 and data[version] != 1:
        return data[:version] + b"\1" + data[version + 1 :]
    # Some writers fill the file with zeros before its end marker.
    last = data.rfind(_END)
    trimmed = data[:last].rstrip(b"\0")
    return trimmed + _END if "extraneous bytes" in finding and len(trimmed) < last else None


def _eight_bit(data: bytes, header: JpegHeader, name: str) -> np.ndarray:
    samples = check_stream(data, header.components, name)
    return samples[..., 0] if header.components == 1 else samples


def _deep(data: bytes, header: JpegHeader, name: str) -> np.ndarray:
    """Lossless pictures, and 12 bits: libjpeg-turbo 3 as imagecodecs builds it."""
    if header.components == 4:
        raise refused(name, "JPEG", f"of four components and {header.precision} bits")
    import imagecodecs

    try:
        samples = imagecodecs.jpeg8_decode(data)
    except Exception as cause:
        raise DataError(f"{name}: corrupt JPEG ({_first_sentence(cause)}).", BROKEN_REMEDY) from cause
    wanted = np.uint8 if header.precision <= 8 else np.uint16
    if samples.dtype != wanted:
        raise mismatch(name, "JPEG", f"{header.precision} bits", samples.dtype)
    return samples


def _cmyk_as_rgb(samples: np.ndarray, notes: Notes) -> np.ndarray:
    """Adobe's inverted ink (255 is none), uint8 (H, W, 4) → RGB without a colour profile."""
    from PIL import Image

    notes.add("colour", "The picture is CMYK: shown as RGB without a colour profile.")
    return np.asarray(Image.frombytes("CMYK", samples.shape[1::-1], (255 - samples).tobytes()).convert("RGB"))


def _first_sentence(cause: Exception) -> str:
    return (str(cause).strip().splitlines() or [type(cause).__name__])[0][:100]
