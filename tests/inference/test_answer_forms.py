"""An answer as JSON values, as a line for people, and as HTML that needs and does nothing else."""

from __future__ import annotations

import base64
import json
import re
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.inference.answers import CAUTION, Answer, Finding
from pipeline.inference.bundle import open_bundle
from pipeline.inference.scan_preview import SIDE, Preview

SHARES = {"NORMAL": 0.2, "PNEUMONIA": 0.8}
KEYS = ["modality", "predicted", "caption", "confidence", "probability", "probabilities", "threshold", "error", "gate", "refused",
        "distance", "distance_threshold", "seen", "warnings"]  # fmt: skip


def named(modality: str = "xray", **more) -> Finding:
    return Finding(modality, SHARES, 0.8, "PNEUMONIA", 0.8, **more)


# What one page may hold, and no more: no link, no script, no frame, nothing that is fetched.
ALLOWED = {
    "div": {"style"}, "b": set(), "small": set(), "tr": set(), "table": {"style"}, "td": {"style"},
    "img": {"alt", "title", "style", "src"},
}  # fmt: skip


class Page(HTMLParser):
    """Reads a page, and refuses every element and attribute that is not ALLOWED."""

    def __init__(self, page: str, allowed=None):
        super().__init__()
        self.allowed, self.open, self.pictures, self.text = allowed or ALLOWED, [], [], ""
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        assert tag in self.allowed, tag
        assert {name for name, _ in attrs} <= self.allowed[tag], attrs
        for name, value in attrs:
            if name == "src":
                head, _, content = value.partition(",")
                assert head == "data:image/png;base64"
                self.pictures.append(cv2.imdecode(np.frombuffer(base64.b64decode(content), np.uint8), cv2.IMREAD_UNCHANGED))
            if name == "style":
                assert "url" not in value and "expression" not in value
        if tag != "img":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data

    def handle_comment(self, data):
        raise AssertionError(data)

    handle_decl = handle_pi = unknown_decl = handle_comment


def test_the_same_keys_for_every_system(bundle, scans, tmp_path):
    from tiny_classifier import write_classifier
    from tiny_segmenter import write_segmenter

    answers = [
        open_bundle(bundle).answer(xray=scans["xray"], ct=scans["text"]),
        open_bundle(write_classifier(tmp_path / "classifier")).answer(scans["xray"], methods="gradcam"),
        open_bundle(write_segmenter(tmp_path / "segmenter")).answer(scans["xray"]),
        Answer.failed("no such file"),
    ]
    for answer in answers:
        document = answer.to_dict()
        assert json.loads(json.dumps(document, allow_nan=False)) == document
        assert list(document) == ["findings", "geometry", "used", "masked", "warnings", "extra"]
        assert all(list(finding) == KEYS for finding in document["findings"])
        assert answer.without_pictures().to_dict() == document
    assert answers[2].to_dict()["geometry"] == answers[2].geometry and answers[2].geometry


def test_numbers_that_json_has_not_are_none():
    finding = named(distance=np.inf, distance_threshold=np.nan)
    document = Answer((finding,), geometry={"ratio": np.nan, "area": 3}, extra={"a": np.inf, "b": "x"}).to_dict()
    assert document["findings"][0]["distance"] is None and document["findings"][0]["distance_threshold"] is None
    assert document["geometry"] == {"ratio": None, "area": 3} and document["extra"] == {"a": None, "b": "x"}


def test_its_repr_is_a_line_for_people():
    assert repr(Answer((named(),))) == "<Answer PNEUMONIA 80.0 %>"
    assert repr(Answer.failed("scan.png: empty file.")) == "<Answer no answer (scan.png: empty file.)>"
    several = Answer((named(), Finding("ct", error="it is no CT"), named("paired")), warnings=("X-ray: it lies far.",))
    said = ("X-ray: PNEUMONIA 80.0 %", "CT: no answer (it is no CT)", "Paired: PNEUMONIA 80.0 %", "warning: X-ray: it lies far.")
    assert repr(several) == f"<Answer {' | '.join(said)}>"


def test_answers_are_equal_that_say_the_same():
    heat = {"gradcam": np.ones((4, 4), np.float32)}
    first, second = (Answer((named(activations=heat),), lung_mask=np.ones((4, 4), bool), features=np.ones(3)) for _ in range(2))
    assert first == second != Answer((named(warnings=("far",)),))


def test_the_page_shows_classes_probabilities_warnings_and_for_what_it_is():
    finding = named(distance=1.25, distance_threshold=2.0)
    page = Page(Answer((finding,), warnings=("the note is empty",), masked=("covid",))._repr_html_())
    words = " ".join(page.text.split())
    for said in ("PNEUMONIA 80.0 %", "NORMAL 20.0 %", "1.25 from the scans", "beyond 2.00", "Warning: the", "covid", CAUTION):
        assert said in words
    assert page.pictures == []


