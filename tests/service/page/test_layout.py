"""What every view of the page has: its policy, its language, files under an address of their digest, no key to look at it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from served import serving

from pipeline.service.page import languages, rendering, static_files
from pipeline.service.safety.keys import add_key


def test_the_policy_lets_in_the_services_own_files_alone(client):
    answer = client.get("/")
    assert answer.status_code == 200 and answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == policy["form-action"] == "'self'"
    assert not re.search(r"<script(?![^>]* src=)|<style| style=| on[a-z]+=|https?://(?!www\.w3\.org/2000/svg)", answer.text)
    assert "Research use, not a medical device." in answer.text and "Nothing is stored" in answer.text


def test_files_are_kept_for_ever_under_their_digest(client):
    found = re.findall(r'(?:href|src)="(/page/static/[^"]+)"', client.get("/").text)
    assert any(address.endswith("page.css") for address in found)
    for address in found:
        answer = client.get(address)
        assert answer.status_code == 200 and "immutable" in answer.headers["cache-control"], address
        assert answer.content == (static_files.FOLDER / Path(address).name).read_bytes()
    assert client.get(found[0].replace(static_files.static_digest(), "0" * 12)).status_code == 404
    assert client.get(f"{static_files.PLACE}/{static_files.static_digest()}/..%2Fstart.py").status_code == 404


def test_the_page_needs_no_key_and_what_it_asks_does(settings, tmp_path):
    add_key(tmp_path / "keys", "ward")
    with serving(settings.model_copy(update={"keys": tmp_path / "keys"})) as client:
        assert client.get("/").status_code == client.get(static_files.address_of("page.css")).status_code == 200
        assert client.post("/").status_code == client.post(static_files.address_of("page.css")).status_code == 401
        assert client.get("/page/statics").status_code == 401


@pytest.mark.parametrize(
    ("accepted", "language"),
    [("", "en"), ("de", "de"), ("de-AT,en;q=0.8", "de"), ("en-GB,de;q=0.9", "en"), ("fr,de;q=0.5,en;q=0.4", "de"), ("fr", "en"),
     ("DE", "de"), ("de;q=0", "en"), ("de;q=nonsense", "en"), ("*", "en"), ("en;q=0.1,de;q=0.2", "de"), (",;,", "en")],
)  # fmt: skip
def test_the_language_is_the_browsers(client, accepted, language):
    assert languages.language_of(accepted) == language
    answer = client.get("/", headers={"Accept-Language": accepted})
    assert f'<html lang="{language}">' in answer.text and answer.headers["content-language"] == language
    assert ("kein Medizinprodukt" in answer.text) is (language == "de")


def test_every_sentence_stands_in_the_german_table_and_no_other():
    table = languages.words_of(languages.GERMAN)._table
    texts = [path.read_text(encoding="utf-8") for path in rendering.TEMPLATES.rglob("*.j2")]
    said = {match[2] for text in texts for match in re.finditer(r'\bt\((["\'])(.*?)\1[,)]', text)}
    assert said - set(table) == set() and set(table) - said == set()
    for english, german in table.items():
        assert sorted(re.findall(r"{\w+}", english)) == sorted(re.findall(r"{\w+}", german)), english


def test_every_word_of_the_scripts_is_given_by_the_page_and_no_other():
    words = (rendering.TEMPLATES / "words.html.j2").read_text(encoding="utf-8")
    given = set(re.findall(r'^"(\w+)": t\(', words, flags=re.MULTILINE))
    scripts = "".join(path.read_text(encoding="utf-8") for path in static_files.FOLDER.glob("*.js"))
    said = set(re.findall(r'\bword\("(\w+)"', scripts))
    # names of layers are words by themselves
    assert said | {"lungs", "heat", "window_hounsfield", "window_gray"} == given and "word(name)" in scripts


def test_a_script_holds_one_idea():
    for path in static_files.FOLDER.glob("*.js"):
        lines = path.read_text(encoding="utf-8").splitlines()
        assert lines[0].startswith("// ") and len(lines) < 300 and max(map(len, lines)) <= 130, path.name
    assert sum(map(len, static_files.static_files().values())) < 200_000
