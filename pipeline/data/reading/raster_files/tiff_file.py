"""TIFF (6.0, and BigTIFF): tifffile decodes, held against the directory that is read here."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from io import BytesIO

import numpy as np

from pipeline.data.reading.assumptions import Notes
from pipeline.data.reading.file_integrity import BROKEN_REMEDY, MAXIMUM_PIXELS, refuse_huge, truncated
from pipeline.data.reading.raster_files.jpeg_file import check_stream
from pipeline.data.reading.raster_files.jpeg_header import read_jpeg_header
from pipeline.data.reading.raster_files.orientation import legal_orientation
from pipeline.data.reading.raster_files.stored_picture import StoredPicture, mismatch, refused, through_palette
from pipeline.data.reading.raster_files.tiff_directory import JPEG_TABLES, Directory, only_picture
from pipeline.engine.errors import DataError

WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, MASK, CMYK, YCBCR = range(7)
_COLOUR_CHANNELS = {WHITE_IS_ZERO: 1, BLACK_IS_ZERO: 1, RGB: 3, PALETTE: 1, CMYK: 4, YCBCR: 3}
_PHOTOMETRIC_WORDS = {MASK: "that is a transparency mask", 8: "in CIE L*a*b*", 9: "in ICC L*a*b*", 10: "in ITU L*a*b*",
                      32803: "of a colour filter array", 34892: "of raw linear values"}  # fmt: skip
NONE, LZW, JPEG, DEFLATE, PACKBITS = 1, 5, 7, 8, 32773
_COMPRESSIONS = (NONE, LZW, JPEG, DEFLATE, 32946, PACKBITS, 34925, 50000)
UNSIGNED, SIGNED, FLOATING = 1, 2, 3
_DEPTHS = {UNSIGNED: (1, 2, 4, 8, 10, 12, 14, 16, 32), SIGNED: (8, 16, 32), FLOATING: (16, 32, 64)}
_ASSOCIATED, _UNASSOCIATED = 1, 2
_MAXIMUM_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class _Layout:
    """What a directory says of its picture, in numbers that are read here."""

    height: int
    width: int
    samples: int
    bits: int
    format: int
    photometric: int
    compression: int
    separate: bool

    @property
    def dtype(self) -> np.dtype:
        size = max(1, 1 << (self.bits - 1).bit_length() >> 3)
        return np.dtype({UNSIGNED: "u", SIGNED: "i", FLOATING: "f"}[self.format] + str(size))

    @property
    def top(self) -> int | None:
        return (1 << self.bits) - 1 if self.format == UNSIGNED else None


def decode_tiff(data: bytes, notes: Notes) -> StoredPicture:
    """A TIFF's bytes → its one picture; previews and masks beside it are left out, and said.

    Read: 1 to 16 and 32 bits, signed and floating; white-is-zero, black-is-zero, RGB, palette, CMYK, YCbCr in JPEG;
    strips and tiles, chunky and in planes, both byte orders and fill orders; uncompressed, LZW, deflate, PackBits, JPEG,
    LZMA, Zstandard; predictors. Raises DataError for every other kind and for damaged files.
    """
    directory, others = only_picture(data, notes.name)
    if others:
        notes.add("frames", f"The TIFF holds {others} preview(s) or mask(s) beside its picture: left out.", False)
    layout = _layout(directory, notes.name)
    _check_segments(directory, layout, data, notes.name)
    pixels = _decoded(data, directory.number, layout, notes.name)
    picture = _shown(pixels, directory, layout, notes)
    return picture.checked(notes.name, "TIFF", layout.height, layout.width, 1 if picture.samples.ndim == 2 else 3)


def _layout(directory: Directory, name: str) -> _Layout:
    """Raises DataError for a layout that no decoder here surely reads, before anything is decoded."""
    width, height = directory.value(256, 0), directory.value(257, 0)
    samples = directory.value(277, 1)
    bits = set(directory.values(258, (1,)))
    formats = set(directory.values(339, (UNSIGNED,)))
    photometric, compression = directory.value(262, -1), directory.value(259, NONE)
    refuse_huge(name, width, height)
    if not width or not height or not samples:
        raise DataError(f"{name}: corrupt TIFF (its directory tells no picture).", BROKEN_REMEDY)
    if photometric not in _COLOUR_CHANNELS:
        raise refused(name, "TIFF", _PHOTOMETRIC_WORDS.get(photometric, f"of photometric kind {photometric}"))
    if compression not in _COMPRESSIONS:
        raise refused(name, "TIFF", "with JPEG of the old kind" if compression == 6 else f"with compression {compression}")
    if len(bits) > 1 or len(formats) > 1 or min(bits) not in _DEPTHS.get(min(formats), ()):
        raise refused(name, "TIFF", f"with {sorted(bits)} bits a sample (format {sorted(formats)})")
    layout = _Layout(
        height, width, samples, bits.pop(), formats.pop(), photometric, compression, directory.value(284, 1) == 2 and samples > 1
    )  # fmt: skip
    if height * width * samples * layout.dtype.itemsize > _MAXIMUM_BYTES:
        raise DataError(f"{name}: {width}x{height} pixels of {samples} samples, too much to read.", "Scale it down first.")
    predictor, fill = directory.value(317, 1), directory.value(266, 1)
    if predictor not in (1, 2, 3) or (predictor == 3) > (layout.format == FLOATING) or (predictor == 2 and layout.bits < 8):
        raise refused(name, "TIFF", f"with predictor {predictor} at {layout.bits} bits")
    if fill not in (1, 2) or (fill == 2 and (layout.bits >= 8 or compression == JPEG)):
        raise refused(name, "TIFF", f"with fill order {fill} at {layout.bits} bits")
    if photometric == YCBCR and compression != JPEG:
        raise refused(name, "TIFF", "in YCbCr without JPEG")
    if samples - _COLOUR_CHANNELS[photometric] not in (0, 1):
        raise refused(name, "TIFF", f"of photometric kind {photometric} with {samples} channels")
    return layout


def _check_segments(directory: Directory, layout: _Layout, data: bytes, name: str) -> None:
    """Every strip or tile has its place in the file; a decoder would show those that lack one as black."""
    tiled = 322 in directory.tags
    across = directory.value(322, 0) if tiled else layout.width
    down = directory.value(323, 0) if tiled else min(directory.value(278, layout.height), layout.height)
    if not across or not down or across * down > MAXIMUM_PIXELS:
        raise DataError(f"{name}: corrupt TIFF (strips or tiles of {across}x{down}).", BROKEN_REMEDY)
    planes, together = (layout.samples, 1) if layout.separate else (1, layout.samples)
    wanted = -(-layout.width // across) * -(-layout.height // down) * planes
    places = np.array(directory.values(324 if tiled else 273), object)
    sizes = np.array(directory.values(325 if tiled else 279), object)
    if len(places) != wanted or len(sizes) != wanted:
        raise mismatch(name, "TIFF", f"{wanted} strips or tiles", f"{len(places)} places, {len(sizes)} sizes")
    if not (places > 0).all() or not (sizes > 0).all() or (places + sizes > len(data)).any():
        raise truncated(name, "TIFF")
    if layout.compression == NONE:
        row = (across * together * layout.bits + 7) // 8
        # The last strip may have fewer rows.
        rows = layout.height * planes if not tiled else down * wanted
        if sizes.sum() < row * rows:
            raise truncated(name, "TIFF")
    elif layout.compression == JPEG:
        tables = directory.tags[JPEG_TABLES].tobytes()[:-2] if JPEG_TABLES in directory.tags else b"\xff\xd8"
        for place, size in zip(places, sizes, strict=True):
            _check_jpeg(tables + data[place + 2 : place + size], together, layout.bits, name)


def _check_jpeg(stream: bytes, components: int, bits: int, name: str) -> None:
    header = read_jpeg_header(stream, name)
    if header.precision != bits or header.components != components:
        raise mismatch(name, "TIFF", f"{components} samples of {bits} bits", "another JPEG")
    if bits == 8:
        check_stream(stream, components, name)


def _decoded(data: bytes, page: int, layout: _Layout, name: str) -> np.ndarray:
    """(H, W) or (H, W, samples) as tifffile gives it, in the machine's byte order."""
    import tifffile

    logging.getLogger("tifffile").setLevel(logging.CRITICAL)
    try:
        with tifffile.TiffFile(BytesIO(data)) as opened:
            pixels = opened.pages[page].asarray(maxworkers=1)
    except Exception as cause:
        finding = (str(cause).strip().splitlines() or [type(cause).__name__])[0][:100]
        raise DataError(f"{name}: truncated or corrupt TIFF ({finding}).", BROKEN_REMEDY) from cause
    if layout.separate and pixels.ndim == 3:
        pixels = np.moveaxis(pixels, 0, -1)
    pixels = pixels.astype(layout.dtype, copy=False) if pixels.dtype == bool else pixels
    wanted = (layout.height, layout.width) if layout.samples == 1 else (layout.height, layout.width, layout.samples)
    if pixels.shape != wanted or pixels.dtype.newbyteorder("=") != layout.dtype:
        raise mismatch(name, "TIFF", f"{wanted} of {layout.dtype}", f"{pixels.shape} of {pixels.dtype}")
    return np.ascontiguousarray(pixels, layout.dtype)


