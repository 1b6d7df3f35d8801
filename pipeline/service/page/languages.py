"""The page's languages: its templates are written in English, a table has the same sentences in German."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

ENGLISH, GERMAN = "en", "de"
TABLES = Path(__file__).parent / "templates"


class Words:
    """The sentences of one language. Called as `t` in templates."""

    def __init__(self, language: str, table: Mapping[str, str]) -> None:
        self.language, self._table = language, table

    def __call__(self, sentence: str, **filled: object) -> str:
        """The sentence in this language, its {places} filled; in English where the table has none."""
        said = self._table.get(sentence, sentence)
        return said.format(**filled) if filled else said


@lru_cache(2)
def words_of(language: str) -> Words:
    """ENGLISH or GERMAN."""
    return Words(language, _german() if language == GERMAN else {})


def language_of(accepted: str) -> str:
    """The language that an Accept-Language header prefers of those that there are; ENGLISH where it names neither."""
    best, language = 0.0, ENGLISH
    for part in accepted.split(","):
        name, _, weight = part.partition(";")
        known = name.strip().lower().partition("-")[0]
        share = _share(weight)
        if known in (ENGLISH, GERMAN) and share > best:
            best, language = share, known
    return language


def _share(weight: str) -> float:
    """Of `q=0.8`; 1 where nothing is said, 0 for what is no number."""
    name, _, value = weight.strip().partition("=")
    if not name:
        return 1.0
    try:
        return float(value) if name.strip() == "q" else 0.0
    except ValueError:
        return 0.0


def _german() -> dict[str, str]:
    table: dict[str, str] = json.loads((TABLES / "german.json").read_text(encoding="utf-8"))
    return table
