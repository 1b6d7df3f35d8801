"""Volumes: frames of one object, series in a folder, NIfTI; their order, orientation and the choice of a slice."""

from __future__ import annotations

import gzip
from pathlib import Path

import nibabel
import numpy as np
import pytest
from pydicom.dataset import Dataset

from pipeline.data.reading.dicom_chain.ct_values import lung_window
from pipeline.data.reading.gray_reader import read_gray
from pipeline.data.reading.scan_reader import read_scan
from pipeline.data.reading.volume_reader import lung_pixels, read_slice, read_volume
from pipeline.engine.errors import DataError, UsageError
from tests.data.dicom_objects import dicom_bytes, thorax_hounsfield

LUNGS = (40, 200, 300, 120, 20)
LARGEST = 3
VOLUME = np.stack([thorax_hounsfield(lungs=lungs) for lungs in LUNGS])
RESCALE = {"RescaleSlope": 1, "RescaleIntercept": -1024}
AXIAL = [1, 0, 0, 0, 1, 0]


def grays() -> list[np.ndarray]:
    return [lung_window(values) for values in VOLUME]


def stored(values: np.ndarray) -> np.ndarray:
    return (values + 1024).astype(np.uint16)


def write_series(folder: Path, order: tuple[int, ...] = (3, 0, 4, 1, 2), **elements: object) -> Path:
    """Slices of VOLUME, 5 mm apart, in files whose names are in another order."""
    folder.mkdir(exist_ok=True)
    for name, place in enumerate(order):
        told = {
            "SeriesInstanceUID": "1.2.3", "ImagePositionPatient": [-100, -100, 5.0 * place - 300],
            "ImageOrientationPatient": AXIAL, "InstanceNumber": len(order) - place, **RESCALE, **elements,
        }  # fmt: skip
        (folder / f"{name:02}").write_bytes(dicom_bytes(stored(VOLUME[place]), "CT", **told))
    return folder


def assert_is_the_volume(path: Path) -> None:
    volume = read_volume(path)
    assert volume.count == len(VOLUME) and volume.hounsfield
    for (number, scan), expected in zip(volume.slices(), grays(), strict=True):
        assert scan.header.hounsfield and scan.header.modality == "ct", number
        np.testing.assert_array_equal(scan.gray, expected)
    assert volume.largest_lung() == LARGEST


def test_a_series_stands_in_the_order_of_its_positions(tmp_path: Path) -> None:
    folder = write_series(tmp_path / "series")
    assert_is_the_volume(folder)
    positions = [scan.header.position_mm for _, scan in read_volume(folder).slices()]
    assert positions == [-300, -295, -290, -285, -280]


def test_a_series_turned_over_is_sorted_along_its_own_normal(tmp_path: Path) -> None:
    folder = write_series(tmp_path / "series", ImageOrientationPatient=[-1, 0, 0, 0, 1, 0])
    shown = [scan.gray for _, scan in read_volume(folder).slices()]
    for gray, expected in zip(shown, reversed(grays()), strict=True):
        np.testing.assert_array_equal(gray, expected)


def test_localizers_and_other_files_are_left_out_and_said(tmp_path: Path) -> None:
    folder = write_series(tmp_path / "series")
    (folder / "notes.txt").write_text("a note")
    (folder / ".hidden").write_bytes(b"x")
    told = {"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"], "SeriesInstanceUID": "9", **RESCALE}
    (folder / "scout").write_bytes(dicom_bytes(stored(VOLUME[0]), "CT", **told))
    assert_is_the_volume(folder)
    sentences = " ".join(said.sentence for said in read_volume(folder).assumptions)
    assert "1 file(s)" in sentences and "1 localizer(s)" in sentences


