"""The report of a vision-and-text comparison: what was found, how sure it is, and what was masked."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.engine.interval_text import interval_text
from pipeline.evaluation.comparison.text import comparison_table
from pipeline.evaluation.comparison.words import choice_words, sentence
from pipeline.training.vision_text.settings import CHOOSING_SEEDS

MASKED_SHOWN = 30
AUDITED_ELSEWHERE = (
    "## What the notes give away\n\nStage s10 audits the notes: their length, their presence, the words that are left over. "
    "Read its report beside these figures."
)


def fusion_summary(
    document: Mapping, withheld: Mapping, recipe: Mapping, masked: Mapping[str, int], dataset: Mapping
) -> str:
    """Markdown of everything that a reader needs to judge the comparison."""
    negative, positive = recipe["class_names"]
    rows, patients, settings = recipe["rows"], recipe["patients"], recipe["settings"]
    repeats = "once" if settings["repeats"] == 1 else f"{settings['repeats']} times"
    parts = [
        "# Vision with text",
        f"{positive} ({rows[positive]} scans, {patients[positive]} patients) against {negative} ({rows[negative]} scans, "
        f"{patients[negative]} patients). Every row was judged out of fold: {settings['folds']} folds by patient, dealt "
        f"{repeats}; all arms had the same folds. Early stopping used patients of neither fold nor test.",
        _leakage(dataset),
        "## Is a fusion better than both of its halves?\n\n"
        + "\n".join(f"- {entry['sentence']}." for entry in document["better_than_both"]),
        comparison_table(dict(document)).strip(),
        _withheld(withheld),
        AUDITED_ELSEWHERE,
        _masked(masked),
        _stored(recipe),
        _cautions(),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _leakage(dataset: Mapping) -> str:
    found = dataset["leakage"]
    return "**LEAKAGE was allowed, so these scores are flattered:** " + " ".join(found) if found else ""


def _withheld(withheld: Mapping) -> str:
    lines = ["## With one half missing", "", "AUC of the same networks where a half is withheld from every test row.", "",
             "| arm | note missing | image missing |", "|---|---|---|"]  # fmt: skip
    halves = {arm: [interval_text(withheld[half][arm]) for half in ("note", "image")] for arm in withheld["note"]}
    lines += [f"| {arm} | {' | '.join(cells)} |" for arm, cells in halves.items()]
    return "\n".join(lines)


def _masked(masked: Mapping[str, int]) -> str:
    shown = ", ".join(f"{word} ({count})" for word, count in list(masked.items())[:MASKED_SHOWN])
    more = f" and {len(masked) - MASKED_SHOWN} more" if len(masked) > MASKED_SHOWN else ""
    return f"## What was masked\n\n{shown or 'nothing'}{more}. masked_notes.csv shows it note by note."


def _stored(recipe: Mapping) -> str:
    candidates, chosen = recipe["chosen_by"]["mean_validation_auc"], f"**{recipe['chosen']}**"
    scores = ", ".join(f"{arm} {score:.3f}" for arm, score in candidates.items())
    test = recipe["stored_test"]
    return (
        f"## The stored network\n\n{sentence(choice_words(candidates, chosen, 'fusion'))}; AUC on the validation part of s01's "
        f"split, mean of {CHOOSING_SEEDS} trainings: {scores}. "
        f"On that split's test part ({recipe['stored_rows']['test']} scans): AUC {interval_text(test['auc'])}, "
        f"balanced accuracy {interval_text(test['balanced_accuracy'])}. The folds above say more than these few scans."
    )


def _cautions() -> str:
    return (
        "## How to read this\n\n"
        "- A note is written by someone who knew or suspected the diagnosis: what is left after masking still tells of it. "
        "Compare the probe of words with the text arm before calling a score a finding in the lungs.\n"
        "- The notes are captions of published cases, one style a journal or collection, and a collection often holds one "
        "class only.\n"
        "- Better than both halves is claimed only where an arm beats each half, adjusted for all planned tests."
    )
