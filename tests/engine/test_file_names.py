"""Names that are too long or no UTF-8 are written all the same, and atomic writes take them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.engine.errors import DataError
from pipeline.engine.file_names import LONGEST, flat_name, is_legal, printable, short_name
from pipeline.engine.files import atomic_write_bytes, atomic_write_text, plain_json, write_json
from pipeline.engine.hash_cache import HashCache

BROKEN = os.fsdecode(b"caf\xed.png")


def test_bytes_that_are_no_utf8_are_escaped():
    assert printable(BROKEN) == "caf\\xED.png"
    assert printable("Größe 肺 \\n") == "Größe 肺 \\n"
    assert printable("\ud800") == "\\ud800"


@given(st.binary(max_size=40).filter(lambda raw: b"\0" not in raw))
def test_any_name_can_be_written(raw):
    name = printable(os.fsdecode(raw))
    name.encode("utf-8")
    try:
        assert name == raw.decode("utf-8")
    except UnicodeDecodeError:
        assert "\\x" in name


def test_tables_documents_and_messages_hold_them(tmp_path):
    atomic_write_text(tmp_path / "t.csv", f"image\n{BROKEN}\n")
    assert (tmp_path / "t.csv").read_text(encoding="utf-8") == "image\ncaf\\xED.png\n"
    write_json(tmp_path / "t.json", {BROKEN: [Path(BROKEN), BROKEN]})
    assert json.loads((tmp_path / "t.json").read_text(encoding="utf-8")) == {"caf\\xED.png": ["caf\\xED.png"] * 2}
    assert DataError(f"{BROKEN}: broken").message == "caf\\xED.png: broken"
    with pytest.raises(TypeError):
        plain_json({"a": b"bytes"})


@given(st.text(min_size=1, max_size=400), st.integers(40, LONGEST))
def test_short_names_fit_and_differ(name, longest):
    name = printable(name)
    short = short_name(name, longest)
    assert len(os.fsencode(short)) <= longest and (short == name) == (len(os.fsencode(name)) <= longest)
    assert short_name(name + "a", longest) != short_name(name + "b", longest)


@pytest.mark.parametrize("name", ["n" * 251 + ".png", "肺" * 85, "a"])
def test_atomic_writes_of_long_names(tmp_path, name):
    atomic_write_bytes(tmp_path / name, b"content")
    assert (tmp_path / name).read_bytes() == b"content" and len(list(tmp_path.iterdir())) == 1


def test_a_broken_name_is_hashed_and_remembered(tmp_path):
    file = tmp_path / BROKEN
    file.write_bytes(b"content")
    with HashCache(tmp_path / "cache.sqlite") as cache:
        first = cache.sha256(file)
    with HashCache(tmp_path / "cache.sqlite") as cache:
        assert cache.sha256(file) == first and len(first) == 64


@pytest.mark.parametrize("name", ["a.png", "COVID (1).png", "肺.dcm", "console.png", "com10.txt", ".hidden", "a.b.c", "nul_1"])
def test_names_that_every_system_takes(name):
    assert is_legal(name) and flat_name(name) == name


@pytest.mark.parametrize("name", ["", "a:b", "a?.png", "a\\b", "a|b", 'a"b', "<a>", "a*", "a\tb", "a.", "a ", "con",
                                  "NUL.png", "Com1", "lpt9.tar.gz", "aux .txt"])  # fmt: skip
def test_names_that_windows_does_not_take(name):
    assert not is_legal(name)
    if name:
        assert is_legal(flat_name(name)) and is_legal(flat_name(f"C:/{name}/x.png"))


@given(st.lists(st.text(alphabet='ab:?*|\\. /\n', min_size=1, max_size=8), min_size=2, max_size=2, unique=True))
def test_flat_names_are_legal_and_kept_apart(paths):
    names = [flat_name(f"{path}x.png") for path in paths]
    assert all(is_legal(name) and name.endswith(".png") for name in names)
    assert names[0] != names[1] or any("__" in f"{path}x.png".replace("/", "__") for path in paths)


def test_a_path_becomes_one_name():
    assert flat_name("site/COVID/1.png") == "site__COVID__1.png"
    assert flat_name("C:/x/1.png").startswith("C___x__1~") and flat_name("C:/x/1.png").endswith(".png")
