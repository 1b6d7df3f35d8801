"""Ids of patients as tables write them, and the words that mean "nobody knows"."""

from __future__ import annotations

# Compared without case and blanks. "0" is an id: tables count from it, and scans that share an id stay on one side of a split,
# which is the safe mistake of the two.
MISSING_WORDS = frozenset({
    "", "na", "n/a", "#n/a", "n.a.", "nan", "<na>", "none", "null", "nil", "nd", "-", "--", "---", "?", "??", ".",
    "unknown", "unk", "missing", "notavailable", "notknown", "anonymous", "anonymized", "anonymised",
})  # fmt: skip


def known_patient(text: str) -> str:
    """The id, stripped; "" where it is missing, however that is written (see MISSING_WORDS)."""
    stripped = text.strip()
    return "" if "".join(stripped.casefold().split()) in MISSING_WORDS else stripped
