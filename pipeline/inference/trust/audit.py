"""What was found out against a bundle: its section `audit`."""

from __future__ import annotations

from pydantic import Field

from pipeline.inference.bundle import Entry, Section

SECTION = "audit"


class Shortcut(Entry):
    """Something other than the disease that an answer may rest on.

    sentence: for people, with its figure. modalities: whose answers it speaks of ("xray", "ct", "paired"); () for all. source:
    where the figure stands.
    """

    sentence: str = Field(min_length=1)
    modalities: tuple[str, ...] = ()
    source: str = ""


class AuditSection(Section):
    """What was found out against a bundle: section `audit`."""

    shortcuts: tuple[Shortcut, ...] = ()
