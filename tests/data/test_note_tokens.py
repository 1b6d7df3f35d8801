"""WordPiece ids: truncation is said, an empty note has no piece, and a stored tokenizer gives the same ids."""

from __future__ import annotations

import json

import numpy as np
import pytest

from pipeline.data.notes.note_tokens import NoteTokenizer
from pipeline.engine.errors import CorruptArtifactError, MissingArtifactError

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "fever", "cough", "and", "dry", "opa", "##city", "."]


@pytest.fixture
def folder(tmp_path):
    """A BERT's folder as the oldest releases have it: a vocabulary and nothing else of a tokenizer."""
    (tmp_path / "vocab.txt").write_text("\n".join(WORDS) + "\n", encoding="utf-8")
    return tmp_path


def test_pieces_are_those_of_the_vocabulary(folder):
    tokens = NoteTokenizer(folder, 16).encode(["Fever and opacity.", "dry"])
    assert tokens.ids.tolist() == [[2, 5, 7, 9, 10, 11, 3], [2, 8, 3, 0, 0, 0, 0]]
    assert tokens.mask.tolist() == [[1] * 7, [1, 1, 1, 0, 0, 0, 0]]
    assert tokens.ids.dtype == tokens.mask.dtype == np.int32


def test_a_note_longer_than_the_window_is_cut_and_said(folder):
    tokens = NoteTokenizer(folder, 4).encode(["fever and dry cough", "fever"])
    assert tokens.ids[0].tolist() == [2, 5, 7, 3]
    assert tokens.truncated.tolist() == [True, False]
    assert tokens.pieces.tolist() == [6, 3]


def test_an_empty_note_has_no_piece(folder):
    tokens = NoteTokenizer(folder, 8).encode(["", "cough"])
    assert tokens.present.tolist() == [False, True]
    assert tokens.ids[0].tolist() == [0, 0, 0]
    assert NoteTokenizer(folder, 8).encode([""]).ids.shape == (1, 1)


def test_unknown_pieces_are_counted(folder):
    tokens = NoteTokenizer(folder, 8).encode(["fever 患 者", "fever"])
    assert tokens.unknown_share.tolist() == [2 / 5, 0]


def test_a_stored_tokenizer_gives_the_same_ids(folder, tmp_path):
    first = NoteTokenizer(folder, 8)
    first.save(tmp_path / "tokenizer.json")
    again = NoteTokenizer(tmp_path / "tokenizer.json", 8)
    note = ["Dry cough, fever and opacity of unknown cause"]
    assert again.encode(note).ids.tolist() == first.encode(note).ids.tolist()


def test_padding_and_truncation_of_a_file_do_not_count(folder, tmp_path):
    first = NoteTokenizer(folder, 8)
    path = tmp_path / "tokenizer.json"
    first.save(path)
    document = json.loads(path.read_text(encoding="utf-8"))
    document["truncation"] = {"max_length": 3, "strategy": "LongestFirst", "stride": 0, "direction": "Right"}
    path.write_text(json.dumps(document), encoding="utf-8")
    assert NoteTokenizer(path, 8).encode(["fever and dry cough"]).ids.shape == (1, 6)


def test_a_folder_without_a_vocabulary_is_named(tmp_path):
    with pytest.raises(MissingArtifactError, match=r"vocab\.txt"):
        NoteTokenizer(tmp_path, 8)


def test_a_broken_file_is_named(tmp_path):
    (tmp_path / "tokenizer.json").write_text("{", encoding="utf-8")
    with pytest.raises(CorruptArtifactError, match="tokenizer"):
        NoteTokenizer(tmp_path, 8)
