"""The audit of a run's notes for people: what length, presence and words tell of the class, without any image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipeline.engine.interval_text import interval_text

SEVERITIES = {
    "unmasked": "as written",
    "masked": "diagnosis words masked (what the arms read)",
    "strict": "place, time and drugs masked too",
}


def note_audit_summary(audit: Mapping, class_names: Sequence[str]) -> str:
    """Markdown of ``note_audit.json``; class_names: negative and positive."""
    negative, positive = class_names
    lines = ["# What the notes give away", "",
             "Probes on the same folds, no image: logistic regression on words (TF-IDF) and on the mean embedding.", "",
             "| probe | AUC | AUC of the embedding |", "|---|---|---|"]  # fmt: skip
    for name, meaning in SEVERITIES.items():
        cells = [interval_text(audit["notes"][name][probe]["auc"]) for probe in ("words", "embedding")]
        lines.append(f"| words, {meaning} | {' | '.join(cells)} |")
    lines += [f"| length of the note alone | {interval_text(audit['length']['auc'])} | |",
              f"| number of masked words alone | {interval_text(audit['masked_count']['auc'])} | |",
              f"| presence of a note, all {audit['presence']['rows']} scans | "
              f"{interval_text(audit['presence']['auc'])} | |"]  # fmt: skip
    shares, touched = audit["presence"]["share"], audit["masked_share"]
    lines += [
        "",
        f"A note is there for {shares['positive']:.0%} of {positive} and {shares['negative']:.0%} of {negative}. "
        f"A word was masked in {touched['positive']:.0%} and {touched['negative']:.0%} of the compared notes.",
        "",
    ]
    for name in ("masked", "strict"):
        top = audit["notes"][name]["words"]["top_words"]
        lines.append(f"- {SEVERITIES[name]}, words towards {positive}: {', '.join(top['positive'])}")
        lines.append(f"- {SEVERITIES[name]}, words towards {negative}: {', '.join(top['negative'])}")
    return "\n".join(lines) + "\n"
