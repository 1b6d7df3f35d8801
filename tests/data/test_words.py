"""Words without case and blanks, and ids that mean "nobody knows"."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.data.image_paths import file_of, normal_path
from pipeline.data.patient_ids import MISSING_WORDS, known_patient
from pipeline.data.words import Spellings, same_word


@pytest.mark.parametrize(
    ("word", "known", "found"),
    [
        ("XRay", ("xray", "ct"), "xray"),
        (" x ray", ("xray", "ct"), "xray"),
        ("covid", ("COVID", "Non_COVID"), "COVID"),
        ("Non_Covid", ("COVID", "Non_COVID"), "Non_COVID"),
        ("mri", ("xray", "ct"), "mri"),
        ("a", ("a", "A"), "a"),
        ("Ab", ("ab", "AB"), "Ab"),
        ("x-ray", ("xray",), "x-ray"),
    ],
)
def test_same_word(word, known, found):
    assert same_word(word, known) == found


def test_the_first_spelling_stays():
    spellings = Spellings(["xray"])
    met = [spellings.of(word) for word in ("XRay", "Ultra sound", "ultrasound", "CT")]
    assert met == ["xray", "Ultra sound", "Ultra sound", "CT"]


@pytest.mark.parametrize("word", ["", " ", "NA", "N/A", "nan", "NaN", "None", "null", "-", "--", "unknown", "Unknown ", "?",
                                  "UNK", "not available", "#N/A", "<NA>", "anonymous"])  # fmt: skip
def test_missing_ids(word):
    assert known_patient(word) == ""


@pytest.mark.parametrize("word", ["0", "000", "p1", "nana", "None1", "NA12", "-1"])
def test_ids_that_are_some(word):
    assert known_patient(f" {word} ") == word


@given(st.text(max_size=10))
def test_an_id_stays_as_it_stands(text):
    found = known_patient(text)
    assert found == text.strip() or "".join(text.casefold().split()) in MISSING_WORDS


@pytest.mark.parametrize(
    ("written", "path"),
    [("a\\b\\c.png", "a/b/c.png"), ("./a//b.png", "a/b.png"), ("cafe\u0301.png", "caf\u00e9.png"), ("a/../b.png", "b.png")],
)
def test_normal_paths(written, path):
    assert normal_path(written) == path


def test_files_of_cells(tmp_path):
    (tmp_path / "d").mkdir()
    for name in ("d/caf\u00e9.png", "d/e\u0301.png", "plain.png", "back\\slash.png"):
        (tmp_path / name).touch()
    for cell in ("d\\caf\u00e9.png", "d/cafe\u0301.png", "d/\u00e9.png", "plain.png", "back\\slash.png"):
        assert file_of(cell, tmp_path).exists()
    assert file_of("", tmp_path) is None and file_of("gone.png", tmp_path / "d", tmp_path) == tmp_path / "d" / "gone.png"
    assert file_of("plain.png", tmp_path / "d", tmp_path) == tmp_path / "plain.png"
