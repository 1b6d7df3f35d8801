"""`predict --slice`: one slice of a CT volume, or every slice and the volume by their mean."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel
import numpy as np
import pytest

from pipeline.data.reading.volume_reader import read_volume
from pipeline.inference.bundle import open_bundle
from tests.data.dicom_objects import dicom_bytes, thorax_hounsfield

LUNGS = (40, 300, 120)


@pytest.fixture
def bundle(tmp_path, monkeypatch) -> Path:
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "inference")
    from tiny_bundle import write_bundle

    return write_bundle(tmp_path / "bundle")


@pytest.fixture
def series(tmp_path) -> Path:
    """Three slices 5 mm apart, the second with the most lung."""
    folder = tmp_path / "series"
    folder.mkdir()
    for place, lungs in enumerate(LUNGS):
        stored = (thorax_hounsfield(lungs=lungs) + 1024).astype(np.uint16)
        (folder / f"{place}").write_bytes(dicom_bytes(
            stored, "CT", SeriesInstanceUID="1.2.3", ImagePositionPatient=[-100, -100, 5.0 * place],
            ImageOrientationPatient=[1, 0, 0, 0, 1, 0], RescaleSlope=1, RescaleIntercept=-1024,
        ))  # fmt: skip
    return folder


def asked(command, bundle, *words) -> dict:
    code, out, err = command("predict", "--bundle", bundle, "--no-gate", *words, "--json")
    assert code == 0, err
    return json.loads(out)


def test_a_slice_is_answered_as_the_scan_that_it_is(command, bundle, series):
    opened, volume = open_bundle(bundle), read_volume(series)
    expected = [opened.answer(ct=volume.slice(number)).findings[0].probability for number in (1, 2, 3)]
    assert len(set(expected)) == 3
    for word, place in (("1", 0), ("3", 2), ("largest-lung", 1), (" Largest-Lung ", 1)):
        (answer,) = asked(command, bundle, "--ct", series, "--slice", word)["answers"]
        assert answer["probability"] == expected[place]


def test_all_slices_are_answered_and_the_volume_by_their_mean(command, bundle, series):
    document = asked(command, bundle, "--ct", series, "--slice", "all")
    shares = [entry["probability"] for entry in document["slices"]]
    assert [entry["slice"] for entry in document["slices"]] == [1, 2, 3]
    assert document["answers"][0]["probability"] == pytest.approx(np.mean(shares), abs=1e-12)
    assert document["volume"] == {"slices": 3, "answered": 3, "rule": "mean probability of the slices that were answered"}
    code, out, _ = command("predict", "--bundle", bundle, "--no-gate", "--ct", series, "--slice", "all")
    assert code == 0 and f"the highest is {max(shares):.3f}, of slice {1 + int(np.argmax(shares))}" in out


def test_a_broken_slice_costs_only_itself(command, bundle, series):
    broken = (series / "1").read_bytes()
    (series / "1").write_bytes(broken[: len(broken) - 4000])
    document = asked(command, bundle, "--ct", series, "--slice", "all")
    assert document["volume"]["answered"] == 2 and len(document["slices"]) >= 2


def test_nifti_is_a_volume_too(command, bundle, tmp_path, series):
    values = np.stack([thorax_hounsfield(lungs=lungs) for lungs in LUNGS])
    volume = nibabel.Nifti1Image(values.transpose(2, 1, 0).astype(np.int16), np.diag([-1.0, -1.0, 5.0, 1.0]))
    nibabel.save(volume, tmp_path / "scan.nii.gz")
    given = asked(command, bundle, "--ct", tmp_path / "scan.nii.gz", "--slice", "2")["answers"]
    assert given == asked(command, bundle, "--ct", series, "--slice", "2")["answers"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--ct", "SERIES"), "a volume of 3 slices"),
        (("--ct", "SERIES", "--slice", "4"), "no slice 4, it has 1 to 3"),
        (("--ct", "SERIES", "--slice", "most"), "is not known"),
        (("--xray", "SERIES", "--slice", "1"), "--slice chooses from a CT volume"),
        (("--ct", "SERIES", "--slice", "all", "--xray", "SERIES"), "--slice all answers a volume alone"),
    ],
)
def test_what_cannot_be_chosen(command, bundle, series, words, said):
    code, _, err = command("predict", "--bundle", bundle, *(series if word == "SERIES" else word for word in words))
    assert code in (2, 4) and said in err and "bug" not in err