def test_each_half_is_shown_and_why_one_has_no_answer(bundle, scans):
    page = Page(open_bundle(bundle).answer(xray=scans["xray"], ct=scans["text"])._repr_html_())
    words = " ".join(page.text.split())
    assert "X-ray: " in words and "CT: no answer" in words and "text.png" in words and "Paired: no answer" in words
    assert [picture.shape for picture in page.pictures] == [(70, 60)]


def test_the_scan_is_shown_with_the_outline_of_its_lungs_and_the_heat_maps(bundle):
    gray = np.full((100, 80), 90, np.uint8)
    mask = np.zeros((100, 80), bool)
    mask[20:80, 10:30] = mask[20:80, 50:70] = True
    heat = {"gradcam": np.eye(100, 80, dtype=np.float32)}
    answer = Answer((named(preview=Preview.of(gray), activations=heat),), lung_mask=mask)
    page = answer._repr_html_()
    lungs, drawn = Page(page).pictures
    assert lungs.shape == drawn.shape == (100, 80, 3)
    assert (lungs[0, 0] == 90).all() and len(np.unique(lungs[40, 9:31], axis=0)) > 1 and (lungs[:, 40] == 90).all()
    assert 'title="Grad-CAM"' in page and (drawn[0, 79] == 90).all() and (drawn[40, 40] != 90).any()


def test_a_large_scan_is_kept_small_and_its_mask_with_it():
    gray = np.zeros((3000, 2000), np.uint8)
    gray[:, 1000:] = 200
    mask = np.zeros((3000, 2000), bool)
    mask[500:2500, 200:900] = True
    answer = Answer((named(preview=Preview.of(gray)),), lung_mask=mask)
    assert answer.findings[0].preview.pixels.shape == (SIDE, 341)
    (picture,) = Page(answer._repr_html_()).pictures
    assert picture.shape == (SIDE, 341, 3)
    assert (picture[SIDE // 2, 300] == 200).all() and (picture[SIDE // 2, 90] != 0).any() and (picture[10, 90] == 0).all()


def test_without_pictures_nothing_of_the_scan_is_kept(bundle, scans):
    answer = open_bundle(bundle).answer(xray=scans["xray"])
    assert answer.findings[0].preview is not None
    light = answer.without_pictures()
    assert light.findings[0].preview is None and light == answer and Page(light._repr_html_()).pictures == []


def test_what_is_shown_does_not_follow_the_array_nor_hold_it(bundle):
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    kept = pixels.copy()
    answer = open_bundle(bundle).answer(xray=pixels)
    pixels[:] = 0
    (picture,) = Page(answer._repr_html_()).pictures
    np.testing.assert_array_equal(picture, kept)


def test_a_remembered_scan_is_shown_from_its_file_while_that_is_the_same(bundle, scans):
    opened = open_bundle(bundle)
    first, second = (opened.answer(xray=scans["xray"]) for _ in range(2))
    assert second.findings[0].preview.pixels is None
    np.testing.assert_array_equal(Page(second._repr_html_()).pictures[0], Page(first._repr_html_()).pictures[0])
    scans["xray"].write_bytes(scans["ct"].read_bytes())
    assert Page(second._repr_html_()).pictures == [] and len(Page(first._repr_html_()).pictures) == 1
    scans["xray"].unlink()
    assert Page(second._repr_html_()).pictures == []


HOSTILE = ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "<!-- --> ]]>", "{{ 7 * 7 }}", "&lt;b&gt;", "a\udcffb",
           "</div>"]  # fmt: skip
WORDS = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=40))


@settings(max_examples=80, deadline=None)
@given(WORDS, WORDS, WORDS, WORDS, WORDS)
def test_whatever_the_words_are_they_stay_words(name, error, warning, masked, method):
    picture = Preview.of(np.zeros((20, 20), np.uint8))
    finding = Finding("xray", {name: 0.5, "x": 0.5}, None, name, 0.5, {method: np.zeros((20, 20))}, error, preview=picture)
    page = Answer((finding, Finding("ct", error=error)), warnings=(warning,), masked=(masked,))._repr_html_()
    assert Page(page) and page.encode("utf-8")


def test_hostile_words_are_shown_as_they_are():
    for words in HOSTILE[:5]:
        shown = Page(Answer((named(),), warnings=(words,))._repr_html_()).text
        assert words in re.sub(r"\s+", " ", shown)


@pytest.mark.parametrize("share", [0.0, 1.0, 1e-9])
def test_bars_of_every_length(share):
    page = Page(Answer((Finding("xray", {"A": share, "B": 1 - share}, None, "A", share),))._repr_html_())
    assert page.text.count(">99.9 %") == 2 - (share == 0.0) - (share == 1e-9) and "100.0 %" not in page.text
