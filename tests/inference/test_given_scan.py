"""What an opened bundle takes for a scan, in every form that Python has one; and that files are read anew when they change."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from pipeline.data.reading.scan_reader import read_scan
from pipeline.engine.errors import DataError, UsageError
from pipeline.inference.bundle import open_bundle
from pipeline.inference.gate.door import open_guarded
from tests.pictures import as_read, shaded


@pytest.fixture
def classifier(tmp_path):
    from tiny_classifier import write_classifier

    return open_bundle(write_classifier(tmp_path / "classifier"))


@pytest.fixture
def scan(tmp_path) -> Path:
    path = tmp_path / "scan.png"
    cv2.imwrite(str(path), np.random.default_rng(2).integers(0, 256, (50, 60), dtype=np.uint8))
    return path


def test_every_form_of_a_scan_gets_the_same_answer(classifier, scan):
    gray = read_scan(scan).gray
    forms = [str(scan), scan, os.path.relpath(scan), gray, gray[..., None], np.repeat(gray[..., None], 3, axis=2), gray / 255,
             (gray / 255).astype(np.float32), np.asfortranarray(gray), np.asarray(Image.open(scan)), read_scan(scan)]  # fmt: skip
    expected = classifier.answer(scan)
    for form in forms:
        answer = classifier.answer(form)
        assert answer.findings == expected.findings and answer.warnings == expected.warnings == ()
        np.testing.assert_array_equal(answer.features, expected.features)


class Tensor:
    """An array of another library."""

    def __array__(self, *_, **__):
        return np.zeros((40, 40), np.uint8)


PICTURE = np.zeros((40, 40), np.uint8)
NO_SCANS = {
    "a list": ([[1, 2], [3, 4]], r"list is no scan.*one by one.*np\.asarray\(pixels, np\.uint8\)"),
    "a tuple of paths": (("a.png", "b.png"), "tuple is no scan.*one by one"),
    "bytes": (b"\x89PNG", r"bytes is no scan.*decode_scan\(data, name\)"),
    "a bytearray": (bytearray(9), "bytearray is no scan"),
    "a number": (7, "int is no scan"),
    "a scalar": (np.uint8(7), "uint8 is no scan"),
    "an open file": (sys.stdin, "TextIOWrapper|is no scan"),
    "a PIL image": (Image.fromarray(PICTURE), r"PIL\.Image\.Image is no scan.*path.*np\.asarray\(image\) where image\.mode"),
    "a PIL image with a palette": (Image.fromarray(PICTURE).convert("P"), "PIL.*is no scan"),
    "a tensor": (Tensor(), r"Tensor is no scan.*np\.asarray of it"),
    "an address": ("https://example.org/a.png", "nothing is fetched"),
    "no path": ("", "empty path"),
    "a batch": (np.zeros((2, 40, 40), np.uint8), "a batch"),
    "int64": (np.zeros((40, 40), int), "int64"),
    "a ReadScan of floats": (as_read(PICTURE / 255), "holds no gray uint8"),
    "a ReadScan of colour": (as_read(np.zeros((40, 40, 3), np.uint8)), "holds no gray uint8"),
}


@pytest.mark.parametrize(("given", "said"), NO_SCANS.values(), ids=NO_SCANS)
def test_what_is_no_scan_is_refused_by_every_bundle(classifier, bundle, scan, given, said):
    with pytest.raises(UsageError, match=said):
        classifier.answer(given)
    with pytest.raises(UsageError, match=said):
        open_bundle(bundle).answer(xray=given, ct=scan)


def test_a_folder_and_a_file_that_is_not_there_are_named(classifier, bundle, tmp_path, scan):
    with pytest.raises(DataError, match="a folder, one scan is asked about.*DICOM series"):
        classifier.answer(tmp_path)
    with pytest.raises(DataError, match=r"absent\.png: no such file"):
        classifier.answer(str(tmp_path / "absent.png"))
    xray, ct, _ = open_bundle(bundle).answer(xray=str(tmp_path), ct=str(scan)).findings
    assert "a folder" in xray.error and ct.error is None


def test_values_that_are_no_picture_are_that_halfs_error(bundle, scan):
    """As a file that cannot be read is: the other half is answered."""
    xray, ct, _ = open_bundle(bundle).answer(xray=np.full((40, 40), np.nan), ct=scan).findings
    assert "not finite" in xray.error and xray.predicted is None and ct.predicted is not None


def test_what_a_bundle_reads_may_be_called_by_its_name(classifier, bundle, scan):
    assert classifier.answer(xray=scan) == classifier.answer(scan)
    with pytest.raises(UsageError, match="reads an image, not an X-ray"):
        classifier.answer(scan, xray=scan)
    with pytest.raises(UsageError, match="reads an image, not a CT"):
        classifier.answer(ct=scan)
    with pytest.raises(UsageError, match="An image is needed"):
        classifier.answer()
    with pytest.raises(UsageError, match="reads an X-ray and a CT, not an image. Say which it is: xray= or ct="):
        open_bundle(bundle).answer(scan)


def test_notes_and_methods_are_held_to_their_kinds(classifier, scan):
    with pytest.raises(UsageError, match="reads an image, not a note"):
        classifier.answer(scan, note="cough")
    assert set(classifier.answer(scan, methods="gradcam").activations) == {"gradcam"}
    with pytest.raises(UsageError, match="does not draw grad-cam.*gradcam"):
        classifier.answer(scan, methods="grad-cam")
    classifier.__class__.doors, before = ("image", "note"), classifier.__class__.doors
    try:
        with pytest.raises(UsageError, match="A note is text, not list"):
            classifier.answer(scan, note=["cough"])
    finally:
        classifier.__class__.doors = before


@pytest.mark.parametrize("is_guarded", [False, True])
def test_a_file_that_was_written_to_is_read_again(bundle, tmp_path, is_guarded):
    opened = open_guarded(bundle, asks=False) if is_guarded else open_bundle(bundle)
    path = tmp_path / "scan.png"
    assert "no such file" in opened.answer(xray=path).findings[0].error
    found = []
    for level in (60, 120, 60):
        cv2.imwrite(str(path), shaded(60, 60, level))
        found += [opened.answer(xray=path).findings[0].probability for _ in range(2)]
    assert found[0] == found[1] == found[4] == found[5] != found[2] and found[2] == found[3]
    path.unlink()
    assert "no such file" in opened.answer(xray=path).findings[0].error


def test_one_name_in_two_folders_is_two_files(bundle, tmp_path, monkeypatch):
    opened, found = open_bundle(bundle), []
    for level in (60, 120):
        (tmp_path / str(level)).mkdir()
        monkeypatch.chdir(tmp_path / str(level))
        cv2.imwrite("scan.png", shaded(60, 60, level))
        found.append(opened.answer(xray="scan.png").findings[0].probability)
    assert found[0] != found[1]


def test_a_bundle_that_was_asked_before_it_had_a_door_refuses_then(bundle, tmp_path, monkeypatch):
    import tiny_gate

    from pipeline.inference.gate.door import Door

    monkeypatch.setattr("pipeline.inference.gate.gate.SHIPPED", tiny_gate.write_gate(tmp_path / "gate"))
    path = tmp_path / "noise.png"
    cv2.imwrite(str(path), tiny_gate.neither(1))
    opened = open_bundle(bundle)
    assert opened.answer(xray=path).findings[0].error is None
    opened.guard(Door(opened.bundle, opened.doors))
    refused = opened.answer(xray=path).findings[0]
    assert refused.refused and refused.error and refused.predicted is None


def test_an_opened_bundle_stays_in_its_process(classifier, scan):
    with pytest.raises(UsageError, match="does not go to another process.*Open it there"):
        pickle.dumps(classifier)
    with pytest.raises(UsageError, match="does not go to another process"):
        pickle.dumps(classifier.answer)


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.posix
def test_a_fork_is_refused_and_not_left_waiting(classifier, scan):
    classifier.answer(scan)
    child = os.fork()
    if child == 0:
        try:
            classifier.answer(scan)
        except UsageError as refused:
            os._exit(7 if "opened in another process" in str(refused) else 8)
        finally:
            os._exit(9)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


def test_what_it_is_stands_in_its_repr(classifier, bundle):
    assert repr(classifier) == f"<bundle {classifier.path} of classifier: reads an image, names NORMAL, PNEUMONIA>"
    assert "reads an X-ray and a CT, names Non_COVID, COVID" in repr(open_bundle(bundle))
