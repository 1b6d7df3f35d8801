"""Notes as WordPiece ids, by the ``tokenizers`` library: the same ids in training and in inference, without TensorFlow."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.engine.errors import CorruptArtifactError, MissingArtifactError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

TOKENIZER_FILE = "tokenizer.json"
VOCABULARY_FILE = "vocab.txt"
PAD = 0


@dataclass(frozen=True)
class NoteTokens:
    """Notes as a network reads them.

    ids: ``(N, T)`` int32, padded with 0. mask: ``(N, T)`` int32, 1 where a piece is; a note that is empty has none.
    pieces: ``(N,)`` int64, pieces before truncation, with [CLS] and [SEP]. unknown_share: ``(N,)`` float64, share
    of a note's pieces that the vocabulary lacks. window: the encoder's, in pieces.
    """

    ids: np.ndarray
    mask: np.ndarray
    pieces: np.ndarray
    unknown_share: np.ndarray
    window: int

    @property
    def truncated(self) -> np.ndarray:
        """``(N,)`` bool: notes of which the end was cut off."""
        return self.pieces > self.window

    @property
    def present(self) -> np.ndarray:
        """``(N,)`` bool: notes that hold anything."""
        return self.mask.any(axis=1)


class NoteTokenizer:
    """A WordPiece tokenizer with an encoder's window.

    source: a folder of a BERT (``tokenizer.json``, or ``vocab.txt`` with or without ``tokenizer_config.json``), or a
    ``tokenizer.json``. window: most pieces of a note, [CLS] and [SEP] included.
    Raises MissingArtifactError where there is no vocabulary, CorruptArtifactError where it cannot be read.
    """

    def __init__(self, source: Path, window: int) -> None:
        self.window = window
        self._tokenizer = _read_tokenizer(Path(source))
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()

    def encode(self, notes: Sequence[str], length: int | None = None) -> NoteTokens:
        """Ids of N notes, padded to the longest of them or to ``length`` pieces.

        A note longer than the window keeps its beginning and its [SEP]; ``truncated`` names it.
        """
        encodings = [self._tokenizer.encode(note) if note else None for note in notes]
        kept = [_truncated(encoding.ids, self.window) if encoding else [] for encoding in encodings]
        width = length or max([1, *map(len, kept)])
        ids = np.full((len(kept), width), PAD, np.int32)
        mask = np.zeros((len(kept), width), np.int32)
        for row, pieces in enumerate(kept):
            ids[row, : len(pieces)], mask[row, : len(pieces)] = pieces, 1
        unknown = self._tokenizer.token_to_id("[UNK]")
        shares = [np.mean(np.array(e.ids) == unknown) if e else 0.0 for e in encodings]
        counts = [len(e.ids) if e else 0 for e in encodings]
        return NoteTokens(ids, mask, np.array(counts, np.int64), np.array(shares, np.float64), self.window)

    def save(self, path: Path) -> None:
        """Write it as one ``tokenizer.json``, which this class reads again."""
        document = json.loads(self._tokenizer.to_str())
        path.write_text(json.dumps(document, ensure_ascii=False, indent=None, sort_keys=True), encoding="utf-8")


def _truncated(ids: list[int], window: int) -> list[int]:
    return ids if len(ids) <= window else [*ids[: window - 1], ids[-1]]


def _read_tokenizer(source: Path) -> Tokenizer:
    from tokenizers import Tokenizer

    whole = source / TOKENIZER_FILE if source.is_dir() else source
    try:
        if whole.is_file():
            return Tokenizer.from_file(str(whole))
        if source.is_dir() and (source / VOCABULARY_FILE).is_file():
            return _from_vocabulary(source)
    except Exception as cause:  # the library raises bare Exception for a file that it cannot parse
        raise CorruptArtifactError(f"{source}: not a WordPiece tokenizer ({cause}).", "Fetch the encoder again.") from cause
    raise MissingArtifactError(f"{source} holds neither {TOKENIZER_FILE} nor {VOCABULARY_FILE}.", "Give a BERT's folder.")


def _from_vocabulary(folder: Path) -> Tokenizer:
    """The tokenizer of a folder that has only ``vocab.txt``, as the original BERT and BioBERT releases do."""
    from tokenizers.implementations import BertWordPieceTokenizer

    config = folder / "tokenizer_config.json"
    settings = json.loads(config.read_text(encoding="utf-8")) if config.is_file() else {}
    made = BertWordPieceTokenizer(str(folder / VOCABULARY_FILE), lowercase=bool(settings.get("do_lower_case", True)))
    return made._tokenizer
