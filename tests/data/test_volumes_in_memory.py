"""A volume's bytes, as an upload brings them: the same slice as its file gives, within the bounds of uploads."""

from __future__ import annotations

import gzip
from pathlib import Path

import nibabel
import numpy as np
import pytest

from pipeline.data.reading.bounds import Bounds, refuse_beyond
from pipeline.data.reading.decoder_pool import DecoderPool
from pipeline.data.reading.volume_reader import decode_slice, read_slice
from pipeline.engine.errors import DataError, UsageError
from tests.data.dicom_objects import dicom_bytes, thorax_hounsfield

LUNGS = (40, 200, 300, 120, 20)
LARGEST = 3
VOLUME = np.stack([thorax_hounsfield(lungs=lungs) for lungs in LUNGS])
BOUNDS = Bounds(40_000_000, 1024, 256 << 20)


def volume_file(folder: Path, kind: str) -> Path:
    path = folder / f"volume{kind}"
    if kind == ".dcm":
        told = {"NumberOfFrames": len(VOLUME), "RescaleSlope": 1, "RescaleIntercept": -1024}
        path.write_bytes(dicom_bytes((VOLUME + 1024).astype(np.uint16), "CT", **told))
        return path
    turned = VOLUME.transpose(2, 1, 0).astype(np.int16)
    image = (nibabel.Nifti2Image if "2" in kind else nibabel.Nifti1Image)(turned, np.diag([-0.7, -0.7, 5, 1]))
    path = folder / f"volume{kind.replace('2', '')}"
    nibabel.save(image, path)
    return path


@pytest.mark.parametrize("kind", [".nii", ".nii.gz", "2.nii", ".dcm"])
def test_a_slice_is_the_files(tmp_path, kind):
    path = volume_file(tmp_path, kind)
    name = f"scan{''.join(path.suffixes)}"
    for selection, number in ((1, 1), ("5", 5), ("largest-lung", LARGEST)):
        scan, known = decode_slice(path.read_bytes(), name, selection), read_slice(path, selection)
        assert np.array_equal(scan.gray, known.gray)
        assert (scan.header.slice, scan.header.frames, scan.header.hounsfield) == (number, 5, True)
    assert any(f"Slice {LARGEST} of 5" in sentence for sentence in scan.warnings)
    for wrong in (0, 6, "all", "first"):
        with pytest.raises(UsageError):
            decode_slice(path.read_bytes(), name, wrong)
    with pytest.raises(DataError, match="a volume of 5 slices"):
        decode_slice(path.read_bytes(), name, None)


def test_one_picture_has_no_other_slice(tmp_path):
    single = dicom_bytes((VOLUME[2] + 1024).astype(np.uint16), "CT", RescaleSlope=1, RescaleIntercept=-1024)
    assert decode_slice(single, "scan.dcm", "largest-lung").header.slice is None
    with pytest.raises(UsageError, match="one picture"):
        decode_slice(single, "scan.dcm", 2)


@pytest.mark.parametrize("damage", ["cut off", "text", "cut gzip", "empty"])
def test_a_broken_volume_is_refused(tmp_path, damage):
    whole = volume_file(tmp_path, ".nii.gz").read_bytes()
    data = {"cut off": gzip.decompress(whole)[:-5000], "text": b"no volume", "cut gzip": whole[:-50], "empty": b""}[damage]
    with pytest.raises(DataError):
        decode_slice(data, "scan.nii.gz", 1)


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path):
    bomb = gzip.compress(bytes(200_000_000))
    with pytest.raises(DataError, match="unpacks to more"):
        refuse_beyond(bomb, "scan.nii.gz", BOUNDS)
    whole = volume_file(tmp_path, ".nii.gz").read_bytes()
    refuse_beyond(whole, "scan.nii.gz", BOUNDS)
    # what stands behind the first member is not unpacked at all
    assert np.array_equal(decode_slice(whole + bomb, "scan.nii.gz", 1).gray, decode_slice(whole, "scan.nii.gz", 1).gray)


def test_the_processes_that_decode_take_a_slice(tmp_path):
    data = volume_file(tmp_path, ".nii.gz").read_bytes()
    with DecoderPool(1) as pool:
        scan = pool.decode(data, "scan.nii.gz", bounds=BOUNDS, slice="2")
        assert np.array_equal(scan.gray, decode_slice(data, "scan.nii.gz", 2).gray) and scan.header.slice == 2
        with pytest.raises(DataError, match="a volume of 5 slices"):
            pool.decode(data, "scan.nii.gz", bounds=BOUNDS)


@pytest.mark.parametrize("kind", [".nii", ".nii.gz"])
def test_a_damaged_volume_is_read_or_refused_and_nothing_else(tmp_path, kind):
    whole, random = volume_file(tmp_path, kind).read_bytes(), np.random.default_rng(0)
    refused = 0
    for _ in range(150):
        damaged = bytearray(whole)
        # the header is where it hurts
        for place in random.integers(0, min(len(whole), 400), 4):
            damaged[place] = random.integers(256)
        try:
            scan = decode_slice(bytes(damaged), f"scan{kind}", 1)
        except (DataError, UsageError):
            refused += 1
        else:
            assert scan.gray.dtype == np.uint8 and scan.gray.ndim == 2
    assert refused
