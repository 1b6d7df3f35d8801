"""What passes the door of a bundle: what it is refused for, what is told of it, and that answers are those without a door."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.data.reading.assumptions import Assumption, ReadScan, ScanHeader
from pipeline.data.scans import PAIRED
from pipeline.engine.errors import DataError, MissingArtifactError
from pipeline.inference.answered_rows import AnsweredRow, answer_rows, failure_summary
from pipeline.inference.bundle import open_bundle
from pipeline.inference.gate.door import Door
from tests.pictures import as_read


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """The tiny gates, one of them in the shipped one's place."""
    import tiny_gate

    monkeypatch.setattr("pipeline.inference.gate.gate.SHIPPED", tiny_gate.write_gate(tmp_path / "gate"))
    return tiny_gate


def guarded(bundle: Path, **settings):
    opened = open_bundle(bundle)
    opened.guard(Door(opened.bundle, opened.doors, **settings))
    return opened


def described(bundle: Path, **entries) -> Path:
    """With further entries of its description, and the hashes of all files in it."""
    import tiny_gate

    document = json.loads((bundle / "bundle.json").read_text()) | entries
    document["files"] |= {path.name: tiny_gate.stored(path.read_bytes()) for path in bundle.glob("gate_*")}
    (bundle / "bundle.json").write_text(json.dumps(document))
    return bundle


def test_scans_that_pass_are_answered_as_without_a_door(bundle, tiny):
    scans = {"xray": tiny.near(1), "ct": tiny.far(1)}
    alone, through = open_bundle(bundle).answer(**scans), guarded(bundle).answer(**scans)
    assert [f.probability for f in alone.findings] == [f.probability for f in through.findings]
    assert [f.gate for f in alone.findings] == ["not asked", "not asked", ""]
    assert [f.gate for f in through.findings] == ["xray", "ct", ""] and not through.refused


def test_each_half_in_the_others_place_is_refused_with_what_to_do(bundle, tiny):
    answer = guarded(bundle).answer(xray=tiny.far(1), ct=tiny.near(1))
    said = {finding.modality: finding.error for finding in answer.findings}
    assert said["xray"] == "It looks like a CT slice of the chest: give it as --ct."
    assert said["ct"] == "It looks like a chest X-ray: give it as --xray."
    assert said[PAIRED] == "no answer for X-ray and CT" and all(f.predicted is None for f in answer.findings)
    assert [finding.refused for finding in answer.findings] == [True, True, False] and answer.refused


def test_one_half_refused_leaves_the_other(bundle, tiny):
    alone = open_bundle(bundle).answer(ct=tiny.far(1)).findings[0]
    xray, ct, paired = guarded(bundle).answer(xray=tiny.neither(1), ct=tiny.far(1)).findings
    assert xray.gate == "neither" and "give a chest X-ray" in xray.error
    assert ct.probability == alone.probability and paired.error == "no answer for X-ray"


def test_a_bundle_of_one_image_raises_and_a_table_goes_on(tiny, tmp_path):
    import tiny_classifier

    opened = guarded(tiny_classifier.write_classifier(tmp_path / "classifier"))
    with pytest.raises(DataError, match=r"reads chest X-rays: ask one that reads CT slices of the chest \(predict --ct\)"):
        opened.answer(tiny.far(1))
    paths = {name: tmp_path / f"{name}.png" for name in ("near", "far", "noise")}
    for path, pixels in zip(paths.values(), (tiny.near(1), tiny.far(1), tiny.neither(1)), strict=True):
        cv2.imwrite(str(path), pixels)

    class Case:
        def __init__(self, name):
            self.id, self.copied = name, {}

    rows: list[AnsweredRow] = list(answer_rows(map(Case, paths), lambda case: opened.answer(paths[case.id])))
    assert [row.answer.findings[0].gate for row in rows] == ["xray", "ct", "neither"]
    assert [row.answer.refused for row in rows] == [False, True, True]
    assert str(paths["far"]) in rows[1].answer.error
    assert failure_summary(rows)[0] == "warning: 2 of 3 images have no answer (2 refused by the gate):"


def test_a_door_that_does_not_ask_answers_and_says_so(bundle, tiny):
    answer = guarded(bundle, asks=False).answer(xray=tiny.neither(1))
    assert answer.findings[0].gate == "not asked" and answer.findings[0].predicted is not None
    assert answer.findings[0].probability == open_bundle(bundle).answer(xray=tiny.neither(1)).findings[0].probability


def test_a_door_that_only_marks_answers_what_it_would_refuse(bundle, tiny):
    finding = guarded(bundle, refuses=False).answer(xray=tiny.far(1)).findings[0]
    assert finding.refused and finding.gate == "ct" and finding.probability is not None and finding.error is None


