"""Answers put together by patient: by the mean or the most suspicious scan, with what was said of each."""

from __future__ import annotations

import pytest

from pipeline.engine.errors import DataError, UsageError
from pipeline.inference.answered_rows import AnsweredRow
from pipeline.inference.answers import Answer, Finding
from pipeline.inference.bundle import Manifest
from pipeline.inference.per_patient import by_patient

BINARY = Manifest(class_names=("NORMAL", "ILL"), positive_class="ILL", threshold=0.6, files={})
THREE = Manifest(class_names=("A", "B", "C"), files={})


def scan(modality="xray", ill=None, error=None, shares=None, **told) -> Finding:
    shares = shares if shares is not None else {} if ill is None else {"NORMAL": 1 - ill, "ILL": ill}
    return Finding(modality, shares, ill, None if error or not shares else "ILL", error=error, **told)


def row(name, *findings, **copied) -> AnsweredRow:
    return AnsweredRow(name, Answer(findings), {"patient_id": "p1", "label": "ILL"} | copied)


def test_the_mean_and_the_most_suspicious_scan():
    rows = [row("a", scan(ill=0.2)), row("b", scan(ill=0.9)), row("c", scan(ill=0.5), patient_id="p2", label="NORMAL")]
    mean, other = by_patient(rows, BINARY, "mean")
    assert (mean.id, other.id) == ("p1", "p2") and mean.copied == {"label": "ILL", "patient_id": "p1"}
    assert mean.answer.findings[0].probability == pytest.approx(0.55) and mean.answer.predicted == "NORMAL"
    assert mean.answer.extra == {"scans": 2} and other.answer.extra == {"scans": 1}
    most, _ = by_patient(rows, BINARY, "max")
    assert most.answer.findings[0].probability == pytest.approx(0.9) and most.answer.predicted == "ILL"


def test_several_classes_have_a_mean_and_no_most_suspicious_scan():
    shares = [{"A": 0.6, "B": 0.4, "C": 0.0}, {"A": 0.0, "B": 0.5, "C": 0.5}]
    rows = [AnsweredRow(str(place), Answer((scan(shares=each),)), {"patient_id": "p"}) for place, each in enumerate(shares)]
    (found,) = by_patient(rows, THREE, "mean")
    assert found.answer.predicted == "B" and found.answer.probabilities == pytest.approx({"A": 0.3, "B": 0.45, "C": 0.25})
    with pytest.raises(UsageError, match="none of A, B, C is the positive class"):
        by_patient(rows, THREE, "max")


def test_a_scan_without_an_answer_leaves_the_others_and_none_leaves_its_reason():
    rows = [row("a", scan(ill=0.8)), row("b", Finding("", error="no picture")), row("c", scan(error="dark"), patient_id="p2")]
    first, second = by_patient(rows, BINARY, "mean")
    assert first.answer.findings[0].probability == pytest.approx(0.8) and first.answer.extra == {"scans": 2}
    assert len(first.answer.findings) == 1 and second.answer.error == "dark"


def test_what_was_said_of_a_scan_is_said_of_the_patient():
    doubtful = scan(ill=0.7, seen="chosen on", refused=True, warnings=("w",))
    rows = [row("a", scan(ill=0.8, seen="no", gate="xray")), row("b", doubtful)]
    (found,) = by_patient(rows, BINARY, "mean")
    finding = found.answer.findings[0]
    assert (finding.seen, finding.refused, finding.gate, finding.warnings) == ("chosen on", True, "xray", ("w",))


def test_pairs_go_to_their_patient_and_slices_of_another_to_theirs():
    own = row("a", scan(ill=0.2), scan("ct", ill=0.4), scan("paired", ill=0.3))
    dealt = row("b", scan(ill=0.6), scan("ct", ill=0.9), scan("paired", ill=0.7), patient_id_ct="p9")
    mine, theirs = by_patient([own, dealt], BINARY, "mean")
    told = {finding.modality: finding.probability for finding in mine.answer.findings}
    assert told == pytest.approx({"xray": 0.4, "ct": 0.4, "paired": 0.3})
    assert theirs.id == "p9" and [finding.modality for finding in theirs.answer.findings] == ["ct"]


def test_scans_of_nobody_and_patients_of_two_classes_are_refused():
    with pytest.raises(DataError, match=r"of 1 of 2 scans nothing says whose they are: b"):
        by_patient([row("a", scan(ill=0.2)), row("b", scan(ill=0.2), patient_id="")], BINARY, "mean")
    with pytest.raises(DataError, match=r"1 patients have scans of two classes: p1 \(ILL, NORMAL\)"):
        by_patient([row("a", scan(ill=0.2)), row("b", scan(ill=0.2), label="NORMAL")], BINARY, "mean")
