"""What DCMTK does not implement, or rounds: held against PS3.3's own formulas and tables in float64."""

from __future__ import annotations

import struct
from io import BytesIO

import numpy as np
import pydicom
import pytest
from PIL import Image

from pipeline.data.reading.scan_reader import decode_scan
from pipeline.engine.errors import DataError
from tests.data.dicom_objects import dicom_bytes, palette, table_bytes

ROWS, COLUMNS = 32, 64
ROUNDING = 0.5 + 1e-3
RLE, JPEG = "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.50"
COLOURS = ("Red", "Green", "Blue")


def ramp(bits: int, signed: bool = False) -> np.ndarray:
    """int16 or uint16/uint8 (ROWS, COLUMNS) over the whole range of `bits`."""
    values = np.rint(np.linspace(0, (1 << bits) - 1, ROWS * COLUMNS)).reshape(ROWS, COLUMNS).astype(np.int64)
    if signed:
        return (values - (1 << (bits - 1))).astype(np.int8 if bits == 8 else np.int16)
    return values.astype(np.uint8 if bits == 8 else np.uint16)


def windowed(values: np.ndarray, centre: float, width: float, function: str) -> np.ndarray:
    """PS3.3 C.11.2.1.2 and C.11.2.1.3, written out, to 0 … 255."""
    x = values.astype(np.float64)
    if function == "SIGMOID":
        return 255 / (1 + np.exp(np.minimum(-4 * (x - centre) / width, 700)))
    if function == "LINEAR_EXACT":
        low, high, between = centre - width / 2, centre + width / 2, ((x - centre) / width + 0.5) * 255
    else:
        low, high = centre - 0.5 - (width - 1) / 2, centre - 0.5 + (width - 1) / 2
        between = ((x - (centre - 0.5)) / max(width - 1, 1e-12) + 0.5) * 255
    return np.where(x <= low, 0, np.where(x > high, 255, between))


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
@pytest.mark.parametrize(("bits", "signed"), [(8, False), (8, True), (12, False), (12, True), (16, False), (16, True)])
@pytest.mark.parametrize(("slope", "intercept"), [(None, None), (0.37, -11.5), (1, -1024), (-1.5, 40)])
@pytest.mark.parametrize("spread", [0.0, 0.02, 0.6, 3.0])
def test_windows(function: str, bits: int, signed: bool, slope: float | None, intercept: float | None, spread: float) -> None:
    stored = ramp(bits, signed)
    values = stored.astype(np.float64) * (slope or 1) + (intercept or 0)
    centre = float(np.round(np.median(values) + 0.25, 2))
    width = max(float(np.round(np.ptp(values) * spread, 2)), 1.0 if function == "LINEAR" else 0.25)
    told = {"RescaleSlope": slope, "RescaleIntercept": intercept, "WindowCenter": centre, "WindowWidth": width}
    data = dicom_bytes(stored, BitsStored=bits, VOILUTFunction=function, **told)
    expected = windowed(values, centre, width, function)
    assert np.abs(decode_scan(data, "x.dcm").gray - expected).max() <= ROUNDING
    assert np.ptp(expected) > 30


@pytest.mark.parametrize("bits", [4, 6, 7])
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_few_bits_without_a_window_fill_the_range(bits: int, photometric: str) -> None:
    stored = ramp(bits).astype(np.uint8)
    expected = stored * (255 / ((1 << bits) - 1))
    expected = 255 - expected if photometric == "MONOCHROME1" else expected
    gray = decode_scan(dicom_bytes(stored, BitsStored=bits, PhotometricInterpretation=photometric), "x.dcm").gray
    assert np.abs(gray - expected).max() <= ROUNDING