def test_the_distance_from_what_the_bundle_learnt_is_told_warned_of_and_refuses_nothing(bundle, tiny, tmp_path):
    entry = tiny.shared_entry(tmp_path / "gate", bundle, threshold=0.01)
    opened = guarded(described(bundle, gate=entry))
    answer = opened.answer(xray=tiny.near(1), ct=tiny.far(1))
    xray, ct, _ = answer.findings
    assert xray.error is None and xray.distance_threshold == 0.01 and 0.01 < xray.distance < 2
    assert ct.distance is None and ct.distance_threshold is None
    (warning,) = answer.warnings
    assert f"X-ray: it lies {xray.distance:.2f} from the X-rays that the bundle learnt from, beyond 0.01" in warning
    # The distance is another question than what it is: it is told without asking that.
    unasked = guarded(bundle, asks=False).answer(xray=tiny.near(1)).findings[0]
    assert unasked.distance == pytest.approx(xray.distance) and unasked.gate == "not asked"


def test_a_strict_door_refuses_what_is_far_and_what_fails_a_simple_check(bundle, tiny, tmp_path):
    small = cv2.resize(tiny.near(1), (200, 200), interpolation=cv2.INTER_AREA)
    assert guarded(bundle).answer(xray=small).findings[0].error is None
    assert "Minimum dimension" in guarded(bundle, strict=True).answer(xray=small).findings[0].error
    described(bundle, gate=tiny.shared_entry(tmp_path / "gate", bundle, threshold=0.01))
    refused = guarded(bundle, strict=True).answer(xray=tiny.near(1)).findings[0]
    assert refused.refused and refused.gate == "xray" and "learnt from" in refused.error


def test_a_bundle_of_another_sort_of_scans_widens_the_gate(bundle, tiny, tmp_path):
    """Learnt from what the shipped gate takes for neither: such scans pass as well, and nothing else that did not."""
    flat, black = (as_read(np.full((300, 300), level, np.uint8)) for level in (128, 0))
    of_flat = tiny.statistics().packed_arrays()
    of_flat["mean"] = np.full_like(of_flat["mean"], 128 / 255)
    refused = guarded(bundle).answer(xray=flat).findings[0]
    assert refused.gate == "neither"
    entry = tiny.shared_entry(tmp_path / "gate", bundle, accepted_by_gate=0.0, widens=False)
    np.savez(bundle / "gate_xray.npz", **of_flat)
    assert guarded(described(bundle, gate=entry)).answer(xray=flat).findings[0].refused
    opened = guarded(described(bundle, gate=entry | {"widens": True}))
    assert [opened.answer(xray=scan).findings[0].gate for scan in (flat, tiny.near(1), tiny.far(1))] == ["xray", "xray", "ct"]
    assert opened.answer(xray=black).findings[0].refused


def test_the_header_is_asked_before_the_pixels_count(bundle, tiny):
    told = ReadScan(tiny.near(1), None, (Assumption("window", "the first of two windows was taken"),), ScanHeader("dicom", "ct"))
    answer = guarded(bundle).answer(xray=told)
    assert "its header speaks of a CT slice" in answer.findings[0].error
    plain = ReadScan(told.gray, None, told.assumptions, ScanHeader("dicom", "xray"))
    for opened in (open_bundle(bundle), guarded(bundle)):
        answer = opened.answer(xray=plain)
        assert answer.findings[0].error is None and answer.warnings == ("the first of two windows was taken",)


def test_an_unreadable_scan_is_named_and_judged_by_nobody(bundle, scans, tiny):
    xray, ct, _ = guarded(bundle).answer(xray=scans["text"], ct=tiny.far(1)).findings
    assert "text.png" in xray.error and xray.gate == "not asked" and not xray.refused and ct.error is None


def test_a_scan_of_many_pairs_is_looked_at_once(bundle, tiny, tmp_path, monkeypatch):
    path = tmp_path / "near.png"
    cv2.imwrite(str(path), tiny.near(1))
    opened, reads = guarded(bundle), []
    import pipeline.inference.given_scan as given_scan

    true_read = given_scan.read_scan
    monkeypatch.setattr(given_scan, "read_scan", lambda path, **how: reads.append(path) or true_read(path, **how))
    answers = [opened.answer(xray=path).findings[0] for _ in range(3)]
    assert len(reads) == 1 and len({finding.probability for finding in answers}) == 1
    assert {finding.gate for finding in answers} == {"xray"}


def test_without_the_shipped_gate_nothing_is_asked_in_silence(bundle, tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.inference.gate.gate.SHIPPED", tmp_path / "gone")
    with pytest.raises(MissingArtifactError, match="gone"):
        guarded(bundle)
    assert guarded(bundle, asks=False).answer(xray=as_read(np.zeros((64, 64), np.uint8))).findings[0].gate == "not asked"
