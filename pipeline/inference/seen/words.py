"""What is said of a scan that a bundle has seen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pipeline.data.scans import TRAIN, VALID

# What a scan is to a bundle, by the part of the split that it was in: the strongest first.
TRAINED_ON, CHOSEN_ON, UNSEEN = "trained on", "chosen on", "no"
PARTS = {TRAIN: TRAINED_ON, VALID: CHOSEN_ON}
TOLD = (TRAINED_ON, CHOSEN_ON)
WARNINGS = {
    TRAINED_ON: "the bundle was trained on this scan: the answer does not show how it does on new ones.",
    CHOSEN_ON: "this scan was in the validation part by which the bundle was chosen: the answer flatters it.",
}
UNKNOWN = "The bundle does not say which scans it learnt from: these may be among them (bundle amend --section seen tells it)."


def strongest(words: Iterable[str | None]) -> str | None:
    """What several scans are together: seen as soon as one is; None where nothing is known."""
    known = set(words)
    return next((word for word in (*TOLD, UNSEEN) if word in known), None)


def keyed(word: str) -> str:
    """How documents call one of TOLD: `trained_on`, `chosen_on`."""
    return word.replace(" ", "_")


def seen_words(seen: Mapping[str, int] | None, count: int, what: str) -> str:
    """How many of `count` images, pairs, … the bundle has seen; seen: {"trained_on", "chosen_on"}, None where it does not say."""
    if seen is None:
        return UNKNOWN
    trained, chosen = (seen[keyed(word)] for word in TOLD)
    if not trained + chosen:
        return f"None of the {count} {what} is one that the bundle learnt from."
    return f"The bundle has seen {trained + chosen} of the {count} {what}: {trained} in training, {chosen} in validation."
