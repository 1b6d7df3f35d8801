"""The words that an option may have."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


def choices(name: str, words: Iterable[str]) -> type[StrEnum]:
    """An enumeration of the words that an option may have, as Typer asks for it."""
    return StrEnum(name, {word.upper(): word for word in words})
