"""Scan files to 8-bit gray: PNG, JPEG, TIFF, BMP and DICOM."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np

from pipeline.data.reading.dicom import decode_dicom
from pipeline.data.reading.file_integrity import BROKEN_REMEDY, check_bmp, check_jpeg, check_png, refuse_huge
from pipeline.engine.errors import DataError

MINIMUM_SIDE = 16
SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".dcm", ".dicom"})

_FORMAT_REMEDY = "Save it as PNG, JPEG, TIFF, BMP or DICOM, or leave it out."
_READ_AHEAD = 16


def read_gray(path: Path | str) -> np.ndarray:
    """One scan as uint8 (H, W), 0 black … 255 white, both sides at least 16 px.

    The format is told from the file's bytes, never from its name.
    - 8-bit gray: the stored values. Colour and palette: BT.601 luma; a palette is resolved first.
    - 16-bit and floating point: stretched linearly from the file's own minimum…maximum to 0…255 (scanners
      store 10, 12 or 16 significant bits without saying which); a flat one becomes 0.
    - Alpha: composited on black, as a scan's surround is. CMYK JPEG: converted to RGB, then luma.
    - EXIF orientation of a JPEG is applied: the scan is read as every viewer shows it.
    - TIFF: one page only; white-is-zero is inverted. DICOM: see `decode_dicom`.

    Raises DataError naming the file and the cause: missing, empty, cut off, corrupt, not an image, of another
    format, of several pages, too small or too large.
    """
    return decode_gray(file_bytes(path), str(path))


def file_bytes(path: Path | str) -> bytes:
    """What a scan's file holds. Raises DataError naming it: missing, or not to be read."""
    try:
        return Path(path).read_bytes()
    except FileNotFoundError as cause:
        raise DataError(f"{path}: no such file.", "Check the path or the manifest's row.") from cause
    except OSError as cause:
        raise DataError(f"{path}: cannot be read ({cause.strerror}).", "Check the path and its permissions.") from cause


def decode_gray(data: bytes, name: str) -> np.ndarray:
    """`read_gray` for bytes that are in memory (an upload); `name` is what errors call them."""
    if not data:
        raise DataError(f"{name}: empty file (zero bytes).", BROKEN_REMEDY)
    gray = _decoder(data, name)(data, name)
    if min(gray.shape) < MINIMUM_SIDE:
        height, width = gray.shape
        raise DataError(
            f"{name}: {width}x{height} pixels, at least {MINIMUM_SIDE} a side are needed.",
            "Use the full scan, not a thumbnail.",
        )
    return gray


def read_in_order(paths: Iterable[Path], workers: int = 2) -> Iterator[np.ndarray | DataError]:
    """`read_gray` over many files in their order, `workers` threads reading ahead by a bounded number of
    files.

    A file that cannot be read is yielded as its DataError, so that a caller names, skips and counts it.
    Memory does not grow with the number of files.
    """
    with ThreadPoolExecutor(max(1, workers)) as pool:
        pending: deque[Future[np.ndarray | DataError]] = deque()
        for path in paths:
            pending.append(pool.submit(_read_or_error, path))
            if len(pending) > _READ_AHEAD:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


def _read_or_error(path: Path) -> np.ndarray | DataError:
    try:
        return read_gray(path)
    except DataError as error:
        return error


def _decoder(data: bytes, name: str):
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return _decode_png
    if data.startswith(b"\xff\xd8\xff"):
        return _decode_jpeg
    if data.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        return _decode_tiff
    if data.startswith(b"BM"):
        return _decode_bmp
    bare_dicom = name.lower().endswith((".dcm", ".dicom")) and data[:2] in (b"\x08\x00", b"\x02\x00")
    if data[128:132] == b"DICM" or bare_dicom:
        return decode_dicom
    seems_text = all(byte >= 32 or byte in b"\t\r\n" for byte in data[:64])
    what = f"text ({data[:24].decode('utf-8', 'replace')!r}…)" if seems_text else "of no known image format"
    raise DataError(f"{name}: not a scan, its content is {what}.", _FORMAT_REMEDY)


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
