"""Words of tables and folders for modalities and classes, compared without case and blanks."""

from __future__ import annotations

import re
from collections.abc import Iterable

_WHOLE = re.compile(r"(\d+)\.0+")


def folded(word: str) -> str:
    """What of a word is compared: `Non COVID` and `noncovid` are one."""
    return "".join(word.casefold().split())


def same_word(word: str, known: Iterable[str]) -> str:
    """The one of the known words that this word is; the word as it stands where it is none, or could be two."""
    known = list(known)
    if word in known:
        return word
    alike = {each for each in known if folded(each) == folded(word)}
    return alike.pop() if len(alike) == 1 else word


def whole_number(text: str) -> str:
    """`7` of `7.0`, as programs write a column of whole numbers in which one is missing; any other text as it is."""
    found = _WHOLE.fullmatch(text)
    return found[1] if found else text


class Spellings:
    """One spelling for each word: the first that was met of those that are the same without case and blanks."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        self._first = {folded(word): word for word in known}

    def of(self, word: str) -> str:
        return self._first.setdefault(folded(word), word)


SPLIT_WORDS = {
    "train": "train", "training": "train", "val": "valid", "valid": "valid", "validation": "valid", "test": "test",
    "testing": "test", "holdout": "test",
}  # fmt: skip
MODALITY_WORDS = {
    "xray": "xray", "xrays": "xray", "cxr": "xray", "cr": "xray", "dx": "xray", "radiograph": "xray", "radiography": "xray",
    "ct": "ct", "ctscan": "ct",
}  # fmt: skip


def meaning_of(word: str, words: dict[str, str]) -> str | None:
    """What a word for a split or a modality means, whatever its case, blanks, dashes and underscores; None where nothing."""
    return words.get("".join(character for character in word.casefold() if character.isalnum()))