def test_one_bit_a_pixel() -> None:
    bits = np.random.default_rng(0).integers(0, 2, (ROWS, COLUMNS)).astype(np.uint8)
    packed = np.packbits(bits, bitorder="little").reshape(ROWS, COLUMNS // 8)
    data = dicom_bytes(packed, Columns=COLUMNS, BitsAllocated=1, BitsStored=1, HighBit=0)
    np.testing.assert_array_equal(decode_scan(data, "x.dcm").gray, bits * 255)


@pytest.mark.parametrize("window", [True, False])
@pytest.mark.parametrize(
    ("signed", "value", "limit", "painted"),
    [
        (False, 0, None, [0]), (False, 4000, 4095, [4000, 4050, 4095]), (False, 4095, 4000, [4000, 4095]),
        (True, -2000, None, [-2000]), (True, -2048, -1900, [-2048, -2000, -1900]),
    ],
)  # fmt: skip
def test_padding_is_black_and_sets_no_scale(
    window: bool, signed: bool, value: int, limit: int | None, painted: list[int]
) -> None:
    stored = (ramp(11, signed) // 2 + 700).astype(np.int16 if signed else np.uint16)
    padded = stored.copy()
    padded[:, :12] = np.resize(painted, (ROWS, 12))
    told = {"WindowCenter": 1200, "WindowWidth": 1100} if window else {}
    data = dicom_bytes(padded, BitsStored=12, PixelPaddingValue=value, PixelPaddingRangeLimit=limit, **told)
    scan = decode_scan(data, "x.dcm")
    assert scan.gray[:, :12].max() == 0
    kept = stored[:, 12:]
    low, high = (1200 - 550, 1200 + 549) if window else np.percentile(kept, (0.5, 99.5))
    expected = np.clip((kept - float(low)) * (255 / (high - low)), 0, 255)
    assert np.abs(scan.gray[:, 12:] - expected).max() <= ROUNDING
    assert [said.name for said in scan.assumptions if said.name == "padding"] == ["padding"]


def test_padding_stays_black_where_low_values_are_white() -> None:
    padded = ramp(12)
    padded[:, :12] = 0
    told = {"PhotometricInterpretation": "MONOCHROME1", "WindowCenter": 2048, "WindowWidth": 4096}
    gray = decode_scan(dicom_bytes(padded, BitsStored=12, PixelPaddingValue=0, **told), "x.dcm").gray
    assert gray[:, :12].max() == 0 and gray[0, 12] > 250


def test_padding_outside_the_stored_bits_marks_whole_words() -> None:
    words = ramp(12)
    words[:, :12] = 0x8000
    told = {"WindowCenter": 2048, "WindowWidth": 4096, "PhotometricInterpretation": "MONOCHROME1"}
    gray = decode_scan(dicom_bytes(words, BitsStored=12, PixelPaddingValue=0x8000, **told), "x.dcm").gray
    assert gray[:, :12].max() == 0 and gray[0, 12] > 250


def test_a_picture_of_nothing_but_padding_is_refused() -> None:
    with pytest.raises(DataError, match=r"x\.dcm.*every pixel is padding"):
        decode_scan(dicom_bytes(np.full((ROWS, COLUMNS), 7, np.uint16), PixelPaddingValue=7), "x.dcm")


def segments(bits: int) -> tuple[bytes, np.ndarray]:
    """A table of all three kinds of segment, and the 256 entries it stands for: 0 … 99, up to 250, down, a copy."""
    top = 1 if bits == 8 else 257
    numbers = [0, 4, 0, 10, 20, 30, 1, 96, 126, 1, 62, 250]
    entries = [0, 10, 20, 30, *np.rint(np.linspace(30, 126, 97))[1:], *np.rint(np.linspace(126, 250, 63))[1:]]
    numbers = [number * top if place in (2, 3, 4, 5, 8, 11) else number for place, number in enumerate(numbers)]
    # A copy of the two linear segments, which start 6 numbers in.
    offset = 6 * (bits // 8)
    numbers += [2, 2, *([offset & 0xFF, 0, 0, 0] if bits == 8 else [offset, 0])]
    values = np.array(entries) * top
    copied = [*np.linspace(values[-1], 126 * top, 97)[1:]]
    copied += [*np.linspace(126 * top, 250 * top, 63)[1:]]
    whole = np.rint([*values, *copied])[:256]
    return struct.pack(f"<{len(numbers)}{'B' if bits == 8 else 'H'}", *numbers), whole * (1 if bits == 8 else 1 / 257)


@pytest.mark.parametrize("bits", [8, 16])
def test_segmented_palette(bits: int) -> None:
    data, entries = segments(bits)
    told: dict[str, object] = {"PhotometricInterpretation": "PALETTE COLOR"}
    for colour in COLOURS:
        told[f"{colour}PaletteColorLookupTableDescriptor"] = (256, 0, bits)
        told[f"Segmented{colour}PaletteColorLookupTableData"] = ("OW", data)
    index = ramp(8)
    scan = decode_scan(dicom_bytes(index, **told), "x.dcm")
    assert np.abs(scan.gray - entries[index]).max() <= 1
    assert np.ptp(entries) > 200


def test_a_palette_of_16_bits_that_holds_8_is_read_as_8_and_said() -> None:
    levels = np.random.default_rng(1).permutation(256)
    index = np.argsort(levels)[ramp(8)].astype(np.uint8)
    scan = decode_scan(dicom_bytes(index, **palette(np.stack([levels] * 3, axis=1), 16)), "x.dcm")
    np.testing.assert_array_equal(scan.gray, ramp(8))
    assert "bits" in [said.name for said in scan.assumptions]


def test_a_window_does_not_apply_to_a_palette() -> None:
    levels = 255 - np.arange(256)
    told = palette(np.stack([levels] * 3, axis=1) * 257, 16)
    plain = decode_scan(dicom_bytes(ramp(8), **told), "x.dcm")
    np.testing.assert_array_equal(plain.gray, 255 - ramp(8))
    windowed_too = decode_scan(dicom_bytes(ramp(8), WindowCenter=20, WindowWidth=3, **told), "x.dcm")
    np.testing.assert_array_equal(windowed_too.gray, plain.gray)


@pytest.mark.parametrize("planar", [0, 1])
@pytest.mark.parametrize("bits", [8, 12, 16])
def test_rgb_of_every_depth_is_scaled_by_its_range(planar: int, bits: int) -> None:
    picture = np.stack([ramp(bits), ramp(bits)[::-1], ramp(bits)[:, ::-1]], axis=-1)
    words = picture.transpose(2, 0, 1).copy() if planar else picture
    told = {"Rows": ROWS, "Columns": COLUMNS, "SamplesPerPixel": 3, "PlanarConfiguration": planar, "BitsStored": bits}
    scan = decode_scan(dicom_bytes(words, PhotometricInterpretation="RGB", **told), "x.dcm")
    exact = picture * (255 / ((1 << bits) - 1))
    assert np.abs(scan.colour - exact).max() <= ROUNDING
    assert np.abs(scan.gray - exact @ [0.299, 0.587, 0.114]).max() <= 1


@pytest.mark.parametrize(("photometric", "floor", "reach"), [("YBR_FULL", 0, (255, 255)), ("YBR_PARTIAL_422", 16, (219, 224))])
def test_ybr_by_its_equations(photometric: str, floor: int, reach: tuple[int, int]) -> None:
    luma, chroma = 60 + ramp(8) // 2, 100 + ramp(8)[:, ::2] // 5
    blue, red = chroma, chroma[::-1]
    full = np.stack([luma, np.repeat(blue, 2, axis=1), np.repeat(red, 2, axis=1)], axis=-1)
    halved = np.stack([luma[:, ::2], luma[:, 1::2], blue, red], axis=-1)
    words = full if photometric == "YBR_FULL" else halved
    told = {"Rows": ROWS, "Columns": COLUMNS, "SamplesPerPixel": 3, "PlanarConfiguration": 0}
    colour = decode_scan(dicom_bytes(words, PhotometricInterpretation=photometric, **told), "x.dcm").colour
    y = (full[..., 0] - float(floor)) * 255 / reach[0]
    b, r = ((full[..., place] - 128.0) * 255 / reach[1] for place in (1, 2))
    exact = np.stack([y + 1.402 * r, y - 0.344136 * b - 0.714136 * r, y + 1.772 * b], axis=-1)
    assert np.abs(colour - np.clip(exact, 0, 255)).max() <= 0.51


def test_a_table_whose_entries_exceed_its_bits_is_widened_and_said() -> None:
    table = ((4096, 0, 8), table_bytes(np.arange(4096)))
    scan = decode_scan(dicom_bytes(ramp(12), BitsStored=12, VOILUTSequence=table), "x.dcm")
    assert np.abs(scan.gray - ramp(12) * (255 / 4095)).max() <= ROUNDING
    assert "bits" in [said.name for said in scan.assumptions if said.changes_answer]


def test_a_voi_table_of_12_bits_that_tells_16_is_spread_and_said() -> None:
    table = ((4096, 0, 16), table_bytes(np.arange(4096)))
    scan = decode_scan(dicom_bytes(ramp(12), BitsStored=12, VOILUTSequence=table), "x.dcm")
    assert np.abs(scan.gray - ramp(12) * (255 / 4095)).max() <= ROUNDING
    assert "bits" in [said.name for said in scan.assumptions if said.changes_answer]


def test_the_second_table_or_the_window_is_used_where_the_first_table_is_broken() -> None:
    broken = ((4096, 0, 12), b"\0\0")
    told = {"VOILUTSequence": broken, "WindowCenter": 2048, "WindowWidth": 4096}
    scan = decode_scan(dicom_bytes(ramp(12), BitsStored=12, **told), "x.dcm")
    assert np.abs(scan.gray - ramp(12) * (255 / 4095)).max() <= 1
    assert any("VOI LUT" in sentence and "left out" in sentence for sentence in scan.warnings)


def test_raw_radiographs_are_warned_of() -> None:
    scan = decode_scan(dicom_bytes(ramp(12), BitsStored=12, PresentationIntentType="FOR PROCESSING"), "x.dcm")
    assert "intent" in [said.name for said in scan.assumptions if said.changes_answer]


def test_bytes_in_words_of_the_other_order() -> None:
    """Explicit big endian with 8-bit pixels in OW: two to a word, the first in its low half (PS3.5 8.1.1)."""
    dataset = pydicom.dcmread(BytesIO(dicom_bytes(ramp(8))))
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRBigEndian
    swapped = ramp(8).reshape(-1, 2)[:, ::-1].tobytes()
    for vr, content in (("OW", swapped), ("OB", ramp(8).tobytes())):
        dataset.add_new(0x7FE00010, vr, content)
        stream = BytesIO()
        # pydicom writes the bytes as they are; the elements before them are swapped by it.
        plain = pydicom.Dataset()
        plain.update({tag: element for tag, element in dataset.items() if tag != 0x7FE00010})
        plain.file_meta = dataset.file_meta
        pydicom.dcmwrite(stream, plain, implicit_vr=False, little_endian=False, enforce_file_format=False)
        data = stream.getvalue() + struct.pack(">HH2sHI", 0x7FE0, 0x0010, vr.encode(), 0, len(content)) + content
        data = data if data[128:132] == b"DICM" else b"\0" * 128 + b"DICM" + data
        np.testing.assert_array_equal(decode_scan(data, "x.dcm").gray, ramp(8))


def test_a_frame_of_rle_in_two_fragments_and_two_frames_without_their_number() -> None:
    def frame(picture: np.ndarray) -> bytes:
        content = picture.tobytes()
        runs = b"".join(b"\x7f" + content[at : at + 128] for at in range(0, len(content), 128))
        return np.array([1, 64, *[0] * 14], "<u4").tobytes() + runs

    whole = frame(ramp(8))
    data = dicom_bytes(ramp(8), syntax=RLE, frames=[whole[:1000], whole[1000:]])
    np.testing.assert_array_equal(decode_scan(data, "x.dcm").gray, ramp(8))
    with pytest.raises(DataError, match="2 frames"):
        decode_scan(dicom_bytes(ramp(8), syntax=RLE, frames=[whole, whole]), "x.dcm")
    with pytest.raises(DataError, match="RLE segment 1 gives"):
        decode_scan(dicom_bytes(ramp(8), syntax=RLE, frames=[whole[:1000]]), "x.dcm")


@pytest.mark.parametrize("told", ["RGB", "YBR_FULL_422"])
@pytest.mark.parametrize("coded", ["YBR", "RGB"])
def test_colour_jpeg_is_read_as_it_is_coded_whatever_the_header_says(told: str, coded: str) -> None:
    picture = np.stack([ramp(8), np.full_like(ramp(8), 90), 255 - ramp(8)], axis=-1)
    stream = BytesIO()
    Image.fromarray(picture).save(stream, "JPEG", quality=98, subsampling=0, keep_rgb=coded == "RGB")
    elements = {"SamplesPerPixel": 3, "PhotometricInterpretation": told, "PlanarConfiguration": 0}
    scan = decode_scan(dicom_bytes(picture, syntax=JPEG, frames=[stream.getvalue()], **elements), "x.dcm")
    assert np.abs(scan.colour.astype(int) - picture).max() <= 12
    contradicted = (told == "RGB") != (coded == "RGB")
    assert contradicted == ("colour" in [said.name for said in scan.assumptions if said.changes_answer])


def test_a_transform_of_jpeg_2000_without_jpeg_2000_is_refused() -> None:
    picture = np.stack([ramp(8)] * 3, axis=-1)
    with pytest.raises(DataError, match="YBR_RCT and not of JPEG 2000"):
        decode_scan(dicom_bytes(picture, SamplesPerPixel=3, PhotometricInterpretation="YBR_RCT"), "x.dcm")