@pytest.mark.parametrize(
    ("elements", "finding"),
    [
        ({"SeriesInstanceUID": "7.7"}, "2 DICOM series"),
        ({"ImagePositionPatient": [-100, -100, -300]}, "two slices in one place"),
        ({"ImagePositionPatient": None}, "1 of 5 slices tell no position"),
        ({"ImageOrientationPatient": [1, 0, 0, 0, 0, 1]}, "several orientations"),
    ],
)
def test_what_is_no_single_series_is_refused(tmp_path: Path, elements: dict[str, object], finding: str) -> None:
    folder = write_series(tmp_path / "series")
    told = {"SeriesInstanceUID": "1.2.3", "ImagePositionPatient": [-100, -100, -298], "ImageOrientationPatient": AXIAL, **RESCALE}
    (folder / "02").write_bytes(dicom_bytes(stored(VOLUME[4]), "CT", **{**told, **elements}))
    with pytest.raises(DataError, match=finding):
        read_volume(folder)


def test_missing_slices_and_missing_positions_are_said(tmp_path: Path) -> None:
    volume = read_volume(write_series(tmp_path / "gap", order=(0, 1, 2, 4)))
    assert volume.count == 4 and any("missing" in said.sentence for said in volume.assumptions if said.changes_answer)
    volume = read_volume(write_series(tmp_path / "unplaced", ImagePositionPatient=None))
    assert any("InstanceNumber" in said.sentence for said in volume.assumptions if said.changes_answer)
    np.testing.assert_array_equal(volume.slice(1).gray, grays()[4])


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no slice of a DICOM series"):
        read_volume(tmp_path)


def test_one_broken_slice_costs_only_itself(tmp_path: Path) -> None:
    folder = write_series(tmp_path / "series")
    volume = read_volume(folder)
    broken = folder / "04"  # slice 3 of the volume
    broken.write_bytes(broken.read_bytes()[:-100])
    found = dict(volume.slices())
    assert [number for number, scan in found.items() if isinstance(scan, DataError)] == [3]
    assert "04" in str(found[3])


def test_a_broken_file_of_a_series_is_left_out_and_named(tmp_path: Path) -> None:
    folder = write_series(tmp_path / "series")
    whole = (folder / "03").read_bytes()  # slice 2
    (folder / "03").write_bytes(whole[:-100])
    (folder / "report").write_bytes(dicom_bytes(stored(VOLUME[0]), "SR"))
    volume = read_volume(folder)
    assert volume.count == 4 and volume.largest_lung() == LARGEST - 1
    sentences = [said.sentence for said in volume.assumptions if said.changes_answer]
    assert any("03" in sentence and "truncated" in sentence for sentence in sentences)
    assert any("report" in sentence and "'SR'" in sentence for sentence in sentences)
    for path in folder.iterdir():
        path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match="truncated"):
        read_volume(folder)


def test_a_slice_whose_pixels_break_has_no_lung(tmp_path: Path) -> None:
    folder = write_series(tmp_path / "series")
    volume = read_volume(folder)
    (folder / "04").unlink()  # slice 3, the one with most lung
    assert volume.largest_lung() == 2


def frames_object(**elements: object) -> bytes:
    return dicom_bytes(stored(VOLUME), "CT", NumberOfFrames=len(VOLUME), **{**RESCALE, **elements})


def test_frames_of_one_object(tmp_path: Path) -> None:
    (tmp_path / "frames.dcm").write_bytes(frames_object())
    assert_is_the_volume(tmp_path / "frames.dcm")


