"""The matrix of DICOM objects that the reader and DCMTK are both shown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from tests.data.dicom_objects import dicom_bytes, palette, table_bytes

ROWS, COLUMNS = 40, 48
SYNTAXES = (
    "implicit", "explicit", "big", "deflated", "rle", "baseline", "extended", "progressive", "spectral", "lossless",
    "first order", "jpeg-ls", "near lossless",
)  # fmt: skip


@dataclass(frozen=True)
class Variant:
    """One object: its words, its elements, how it is encoded, and what DCMTK is asked for."""

    name: str
    words: np.ndarray
    elements: dict[str, object]
    syntax: str = "explicit"
    asked: tuple[str, ...] = ("-W",)
    frame: int | None = None


def object_of(variant: Variant) -> bytes:
    """The variant, explicit little endian."""
    return dicom_bytes(variant.words, **{"Rows": ROWS, "Columns": COLUMNS, **variant.elements})


def ramp(bits: int, seed: int = 0) -> np.ndarray:
    """int64 (ROWS, COLUMNS): every part of 0 … 2^bits-1, smooth with a little noise, both ends in it."""
    rng = np.random.default_rng(seed)
    values = np.linspace(0, 1, ROWS * COLUMNS).reshape(ROWS, COLUMNS) + rng.normal(0, 0.01, (ROWS, COLUMNS))
    values = np.rint(np.clip(values, 0, 1) * ((1 << bits) - 1)).astype(np.int64)
    values[0, 0], values[-1, -1] = 0, (1 << bits) - 1
    return values


def cells(values: np.ndarray, allocated: int, stored: int, high: int, garbage: bool = True) -> np.ndarray:
    """Values 0 … 2^stored-1 in their place in words; the other bits hold overlays where `garbage`."""
    shift = high + 1 - stored
    words = values.astype(np.uint64) << np.uint64(shift)
    if garbage:
        mask = ((1 << allocated) - 1) ^ (((1 << stored) - 1) << shift)
        noise = np.random.default_rng(7).integers(0, 1 << allocated, values.shape, dtype=np.uint64)
        words = words | (noise & np.uint64(mask))
    return words.astype(f"<u{allocated // 8}")


LAYOUTS = [
    (8, 8, 7), (8, 7, 6), (8, 6, 7), (16, 8, 7), (16, 9, 8), (16, 10, 9), (16, 12, 11), (16, 12, 15), (16, 12, 13),
    (16, 14, 13), (16, 15, 15), (16, 16, 15), (32, 20, 19),
]  # fmt: skip
HALVES = (0.5, 3.25)
RESCALES = [None, (1, -1024), HALVES, (-2, 100)]


def stored_variants() -> Iterator[Variant]:
    """Bits, their place, sign, polarity, rescale, window."""
    for allocated, stored, high in LAYOUTS:
        for signed in (0, 1):
            # DCMTK rounds rescaled values to whole numbers: halves only where a gray level is many of them.
            for place, rescale in enumerate(RESCALES if stored >= 12 else [part for part in RESCALES if part != HALVES]):
                photometric = ("MONOCHROME1", "MONOCHROME2")[(place + signed) % 2]
                low = -(1 << (stored - 1)) if signed else 0
                ends = np.array([low, low + (1 << stored) - 1]) * (rescale or (1, 0))[0] + (rescale or (1, 0))[1]
                centre, width = round(float(ends.mean()) + 1.5, 1), max(2, round(float(abs(ends[1] - ends[0])) * 0.6))
                elements = {
                    "BitsAllocated": allocated, "BitsStored": stored, "HighBit": high, "PixelRepresentation": signed,
                    "PhotometricInterpretation": photometric, "WindowCenter": centre, "WindowWidth": width,
                }  # fmt: skip
                if rescale:
                    elements.update(RescaleSlope=rescale[0], RescaleIntercept=rescale[1])
                name = f"{allocated}-{stored}-{high} sign {signed} rescale {rescale} {photometric}"
                words = cells(ramp(stored) ^ ((1 << (stored - 1)) if signed else 0), allocated, stored, high)
                yield Variant(name, words, elements, asked=("+Wi", "1"))
    for photometric in ("MONOCHROME1", "MONOCHROME2"):
        for allocated, signed in ((8, 0), (16, 0), (8, 1), (16, 1)):
            told = {"BitsStored": 8, "PhotometricInterpretation": photometric, "PixelRepresentation": signed}
            words = cells(ramp(8) ^ (128 if signed else 0), allocated, 8, 7)
            yield Variant(f"no window 8 of {allocated} {photometric} sign {signed}", words, told)


def table_variants() -> Iterator[Variant]:
    """VOI and modality LUTs: depth, length (0 = 65,536), first value, signed input, 8-bit entries packed and not."""
    for count, first, bits, packed in [
        (256, 0, 8, True), (256, 0, 8, False), (4096, 0, 8, True), (4096, 0, 10, False), (4096, 0, 12, False),
        (4096, 0, 16, False), (1000, 700, 12, False), (2, 2000, 8, True), (65536, 0, 16, False), (65536, 0, 8, True),
    ]:  # fmt: skip
        curve = np.rint(np.sqrt(np.linspace(0, 1, count)) * ((1 << bits) - 1))
        table = ((count % 65536, first, bits), table_bytes(curve, packed))
        stored = 8 if count == 256 else 16 if count == 65536 else 12
        words = cells(ramp(stored), 8 if stored == 8 else 16, stored, stored - 1)
        for photometric in ("MONOCHROME1", "MONOCHROME2"):
            told = {"BitsStored": stored, "PhotometricInterpretation": photometric, "VOILUTSequence": table}
            yield Variant(f"VOI LUT {count} {first} {bits} {packed} {photometric}", words, told, asked=("+Wl", "1"))
        told = {"BitsStored": stored, "ModalityLUTSequence": table}
        told.update(WindowCenter=1 << (bits - 1), WindowWidth=int((1 << bits) * 0.7))
        yield Variant(f"modality LUT {count} {first} {bits} {packed}", words, told, asked=("+Wi", "1"))
    for kind, asked in (("VOILUTSequence", ("+Wl", "1")), ("ModalityLUTSequence", ("+Wi", "1"))):
        for count, first in ((4096, -2048), (1000, -500)):
            curve = np.rint(np.linspace(0, 1, count) ** 2 * 4095)
            table = ((count, first % 65536, 12), table_bytes(curve))
            told = {"BitsStored": 12, "PixelRepresentation": 1, kind: table}
            if kind == "ModalityLUTSequence":
                told.update(WindowCenter=2048, WindowWidth=3000)
            yield Variant(f"{kind} signed {count} {first}", cells(ramp(12) ^ 2048, 16, 12, 11), told, asked=asked)
    rescaled = np.rint(np.linspace(0, 1, 4096) ** 2 * 4095)
    table = ((4096, (-1024) % 65536, 12), table_bytes(rescaled))
    told = {"BitsStored": 12, "RescaleSlope": 1, "RescaleIntercept": -1024, "VOILUTSequence": table}
    yield Variant("VOI LUT after rescale below zero", cells(ramp(12), 16, 12, 11), told, asked=("+Wl", "1"))


def colour_variants() -> Iterator[Variant]:
    """Palettes in any order, RGB and YBR of 8 and 16 bits, planes and pixels."""
    gray, rng = np.arange(256), np.random.default_rng(5)
    orders = {"identity": gray, "inverse": 255 - gray, "permuted": rng.permutation(256)}
    for order, levels in orders.items():
        index = np.argsort(levels)[ramp(8)].astype(np.uint8)
        rgb = np.stack([levels] * 3, axis=1)
        tinted = np.stack([levels, levels // 2, 255 - levels], axis=1)
        for name, entries in (("gray", rgb), ("tinted", tinted)):
            yield Variant(f"palette {order} {name} 16", index, palette(entries * 257, 16))
            yield Variant(f"palette {order} {name} 8 in words", index, palette(entries, 8))
            yield Variant(f"palette {order} {name} 8 packed", index, palette(entries, 8, packed=True))
    told = {**palette(np.stack([gray[:150]] * 3, axis=1) * 257, 16, first=40), "BitsStored": 8}
    yield Variant("palette from 40", cells(ramp(8), 16, 8, 7), told)
    told = {**palette(np.stack([np.arange(4096) * 16] * 3, axis=1), 16), "BitsStored": 12}
    yield Variant("palette of 4096", cells(ramp(12), 16, 12, 11), told)
    picture = np.stack([ramp(8), ramp(8)[::-1], ramp(8)[:, ::-1]], axis=-1)
    for photometric in ("RGB", "YBR_FULL"):
        for planar in (0, 1):
            for bits in (8, 16):
                words = (picture * (257 if bits == 16 else 1)).astype(f"<u{bits // 8}")
                told = {"SamplesPerPixel": 3, "PhotometricInterpretation": photometric, "PlanarConfiguration": planar}
                if photometric == "YBR_FULL" and bits == 16:
                    continue
                yield Variant(f"{photometric} planar {planar} {bits}", words.transpose(2, 0, 1).copy() if planar else words, told)
    for bits in (10, 12):
        told = {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB", "PlanarConfiguration": 0, "BitsStored": bits}
        yield Variant(f"RGB {bits} of 16", (picture << (bits - 8)).astype("<u2"), told)
    # Chroma near the middle: saturated colours leave RGB, and the two round what they cut off differently.
    chroma = 96 + picture[:, 0::2, 1:] // 4
    halved = np.stack([picture[:, 0::2, 0], picture[:, 1::2, 0], chroma[..., 0], chroma[..., 1]], axis=-1)
    told = {"SamplesPerPixel": 3, "PhotometricInterpretation": "YBR_FULL_422", "PlanarConfiguration": 0}
    yield Variant("YBR_FULL_422", halved.astype(np.uint8), told)


def syntax_variants() -> Iterator[Variant]:
    """Every transfer syntax that DCMTK writes, in every depth that it holds."""
    depths = {"baseline": (8,), "progressive": (8, 12), "spectral": (8, 12), "extended": (8, 12)}
    for syntax in SYNTAXES:
        for bits in depths.get(syntax, (8, 10, 12, 16)):
            for signed in (0,) if syntax in depths or syntax == "near lossless" else (0, 1):
                allocated = 8 if bits == 8 else 16
                low = -(1 << (bits - 1)) if signed else 0
                told = {"BitsStored": bits, "PixelRepresentation": signed}
                told.update(WindowCenter=low + (1 << (bits - 1)), WindowWidth=int(0.8 * (1 << bits)))
                words = cells(ramp(bits) ^ ((1 << (bits - 1)) if signed else 0), allocated, bits, bits - 1, garbage=False)
                yield Variant(f"{syntax} {bits} sign {signed}", words, told, syntax, ("+Wi", "1"))
        picture = np.stack([ramp(8), ramp(8)[::-1], ramp(8)[:, ::-1]], axis=-1).astype(np.uint8)
        told = {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB", "PlanarConfiguration": 0}
        yield Variant(f"{syntax} RGB", picture, told, syntax)
        frames = np.stack([ramp(8), 255 - ramp(8), ramp(8)[::-1]]).astype(np.uint8)
        for frame in (1, 3):
            yield Variant(f"{syntax} frame {frame}", frames, {"NumberOfFrames": 3}, syntax, ("-W", "+F", str(frame)), frame)


def recoded_variants() -> Iterator[Variant]:
    """Tables and palettes in other byte orders and without value representations, and frames in fragments."""
    by_name = {variant.name: variant for variant in (*table_variants(), *colour_variants())}
    chosen = [name for name in by_name if "signed" in name or " 4096 0 8 True" in name or name.startswith("palette")]
    for syntax in ("implicit", "big", "deflated"):
        for name in chosen:
            yield replace(by_name[name], name=f"{syntax} {name}", syntax=syntax)
    frames = np.stack([np.random.default_rng(seed).integers(0, 256, (ROWS, COLUMNS)) for seed in range(3)]).astype(np.uint8)
    for syntax in ("lossless fragments", "jpeg-ls fragments", "lossless no offsets"):
        for frame in (1, 3):
            yield Variant(f"{syntax} {frame}", frames, {"NumberOfFrames": 3}, syntax, ("-W", "+F", str(frame)), frame)
    picture = np.stack([ramp(8), ramp(8)[::-1], ramp(8)[:, ::-1]], axis=-1).astype(np.uint8)
    for syntax in ("ls by sample", "ls by line", "ls by plane", "jpeg of rgb", "jpeg 4:4:4"):
        for planar in (0, 1):
            told = {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB", "PlanarConfiguration": planar}
            yield Variant(f"{syntax} planar {planar}", picture.transpose(2, 0, 1).copy() if planar else picture, told, syntax)
    for predictor in range(1, 8):
        told = {"BitsStored": 12, "WindowCenter": 2048, "WindowWidth": 3500}
        words = cells(ramp(12), 16, 12, 11, garbage=False)
        yield Variant(f"lossless predictor {predictor}", words, told, f"lossless {predictor}", ("+Wi", "1"))
    for syntax in ("lossless", "jpeg-ls", "rle"):
        for bits in (2, 4, 6, 7, 9, 11, 13, 15):
            told = {"BitsStored": bits, "WindowCenter": 1 << (bits - 1), "WindowWidth": 1 << bits}
            words = cells(ramp(bits), 8 if bits <= 8 else 16, bits, bits - 1, garbage=False)
            yield Variant(f"{syntax} {bits} bits", words, told, syntax, ("+Wi", "1"))


def presentation_variants() -> Iterator[Variant]:
    """Polarity told twice, and a window of SIGMOID."""
    for photometric, shape in product(("MONOCHROME1", "MONOCHROME2"), ("INVERSE", "IDENTITY")):
        told = {"PhotometricInterpretation": photometric, "PresentationLUTShape": shape, "BitsStored": 12}
        told.update(WindowCenter=2000, WindowWidth=3000)
        yield Variant(f"{photometric} {shape}", cells(ramp(12), 16, 12, 11), told, asked=("+Wi", "1"))
    for width in (1, 2, 300, 4096, 100000):
        for centre in (1000.5, 2048):
            for function, option in (("LINEAR", "+Wfl"), ("SIGMOID", "+Wfs")):
                told = {"BitsStored": 12, "WindowCenter": centre, "WindowWidth": width, "VOILUTFunction": function}
                yield Variant(f"{function} {centre} {width}", cells(ramp(12), 16, 12, 11), told, asked=("+Wi", "1", option))


def variants() -> list[Variant]:
    return [
        *stored_variants(), *table_variants(), *colour_variants(), *syntax_variants(), *recoded_variants(),
        *presentation_variants(),
    ]  # fmt: skip
