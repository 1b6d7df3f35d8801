"""The report of a comparison: what was found, how sure it is, and what would make it untrue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipeline.engine.interval_text import interval_text
from pipeline.evaluation.comparison.text import comparison_table


def significance_report(
    document: Mapping, sources: Sequence[Mapping], dataset: Mapping, alignment: Mapping[str, Mapping]
) -> str:
    """Markdown: the chosen variant, tables, tests, verdicts, sources, and the cautions that belong to them."""
    parts = [
        "# With and without adversarial training",
        f"Positive class: {dataset['positive_class']}. Validation chose **{document['chosen']}**; "
        "no choice of this run used the test part.",
        _leakage(dataset),
        comparison_table(dict(document)).strip(),
        _alignment(alignment),
        _sources(sources),
        _cautions(),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _leakage(dataset: Mapping) -> str:
    found = dataset["leakage"]
    if not found:
        return "No patient and no identical image is on both sides of the split."
    return "**LEAKAGE was allowed, so these scores are flattered:** " + " ".join(found)


def _alignment(alignment: Mapping[str, Mapping]) -> str:
    lines = ["## Did the modalities align?", "",
             "A fresh linear probe tells X-ray from CT on validation patients; 0.5 would mean that nothing tells them apart.", "",
             "| features | balanced accuracy | AUC |", "|---|---|---|"]  # fmt: skip
    for name, probe in alignment.items():
        cells = [interval_text(probe[m]) for m in ("balanced_accuracy", "auc")]
        lines.append(f"| {name} | {cells[0]} | {cells[1]} |")
    return "\n".join(lines)


def _sources(sources: Sequence[Mapping]) -> str:
    lines = ["## By source, out of fold by patient", "", "| variant | modality | source | false positives | sensitivity |",
             "|---|---|---|---|---|"]  # fmt: skip
    for entry in sources:
        cells = (_rate(entry["false_positive_rate"]), _rate(entry["sensitivity"]))
        lines.append(
            f"| {entry['variant']} | {entry['modality']} | {entry['source'] or 'unnamed'} | {cells[0]} | {cells[1]} |"
        )
    return "\n".join(lines)


def _rate(rate: Mapping | None) -> str:
    if rate is None:
        return "no such scan"
    return f"{interval_text(rate, 1, percent=True)} of {rate['n']} ({rate['patients']} patients)"


def _cautions() -> str:
    return (
        "## How to read this\n\n"
        "- Pairs are drawn by label, since no patient here is known to have both scans: a pair reveals its label through "
        "either half. Read the paired scores beside both single-modality scores and `shuffled_pairs`, where the CT half is "
        "dealt anew.\n"
        "- A source whose scans all carry one label can be recognised instead of the disease: the false-positive rate by "
        "source shows how often that happens.\n"
        "- Training noise is the spread over seeds on one split; intervals speak of new patients."
    )
