"""Clinical notes: whitespace cleaned, words that name the diagnosis taken out, and what was taken out kept for showing."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.data.notes.diagnosis_words import DIAGNOSIS_NAMES, DIAGNOSTIC_TESTS
from pipeline.engine.errors import ConfigError

DEFAULT_WORDS = DIAGNOSIS_NAMES + DIAGNOSTIC_TESTS
NON_LATIN_LIMIT = 0.3
UNKNOWN_LIMIT = 0.2
_WORD = r"[\w-]*"


@dataclass(frozen=True)
class MaskedNote:
    """A note as a network may read it (``text``), and the words taken out of it, as written, in their order."""

    text: str
    masked: tuple[str, ...]


class NoteMasker:
    """Takes the words of a list out of notes.

    words: entries of ``pipeline.data.notes.diagnosis_words``: whole words or phrases, any case, ``*`` for the rest of a
    word. A word taken out leaves nothing behind: a placeholder would tell how many there were, and COVID notes have
    more of them. No words: notes are only cleaned. Raises ConfigError for an entry that would match everything.
    """

    def __init__(self, words: Sequence[str] = DEFAULT_WORDS) -> None:
        self.words = tuple(words)
        for word in self.words:
            if not word.strip("* \t-"):
                raise ConfigError(f"mask word {word!r} would take out everything.", "Give it at least one letter or digit.")
        # longest first: a phrase must win over a word that begins it
        patterns = [_pattern(word) for word in sorted(self.words, key=len, reverse=True)]
        self._search = re.compile(rf"(?<![\w-])(?:{'|'.join(patterns)})(?![\w-])", re.IGNORECASE) if patterns else None

    def mask(self, note: str) -> MaskedNote:
        """The note without the words. An empty note, or one of listed words only, has text ``""``."""
        text = clean_note(note)
        if self._search is None:
            return MaskedNote(text, ())
        found = tuple(match.group(0) for match in self._search.finditer(text))
        rest = clean_note(self._search.sub(" ", text))
        return MaskedNote(rest if any(character.isalnum() for character in rest) else "", found)


def clean_note(note: str) -> str:
    """One line without control characters; runs of whitespace become one blank."""
    printable = "".join(" " if unicodedata.category(c)[0] in "CZ" else c for c in unicodedata.normalize("NFC", note))
    return " ".join(printable.split())


def non_latin_share(note: str) -> float:
    """Share of a note's letters that are outside the Latin script, in [0, 1]; 0 for a note without letters."""
    letters = [character for character in note if character.isalpha()]
    if not letters:
        return 0.0
    return sum("LATIN" not in unicodedata.name(letter, "") for letter in letters) / len(letters)


def language_warning(note: str, unknown_share: float) -> str:
    """A sentence where a note is hardly in the encoder's language, else ``""``; such a note is answered all the same.

    unknown_share: share of its word pieces that the vocabulary lacks. English is told from other scripts only:
    another language in Latin letters is not noticed.
    """
    foreign = non_latin_share(note)
    if foreign > NON_LATIN_LIMIT:
        return f"{foreign:.0%} of the note's letters are not Latin: the encoder was trained on English."
    if unknown_share > UNKNOWN_LIMIT:
        return f"{unknown_share:.0%} of the note's word pieces are unknown to the encoder, which was trained on English."
    return ""


def _pattern(word: str) -> str:
    parts = [re.escape(part).replace(r"\*", _WORD) for part in word.split()]
    return r"\s+".join(parts)