def _shown(pixels: np.ndarray, directory: Directory, layout: _Layout, notes: Notes) -> StoredPicture:
    channels = _COLOUR_CHANNELS[layout.photometric]
    alpha, premultiplied = None, False
    if layout.samples > channels:
        extra = pixels[..., channels]
        kind = directory.value(338, 0)
        if kind in (_ASSOCIATED, _UNASSOCIATED):
            alpha, premultiplied = np.ascontiguousarray(extra), kind == _ASSOCIATED
        elif extra.min() != extra.max():
            raise refused(notes.name, "TIFF", "with a further channel of an untold meaning")
        pixels = np.ascontiguousarray(pixels[..., 0] if channels == 1 else pixels[..., :channels])
    top = layout.top
    if layout.photometric == WHITE_IS_ZERO:
        pixels = top - pixels if top is not None else -pixels.astype(np.float64)
    elif layout.photometric == PALETTE:
        pixels, top = through_palette(pixels, _palette(directory, layout, notes.name), notes.name, "TIFF"), 255
    elif layout.photometric == CMYK:
        pixels = _ink_as_rgb(pixels, layout, notes)
    orientation = legal_orientation(directory.value(274, 1), notes)
    return StoredPicture(pixels, top, alpha, top if top is not None else 1, premultiplied, orientation)


def _palette(directory: Directory, layout: _Layout, name: str) -> np.ndarray:
    """RGB uint8 (N, 3); the map holds all reds, then greens, then blues, of 16 bits each."""
    stored = np.array(directory.values(320), np.uint16)
    if layout.format != UNSIGNED or layout.bits > 16 or stored.size != 3 << layout.bits:
        raise DataError(f"{name}: corrupt TIFF (a palette of {stored.size} values at {layout.bits} bits).", BROKEN_REMEDY)
    # Old writers fill the map with 8-bit values, which would show as black.
    scale = 1.0 if stored.max() < 256 else 257.0
    return np.rint(stored.reshape(3, -1).T / scale).astype(np.uint8)


def _ink_as_rgb(ink: np.ndarray, layout: _Layout, notes: Notes) -> np.ndarray:
    if layout.top not in (255, 65535):
        raise refused(notes.name, "TIFF", f"in CMYK of {layout.bits} bits")
    notes.add("colour", "The picture is CMYK: shown as RGB without a colour profile.")
    light = layout.top - ink.astype(np.float32)
    return np.rint(light[..., :3] * light[..., 3:] / layout.top).astype(layout.dtype)
