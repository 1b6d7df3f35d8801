"""Encoders of PNG, TIFF and BMP by hand, for the variants that no library writes; and what their pictures show."""

from __future__ import annotations

import struct
import zlib

import numpy as np
from PIL import Image

ADAM7 = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE, 8: Image.Transpose.ROTATE_90,
}  # fmt: skip


def shown(samples: np.ndarray, top: int | None, alpha: np.ndarray | None = None, orientation: int = 1) -> np.ndarray:
    """What a reader should give: luma (BT.601), over black, deep values from percentile to percentile, upright."""
    values = np.asarray(samples, np.float64)
    if values.ndim == 3:
        values = values @ [0.299, 0.587, 0.114]
    if alpha is not None:
        values = values * alpha
    if top is not None and top <= 255:
        values = values * (255 / top)
    else:
        low, high = np.percentile(values, (0.5, 99.5))
        values = np.clip((values - low) / (high - low), 0, 1) * 255
    gray = np.rint(values).astype(np.uint8)
    return gray if orientation == 1 else np.asarray(Image.fromarray(gray).transpose(TURNS[orientation]))


def packed(row: np.ndarray, bits: int, order: str = ">") -> bytes:
    """One row of samples (any shape, flattened), the first in the highest bits, filled up to a byte."""
    flat = np.asarray(row).ravel()
    if flat.dtype.kind == "f" or bits in (8, 16, 32, 64):
        kind = flat.dtype.kind if flat.dtype.kind in "fi" else "u"
        return flat.astype(f"{order}{kind}{bits // 8}").tobytes()
    stored = (flat.astype(np.int64)[:, None] >> np.arange(bits - 1, -1, -1)) & 1
    return np.packbits(stored.astype(np.uint8).ravel()).tobytes()


def exif(orientation: int, order: str = "<") -> bytes:
    """A TIFF structure of one entry: the orientation."""
    mark = b"II" if order == "<" else b"MM"
    return mark + struct.pack(f"{order}HIHHHIHHI", 42, 8, 1, 274, 3, 1, orientation, 0, 0)


# PNG ----------------------------------------------------------------------------------------------------------------


def png_chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(
    samples: np.ndarray, depth: int, kind: int, *, interlaced: bool = False, chunks: tuple[tuple[bytes, bytes], ...] = ()
) -> bytes:  # fmt: skip
    """Samples (H, W) or (H, W, C) of one colour type and depth, rows unfiltered; `chunks` stand before the pixels."""
    height, width = samples.shape[:2]
    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, int(interlaced))
    passes = [samples[row::down, column::across] for row, column, down, across in ADAM7] if interlaced else [samples]
    rows = b"".join(b"\0" + packed(row, depth) for part in passes if part.size for row in part)
    before = b"".join(png_chunk(name, content) for name, content in chunks)
    pixels = png_chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + before + pixels + png_chunk(b"IEND", b"")


# TIFF ---------------------------------------------------------------------------------------------------------------


def pack_bits(content: bytes) -> bytes:
    """PackBits, in literal runs."""
    return b"".join(bytes([len(part) - 1]) + part for part in (content[at : at + 128] for at in range(0, len(content), 128)))


def tiff(
    samples: np.ndarray, bits: int, photometric: int, *, order: str = "<", big: bool = False, planes: bool = False,
    tile: int = 0, rows_per_strip: int = 0, compression: int = 1, predictor: int = 1, fill_order: int = 1,
    tags: dict[int, tuple[str, tuple[int, ...]]] | None = None, pages: int = 1, sample_format: int | None = None,
) -> bytes:  # fmt: skip
    """Samples (H, W) or (H, W, C) as a TIFF; `tags` adds or replaces entries {tag: ("H" or "I", values)}."""
    height, width = samples.shape[:2]
    count = 1 if samples.ndim == 2 else samples.shape[2]
    layers = [samples[..., channel] for channel in range(count)] if planes else [samples]
    parts = [part for layer in layers for part in _segments(layer, tile, rows_per_strip or height)]
    stored = [_compressed(_rows(part, bits, order, predictor), compression, fill_order) for part in parts]
    out = bytearray(_tiff_beginning(order, big))
    places = []
    for segment in stored:
        places.append(len(out))
        out += segment + b"\0" * (len(segment) % 2)
    kind = {"f": 3, "i": 2}.get(samples.dtype.kind, 1)
    entries: dict[int, tuple[str, tuple[int, ...]]] = {
        256: ("I", (width,)), 257: ("I", (height,)), 258: ("H", (bits,) * count), 259: ("H", (compression,)),
        262: ("H", (photometric,)), 266: ("H", (fill_order,)), 277: ("H", (count,)), 284: ("H", (2 if planes else 1,)),
        317: ("H", (predictor,)), 339: ("H", (sample_format or kind,) * count),
    }  # fmt: skip
    if tile:
        entries |= {322: ("H", (tile,)), 323: ("H", (tile,)), 324: ("I", tuple(places)), 325: ("I", tuple(map(len, stored)))}
    else:
        entries |= {273: ("I", tuple(places)), 278: ("I", (rows_per_strip or height,)), 279: ("I", tuple(map(len, stored)))}
    entries |= tags or {}
    return bytes(_with_directories(out, entries, order, big, pages))


