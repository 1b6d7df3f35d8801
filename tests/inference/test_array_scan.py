"""Arrays as scans: exactly the gray of a PNG file of the same pixels, or refused with how to mend it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pipeline.data.reading.scan_reader import decode_scan
from pipeline.engine.errors import DataError, PipelineError, UsageError
from pipeline.inference.array_scan import read_array

SIDES = st.integers(16, 24)
GRAY, COLOUR = st.tuples(SIDES, SIDES), st.tuples(SIDES, SIDES, st.just(3))
QUICK = settings(max_examples=60, deadline=None)


def png(pixels: np.ndarray) -> bytes:
    stored = pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".png", stored)[1].tobytes()


def same_as_the_file(pixels: np.ndarray) -> None:
    """Gray, colour and what is said of them; where the file is refused, so is the array, in the same words."""
    try:
        read = decode_scan(png(pixels), "The array")
    except DataError as refused:
        with pytest.raises(DataError) as error:
            read_array(pixels)
        assert str(error.value) == str(refused)
        return
    mine = read_array(pixels, with_colour=True)
    np.testing.assert_array_equal(mine.gray, read.gray)
    assert mine.gray.dtype == np.uint8 and mine.assumptions == read.assumptions
    assert (mine.header.photometric, mine.header.bits_stored) == (read.header.photometric, read.header.bits_stored)
    assert (mine.colour is None) == (read.colour is None)
    if read.colour is not None:
        np.testing.assert_array_equal(mine.colour, read.colour)


@QUICK
@given(st.one_of(arrays(depth, shape) for depth in (np.uint8, np.uint16) for shape in (GRAY, COLOUR)))
def test_any_array_is_read_as_its_file(pixels):
    same_as_the_file(pixels)


@QUICK
@given(st.sampled_from([np.uint8, np.uint16]), st.booleans(), st.integers(0, 2**32 - 1), *2 * [st.integers(0, 65535)])
def test_pictures_of_every_brightness_and_contrast_are_read_as_their_files(depth, coloured, seed, low, span):
    """Drawn by a generator: hypothesis alone seldom fills an array with different values."""
    top = np.iinfo(depth).max
    low = low % top
    high = min(top, low + 1 + span % (top + 1))
    random = np.random.default_rng(seed)
    same_as_the_file(random.integers(low, high, (20, 30, 3) if coloured else (20, 30), dtype=depth, endpoint=True))


@QUICK
@given(arrays(np.uint8, st.one_of(GRAY, COLOUR)), st.sampled_from([np.float16, np.float32, np.float64, np.longdouble, ">f4"]))
def test_floats_round_back_to_the_eight_bits_they_come_from(pixels, kind):
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    same_as_the_file(levels)
    for whole in (levels, pixels):
        floats = (whole / 255).astype(kind)
        try:
            expected = read_array(whole).gray
        except DataError:
            continue
        np.testing.assert_array_equal(read_array(floats).gray, expected)


PIXELS = np.random.default_rng(3).integers(0, 65536, (40, 60, 3), dtype=np.uint16)


def read_only(pixels: np.ndarray) -> np.ndarray:
    pixels = pixels.copy()
    pixels.flags.writeable = False
    return pixels


STORED = {
    "big-endian": lambda pixels: pixels.astype(pixels.dtype.newbyteorder(">")),
    "little-endian": lambda pixels: pixels.astype(pixels.dtype.newbyteorder("<")),
    "columns first": np.asfortranarray,
    "read-only": read_only,
    "every second of a larger one": lambda pixels: np.repeat(np.repeat(pixels, 2, axis=0), 2, axis=1)[::2, ::2],
    "backwards": lambda pixels: pixels[::-1, ::-1].copy()[::-1, ::-1],
    "transposed": lambda pixels: pixels.swapaxes(0, 1).copy().swapaxes(0, 1),
    "masked array, nothing masked": lambda pixels: np.ma.masked_array(pixels, False),
}


@pytest.mark.parametrize("stored", STORED.values(), ids=STORED)
@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float64])
@pytest.mark.parametrize("coloured", [False, True])
def test_how_an_array_lies_in_memory_is_nothing_to_it(stored, kind, coloured):
    plain = PIXELS if coloured else PIXELS[..., 0]
    plain = plain / 65535 if kind == np.float64 else plain.astype(kind)
    given_array = stored(plain)
    before = given_array.copy()
    np.testing.assert_array_equal(read_array(given_array).gray, read_array(np.ascontiguousarray(plain)).gray)
    np.testing.assert_array_equal(given_array, before)


def test_a_memory_map_is_read_and_one_channel_is_gray(tmp_path):
    np.save(tmp_path / "scan.npy", PIXELS[..., :1])
    mapped = np.load(tmp_path / "scan.npy", mmap_mode="r")
    np.testing.assert_array_equal(read_array(mapped).gray, read_array(PIXELS[..., 0]).gray)


def test_what_was_read_does_not_follow_the_array():
    pixels = PIXELS[..., 0].astype(np.uint8)
    read = read_array(pixels)
    kept = read.gray.copy()
    pixels[:] = 0
    np.testing.assert_array_equal(read.gray, kept)


def test_sixteen_bits_are_shown_between_their_percentiles_and_that_is_said():
    twelve = PIXELS[..., 0] >> 4
    assert "16-bit values are shown from" in " ".join(read_array(twelve).warnings)
    assert read_array(twelve).gray.max() == 255 and read_array(PIXELS[..., 0].astype(np.uint8)).warnings == ()


def test_floats_that_were_divided_by_too_much_are_warned_of():
    twelve = (PIXELS[..., 0] >> 4) / 65535
    (warning,) = read_array(twelve).warnings
    assert "1 as white" in warning and "0.0625" in warning
    assert read_array(PIXELS[..., 0] / 65535).warnings == ()


BASE = np.random.default_rng(5).integers(0, 256, (32, 40))
EIGHT = BASE.astype(np.uint8)
MENDED = {
    "a value": (np.array(7, np.uint8), UsageError, "a single value"),
    "a row": (EIGHT.ravel(), UsageError, "one dimension"),
    "nothing": (np.empty((0, 40), np.uint8), UsageError, "empty"),
    "no channel": (np.empty((32, 40, 0), np.uint8), UsageError, "empty"),
    "one pixel": (np.zeros((1, 1), np.uint8), DataError, "at least 16 a side"),
    "a thumbnail": (EIGHT[:15], DataError, "at least 16 a side"),
    "a thumbnail in colour": (np.repeat(EIGHT[:15, :, None], 3, axis=2), DataError, "at least 16 a side"),
    "one level": (np.full((32, 40), 9, np.uint8), DataError, "a flat picture"),
    "one level of 16 bits": (np.full((32, 40), 900, np.uint16), DataError, "a flat picture"),
    "one level of floats": (np.full((32, 40), 0.5), DataError, "a flat picture"),
    "a batch of gray": (np.stack([EIGHT] * 5), UsageError, "a batch or a volume.*one by one"),
    "a batch of one": (EIGHT[None], UsageError, r"a batch of one.*array\[0\]"),
    "a batch of colour": (np.zeros((5, 32, 40, 3), np.uint8), UsageError, "a batch, where one scan is asked"),
    "a batch of one with its channel": (EIGHT[None, ..., None], UsageError, "a batch"),
    "five axes": (np.zeros((1, 2, 32, 40, 1), np.uint8), UsageError, "a batch"),
    "channels first": (np.stack([EIGHT] * 3), UsageError, r"channels first.*np\.moveaxis\(array, 0, -1\)"),
    "RGBA": (np.stack([EIGHT] * 4, axis=-1), UsageError, r"alpha.*array\[\.\.\., :3\]"),
    "gray with alpha": (np.stack([EIGHT] * 2, axis=-1), UsageError, r"alpha.*array\[\.\.\., 0\]"),
    "a volume": (np.stack([EIGHT] * 30, axis=-1), UsageError, "a batch or a volume"),
    "int64 that fits 8 bits": (BASE, UsageError, r"int64 does not say.*astype\(np\.uint8\)"),
    "int32 that fits 16 bits": ((BASE * 200).astype(np.int32), UsageError, r"astype\(np\.uint16\)"),
    "int64 beyond 16 bits": (BASE * 300, UsageError, r"0 to 76500, beyond 16 bits.*floats"),
    "uint32": (BASE.astype(np.uint32), UsageError, "does not say which value is white"),
    "Hounsfield units": ((BASE * 10 - 1000).astype(np.int16), UsageError, "DICOM or NIfTI"),
    "a mask": (EIGHT > 100, UsageError, "a mask, not a scan"),
    "objects": (BASE.astype(object), UsageError, "not an array of gray levels"),
    "words": (BASE.astype(str), UsageError, "not an array of gray levels"),
    "complex": (BASE.astype(complex), UsageError, "not an array of gray levels"),
    "dates": (BASE.astype("datetime64[s]"), UsageError, "not an array of gray levels"),
    "records": (np.zeros((32, 40), [("r", np.uint8), ("g", np.uint8)]), UsageError, "not an array of gray levels"),
    "NaN": (np.where(BASE[0, 0] == BASE, np.nan, BASE / 255), DataError, "not finite"),
    "infinity": (np.where(BASE[0, 0] == BASE, np.inf, BASE / 255), DataError, "not finite"),
    "floats of 8 bits": (BASE.astype(float), DataError, "Divide them by .* 255 of 8 bits"),
    "floats of 16 bits": (BASE * 200.0, DataError, "65535 of 16 bits"),
    "floats below 0": (BASE / 255 - 0.5, DataError, "Scale them.*NIfTI"),
    "floats just below 0": (BASE / 255 - 1e-9, DataError, "clip"),
    "floats just above 1": (np.nextafter(1, 2) * (BASE / BASE.max()), DataError, r"to 1\.0000000000000002.*clip"),
    "masked pixels": (np.ma.masked_less(EIGHT, 100), UsageError, r"masked out.*filled\(0\)"),
    "more pixels than are read": (np.broadcast_to(np.uint8(3), (1 << 15, 1 << 15)), DataError, "at most"),
}


@pytest.mark.parametrize(("array", "kind", "said"), MENDED.values(), ids=MENDED)
def test_what_is_no_scan_is_refused_with_how_to_mend_it(array, kind, said):
    with pytest.raises(kind, match=said) as refused:
        read_array(array)
    assert isinstance(refused.value, PipelineError) and refused.value.remedy


@given(st.sampled_from("?bhilqBHILQefdgFDSUOMmV"), st.lists(st.integers(0, 20), max_size=5))
@settings(max_examples=150, deadline=None)
def test_every_kind_of_array_is_read_or_refused_by_name(kind, shape):
    """Whatever numbers and axes: a gray picture, or an expected error, never a crash within."""
    dtype = np.dtype({"S": "S3", "U": "U3", "V": "V4", "M": "M8[s]", "m": "m8[s]"}.get(kind, kind))
    try:
        gray = read_array(np.zeros(shape, dtype)).gray
    except PipelineError as refused:
        assert refused.message and refused.remedy
    else:
        assert gray.ndim == 2