def test_every_frame_has_its_own_rescale_where_the_object_is_enhanced(tmp_path: Path) -> None:
    frames = []
    for place in range(len(VOLUME)):
        group, values, plane = Dataset(), Dataset(), Dataset()
        values.RescaleSlope, values.RescaleIntercept = 1, -1024 - 10 * place
        plane.ImagePositionPatient = [0, 0, 2.5 * place]
        group.PixelValueTransformationSequence, group.PlanePositionSequence = [values], [plane]
        frames.append(group)
    shared, orientation = Dataset(), Dataset()
    orientation.ImageOrientationPatient = AXIAL
    shared.PlaneOrientationSequence = [orientation]
    shifted = np.stack([values + 10 * place for place, values in enumerate(VOLUME)])
    told = {"PerFrameFunctionalGroupsSequence": frames, "SharedFunctionalGroupsSequence": [shared]}
    data = dicom_bytes(stored(shifted), "CT", NumberOfFrames=len(VOLUME), **told)
    (tmp_path / "enhanced.dcm").write_bytes(data)
    assert_is_the_volume(tmp_path / "enhanced.dcm")
    assert [scan.header.position_mm for _, scan in read_volume(tmp_path / "enhanced.dcm").slices()] == [0, 2.5, 5, 7.5, 10]


def test_a_volume_that_is_not_in_hounsfield_units_is_refused(tmp_path: Path) -> None:
    (tmp_path / "frames.dcm").write_bytes(frames_object(RescaleIntercept=0))
    with pytest.raises(DataError, match="no value is negative"):
        read_volume(tmp_path / "frames.dcm")


def radiological(dtype: str = "int16") -> np.ndarray:
    """VOLUME as (X, Y, Z) with indices to the patient's left, back and head: columns, rows, slices."""
    return VOLUME.transpose(2, 1, 0).astype(dtype)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("dtype", ["int16", "int32", "float32", "float64"])
def test_nifti(tmp_path: Path, suffix: str, dtype: str) -> None:
    nibabel.save(nibabel.Nifti1Image(radiological(dtype), np.diag([-0.7, -0.7, 5, 1])), tmp_path / f"ct{suffix}")
    assert_is_the_volume(tmp_path / f"ct{suffix}")


@pytest.mark.parametrize("axes", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (0, 2, 1)])
@pytest.mark.parametrize("flips", [(1, 1, 1), (-1, 1, 1), (1, -1, -1), (-1, -1, -1)])
def test_nifti_in_any_orientation_is_turned_to_axial(tmp_path: Path, axes: tuple[int, ...], flips: tuple[int, ...]) -> None:
    data = radiological().transpose(axes)[tuple(np.s_[::flip] for flip in flips)]
    # Rising indices of `radiological` go left, back and up; the affine's axes are right, front and up.
    affine = np.zeros((4, 4))
    for place, (axis, flip) in enumerate(zip(axes, flips, strict=True)):
        affine[axis, place] = flip * (-0.7, -0.7, 5)[axis]
    affine[3, 3] = 1
    nibabel.save(nibabel.Nifti1Image(np.ascontiguousarray(data), affine), tmp_path / "ct.nii")
    assert_is_the_volume(tmp_path / "ct.nii")