def _segments(layer: np.ndarray, tile: int, rows: int) -> list[np.ndarray]:
    height, width = layer.shape[:2]
    if not tile:
        return [layer[top : top + rows] for top in range(0, height, rows)]
    margin = [(0, -height % tile), (0, -width % tile)] + [(0, 0)] * (layer.ndim - 2)
    whole = np.pad(layer, margin)
    corners = [(top, left) for top in range(0, whole.shape[0], tile) for left in range(0, whole.shape[1], tile)]
    return [whole[top : top + tile, left : left + tile] for top, left in corners]


def _rows(part: np.ndarray, bits: int, order: str, predictor: int) -> bytes:
    if predictor == 2:
        part = np.concatenate([part[:, :1], np.diff(part, axis=1)], axis=1)
    if predictor == 3:
        return b"".join(_float_differences(row, bits // 8) for row in part)
    return b"".join(packed(row, bits, order) for row in part)


def _float_differences(row: np.ndarray, size: int) -> bytes:
    """Adobe's technical note 3: the bytes of one rank together, the highest first, then differences."""
    values = row.astype(f">f{size}")
    ranks = np.frombuffer(values.tobytes(), np.uint8).reshape(-1, size).T.ravel()
    return np.concatenate([ranks[:1], np.diff(ranks)]).tobytes()


def _compressed(content: bytes, compression: int, fill_order: int) -> bytes:
    stored = {1: lambda: content, 8: lambda: zlib.compress(content), 32773: lambda: pack_bits(content)}[compression]()
    if fill_order == 1:
        return stored
    return np.packbits(np.unpackbits(np.frombuffer(stored, np.uint8)), bitorder="little").tobytes()


def _tiff_beginning(order: str, big: bool) -> bytes:
    mark = b"II" if order == "<" else b"MM"
    return mark + (struct.pack(order + "HHHQ", 43, 8, 0, 0) if big else struct.pack(order + "HI", 42, 0))


def _with_directories(
    out: bytearray, entries: dict[int, tuple[str, tuple[int, ...]]], order: str, big: bool, pages: int
) -> bytearray:
    inline, word = (8, "Q") if big else (4, "I")
    link = 8 if big else 4
    for _ in range(pages):
        directory = b""
        for tag, (kind, values) in sorted(entries.items()):
            content = struct.pack(f"{order}{len(values)}{kind}", *values)
            if len(content) > inline:
                place = len(out)
                out += content
                content = struct.pack(order + word, place)
            directory += struct.pack(f"{order}HH{word}", tag, {"H": 3, "I": 4}[kind], len(values)) + content.ljust(inline, b"\0")
        out[link : link + inline] = struct.pack(order + word, len(out))
        out += struct.pack(order + ("Q" if big else "H"), len(entries)) + directory
        link = len(out)
        out += b"\0" * inline
    return out


# BMP ----------------------------------------------------------------------------------------------------------------


def bmp(
    rows: list[bytes], width: int, bits: int, *, header: int = 40, compression: int = 0, palette: np.ndarray | None = None,
    fields: tuple[int, ...] = (), top_down: bool = False, runs: bytes | None = None,
) -> bytes:  # fmt: skip
    """Packed rows, the upper one first, or run lengths as they are; `palette` RGB (N, 3)."""
    height = len(rows)
    stored = b"".join(row + b"\0" * (-len(row) % 4) for row in (rows if top_down else rows[::-1])) if runs is None else runs
    colours = b""
    if palette is not None:
        colours = b"".join(bytes([blue, green, red]) + (b"" if header == 12 else b"\0") for red, green, blue in palette)
    if header == 12:
        told = struct.pack("<IHHHH", 12, width, height, 1, bits)
    else:
        told = struct.pack("<IiiHH", header, width, -height if top_down else height, 1, bits)
        told += struct.pack("<IIiiII", compression, len(stored), 0, 0, 0 if palette is None else len(palette), 0)
        told = (told + b"".join(struct.pack("<I", mask) for mask in fields)).ljust(header, b"\0")
    start = 14 + len(told) + len(colours)
    return b"BM" + struct.pack("<IHHI", start + len(stored), 0, 0, start) + told + colours + stored
