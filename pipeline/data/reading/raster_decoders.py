"""Raster files (PNG, JPEG, TIFF, BMP) to 8-bit gray and, where asked for, colour."""

from __future__ import annotations

from io import BytesIO

import cv2
import numpy as np

from pipeline.data.reading.assumptions import Notes, ReadScan, ScanHeader
from pipeline.data.reading.file_integrity import BROKEN_REMEDY, check_bmp, check_jpeg, check_png, refuse_huge
from pipeline.engine.errors import DataError


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
    decoders = {"PNG": _decode_png, "JPEG": _decode_jpeg, "TIFF": _decode_tiff, "BMP": _decode_bmp}
    notes = Notes(name)
    gray = decoders[kind](data, name)
    return ReadScan(gray, _colour(data) if with_colour else None, notes.all(), ScanHeader(kind))


def _decode_png(data: bytes, name: str) -> np.ndarray:
    check_png(data, name)
    return _to_gray(_opencv(data, name, "PNG", cv2.IMREAD_UNCHANGED), name)


def _decode_jpeg(data: bytes, name: str) -> np.ndarray:
    if check_jpeg(data, name) == 4:
        return _decode_cmyk(data, name)
    return _to_gray(_opencv(data, name, "JPEG", cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH), name)


def _decode_bmp(data: bytes, name: str) -> np.ndarray:
    check_bmp(data, name)
    return _to_gray(_opencv(data, name, "BMP", cv2.IMREAD_UNCHANGED), name)


def _decode_cmyk(data: bytes, name: str) -> np.ndarray:
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        picture = ImageOps.exif_transpose(Image.open(BytesIO(data))).convert("RGB")
    except (OSError, UnidentifiedImageError, ValueError, SyntaxError) as cause:
        raise DataError(f"{name}: corrupt CMYK JPEG ({cause}).", BROKEN_REMEDY) from cause
    return cv2.cvtColor(np.asarray(picture), cv2.COLOR_RGB2GRAY)


def _decode_tiff(data: bytes, name: str) -> np.ndarray:
    from PIL import Image, UnidentifiedImageError

    photometric_tag, white_is_zero = 262, 0
    pages, photometric = 1, None
    try:
        with Image.open(BytesIO(data)) as header:
            pages, photometric = getattr(header, "n_frames", 1), header.getexif().get(photometric_tag)
            refuse_huge(name, *header.size)
            # OpenCV leaves the strips that a cut-off file lacks black; Pillow refuses them.
            header.load()
    except UnidentifiedImageError:
        pass  # a kind that only OpenCV reads, such as 16-bit colour
    except (OSError, ValueError, SyntaxError, TypeError, KeyError) as cause:
        raise DataError(f"{name}: truncated or corrupt TIFF ({cause}).", BROKEN_REMEDY) from cause
    if pages > 1:
        raise DataError(
            f"{name}: TIFF of {pages} pages, one image expected.",
            "Save the slice that is wanted as its own file.",
        )
    pixels = _opencv(data, name, "TIFF", cv2.IMREAD_UNCHANGED)
    gray = _to_gray(pixels, name)
    # OpenCV inverts white-is-zero at 8 bits only.
    inverted = photometric == white_is_zero and pixels.dtype != np.uint8
    return np.asarray(255 - gray, np.uint8) if inverted else gray


def _opencv(data: bytes, name: str, kind: str, flags: int) -> np.ndarray:
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as cause:
        raise DataError(f"{name}: corrupt {kind}.", BROKEN_REMEDY) from cause
    if pixels is None:
        raise DataError(f"{name}: corrupt {kind}.", BROKEN_REMEDY)
    return np.asarray(pixels)


def _to_gray(pixels: np.ndarray, name: str) -> np.ndarray:
    """OpenCV's gray, BGR or BGRA of any depth → uint8 (H, W)."""
    if pixels.dtype == np.int8 or pixels.dtype.itemsize == 8:
        pixels = pixels.astype(np.float32)
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    if channels == 2:
        gray = _over_black(pixels[..., 0], pixels[..., 1])
    elif channels == 4:
        gray = _over_black(cv2.cvtColor(pixels, cv2.COLOR_BGRA2GRAY), pixels[..., 3])
    elif channels == 3:
        gray = cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY)
    else:
        gray = pixels.reshape(pixels.shape[:2])
    return gray if gray.dtype == np.uint8 else _stretched(gray, name)


def _over_black(gray: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    full = np.iinfo(gray.dtype).max if np.issubdtype(gray.dtype, np.integer) else 1.0
    shown = gray.astype(np.float32) * (alpha.astype(np.float32) / full)
    return np.rint(shown).astype(gray.dtype) if np.issubdtype(gray.dtype, np.integer) else shown


def _stretched(gray: np.ndarray, name: str) -> np.ndarray:
    values = gray.astype(np.float32)
    low, high = float(values.min()), float(values.max())
    if not np.isfinite([low, high]).all():
        raise DataError(f"{name}: holds values that are not finite.", BROKEN_REMEDY)
    if high <= low:
        return np.zeros(gray.shape, np.uint8)
    return np.rint((values - low) * (255.0 / (high - low))).astype(np.uint8)


def _colour(data: bytes) -> np.ndarray | None:
    """Raster bytes that were read as gray → RGB uint8 (H, W, 3), composited on black; None for gray files.

    EXIF orientation is applied, 16-bit colour is narrowed to 8 bits.
    """
    encoded = np.frombuffer(data, np.uint8)
    try:
        stored = cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED)
        if stored is None or stored.ndim == 2 or stored.shape[2] < 3:
            return None
        # Unchanged leaves EXIF orientation alone, and colour drops alpha: a file has one or the other.
        if stored.shape[2] == 3:
            return cv2.cvtColor(cv2.imdecode(encoded, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    except cv2.error:
        return None
    full = np.iinfo(stored.dtype).max if np.issubdtype(stored.dtype, np.integer) else 1.0
    shown = stored[..., 2::-1].astype(np.float32) * (stored[..., 3:].astype(np.float32) / full) * (255.0 / full)
    return np.rint(np.clip(shown, 0, 255)).astype(np.uint8)
