"""What a note loses before a network reads it, and what is told of a note that hardly fits."""

from __future__ import annotations

import subprocess
import sys

import pytest

from pipeline.data.notes.clinical_notes import NoteMasker, clean_note, language_warning, non_latin_share
from pipeline.data.notes.diagnosis_words import DIAGNOSIS_CONTEXT, DIAGNOSIS_NAMES, DIAGNOSTIC_TESTS
from pipeline.engine.errors import ConfigError

MASKED = [
    ("COVID-19 pneumonia of both bases", "pneumonia of both bases", ("COVID-19",)),
    ("classiccovid-19 and forCOVID-19, SARS-CoV-2-RNA", "and ,", ("classiccovid-19", "forCOVID-19", "SARS-CoV-2-RNA")),
    ("a man with SARS, day 3", "a man with , day 3", ("SARS",)),
    ("Pneumocystis jirovecii by bronchoscopy", "by bronchoscopy", ("Pneumocystis", "jirovecii")),
    ("RT-PCR was done; swabs twice", "was done; twice", ("RT-PCR", "swabs")),
    ("tested\n positive on day 2", "on day 2", ("tested positive",)),
    ("E. coli in urine", "in urine", ("E. coli",)),
    ("influence of fluid on the fluoroscopy", "influence of fluid on the fluoroscopy", ()),
    ("spiral CT, viral", "spiral CT,", ("viral",)),
]


@pytest.mark.parametrize(("note", "text", "masked"), MASKED)
def test_words_of_the_diagnosis_go_and_are_shown(note, text, masked):
    found = NoteMasker().mask(note)
    assert (found.text, found.masked) == (text, masked)


def test_nothing_tells_how_many_words_went():
    assert NoteMasker().mask("fever COVID-19 and cough").text == NoteMasker().mask("fever and cough").text


@pytest.mark.parametrize("note", ["", "   \n\t", "COVID-19", "COVID-19, SARS-CoV-2!"])
def test_a_note_with_nothing_left_is_empty(note):
    assert NoteMasker().mask(note).text == ""


def test_without_words_a_note_is_only_cleaned():
    found = NoteMasker(()).mask(" COVID-19\u00a0\x00and\r\n fever ")
    assert (found.text, found.masked) == ("COVID-19 and fever", ())


def test_a_list_of_ones_own_replaces_the_default():
    found = NoteMasker(("fever", "ground glass*")).mask("Fever, COVID-19, ground  glass opacities, feverish")
    assert found.text == ", COVID-19, opacities, feverish"
    assert found.masked == ("Fever", "ground glass")


def test_a_word_that_would_take_everything_is_refused():
    for word in ("*", " ", "-*"):
        with pytest.raises(ConfigError, match="take out everything"):
            NoteMasker((word,))


def test_the_lists_do_not_overlap_and_can_be_joined():
    lists = (DIAGNOSIS_NAMES, DIAGNOSTIC_TESTS, DIAGNOSIS_CONTEXT)
    joined = [word for words in lists for word in words]
    assert len(joined) == len(set(joined))
    assert NoteMasker(joined).mask("from Wuhan in January 2020, on lopinavir").text == "from in , on"


def test_letters_of_other_scripts_are_counted():
    assert non_latin_share("fièvre, 38.5") == 0
    assert non_latin_share("12 / 3") == 0
    assert non_latin_share("ab яж") == 0.5


def test_a_foreign_note_is_warned_of_and_english_is_not():
    assert "not Latin" in language_warning("患者发热咳嗽三天", 0.0)
    assert "not Latin" in language_warning("Пациент поступил с лихорадкой", 0.0)
    assert "unknown" in language_warning("⏃⟟ note", 0.5)
    assert language_warning("Fever and dry cough; bibasal opacities.", 0.0) == ""


def test_cleaning_keeps_the_words():
    assert clean_note("a\u200b b\tc\u2028d") == "a b c d"


def test_notes_and_their_settings_need_no_tensorflow():
    code = (
        "import sys; import pipeline.data.notes.note_tokens;"
        "from stages import s09_vision_text as s09, s10_audit as s10;"
        "chosen = s09.Config(profile='x'); s09.STAGE.inputs(chosen); s09.STAGE.outputs(chosen);"
        "s10.STAGE.inputs(s10.Config()); s10.STAGE.outputs(s10.Config());"
        "assert not {'tensorflow', 'keras', 'keras_hub'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