def test_nifti_scaled_by_its_header_and_with_holes(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(radiological("float32"), np.diag([-1, -1, 5, 1]))
    image.header.set_data_dtype("int16")
    nibabel.save(image, tmp_path / "scaled.nii")
    shown = [scan.gray for _, scan in read_volume(tmp_path / "scaled.nii").slices()]
    assert max(np.abs(one.astype(int) - expected).max() for one, expected in zip(shown, grays(), strict=True)) <= 1
    holes = radiological("float32")
    holes[:4] = np.nan
    nibabel.save(nibabel.Nifti1Image(holes, np.diag([-1, -1, 5, 1])), tmp_path / "holes.nii")
    assert read_volume(tmp_path / "holes.nii").slice(1).gray[:, :4].max() == 0


def test_nifti_that_is_no_ct_is_refused(tmp_path: Path) -> None:
    affine = np.diag([-1, -1, 5, 1])
    for name, data, finding in (
        ("mask", (radiological() > 0).astype(np.uint8), "no value is negative"),
        ("stored", stored(radiological()), "no value is negative"),
        ("time", np.stack([radiological()] * 2, axis=-1), "64x64x5x2"),
        ("flat", radiological()[..., 0], "64x64"),
    ):
        nibabel.save(nibabel.Nifti1Image(data, affine), tmp_path / f"{name}.nii")
        with pytest.raises(DataError, match=finding):
            read_volume(tmp_path / f"{name}.nii")


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("kept", [0.0, 0.01, 0.3, 0.9])
def test_nifti_that_is_cut_off_is_refused(tmp_path: Path, suffix: str, kept: float) -> None:
    nibabel.save(nibabel.Nifti1Image(radiological(), np.diag([-1, -1, 5, 1])), tmp_path / f"whole{suffix}")
    data = (tmp_path / f"whole{suffix}").read_bytes()
    (tmp_path / f"cut{suffix}").write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(DataError, match=r"cut\.nii"):
        read_volume(tmp_path / f"cut{suffix}")


def test_nifti_that_claims_too_much_is_refused(tmp_path: Path) -> None:
    nibabel.save(nibabel.Nifti1Image(radiological(), np.diag([-1, -1, 5, 1])), tmp_path / "ct.nii")
    data = bytearray((tmp_path / "ct.nii").read_bytes())
    data[42:48] = np.array([30000, 30000, 30000], "<i2").tobytes()
    (tmp_path / "huge.nii.gz").write_bytes(gzip.compress(bytes(data)))
    with pytest.raises(DataError, match="voxels"):
        read_volume(tmp_path / "huge.nii.gz")


def test_the_choice_of_a_slice(tmp_path: Path) -> None:
    folder = write_series(tmp_path / "series")
    volume = read_volume(folder)
    assert volume.chosen("all") == [1, 2, 3, 4, 5]
    assert volume.chosen("largest-lung") == volume.chosen("3") == volume.chosen(3) == [LARGEST]
    for wrong in ("first", "0", 6, "-1", "1.5", ""):
        with pytest.raises(UsageError):
            volume.chosen(wrong)
    np.testing.assert_array_equal(read_scan(folder, slice=2).gray, grays()[1])
    np.testing.assert_array_equal(read_scan(folder, slice="largest-lung").gray, grays()[LARGEST - 1])
    with pytest.raises(UsageError, match="5 slices chosen"):
        read_slice(folder, "all")
    with pytest.raises(DataError, match="5 slices, one image expected"):
        read_slice(folder, None)


def test_a_single_picture_is_its_own_only_slice(tmp_path: Path) -> None:
    (tmp_path / "one.dcm").write_bytes(dicom_bytes(stored(VOLUME[1]), "CT", **RESCALE))
    for choice in (None, 1, "1", "largest-lung"):
        np.testing.assert_array_equal(read_scan(tmp_path / "one.dcm", slice=choice).gray, grays()[1])
    with pytest.raises(UsageError, match="no slice 2"):
        read_scan(tmp_path / "one.dcm", slice=2)
    with pytest.raises(DataError, match="no such file"):
        read_scan(tmp_path / "absent.nii")


def test_lung_is_air_inside_the_body() -> None:
    assert lung_pixels(thorax_hounsfield(lungs=200)) == 200
    opened = thorax_hounsfield(lungs=200)
    opened[: 64 // 3 + 1, 64 // 4 + 2] = -1000  # a way out to the air around: no lung is closed there
    assert lung_pixels(opened) == 100
    assert lung_pixels(np.full((64, 64), 40, np.int16)) == 0


@pytest.mark.realdata
def test_real_series_agree_with_their_files() -> None:
    root = Path(__file__).resolve().parents[2] / ".." / "shared" / "data" / "dicom" / "ct"
    for folder in sorted(root.iterdir()):
        volume = read_volume(folder)
        assert volume.count == 8 and volume.hounsfield and not volume.slice(1).warnings
        for number, path in enumerate(volume.stack.paths, 1):
            np.testing.assert_array_equal(volume.slice(number).gray, read_gray(path))
        areas = [lung_pixels(volume.stack.hounsfield(place)) for place in range(8)]
        assert volume.largest_lung() == int(np.argmax(areas)) + 1 and min(areas) > 10000
