"""The report of a comparison: what was found, how sure it is, and what would make it untrue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipeline.engine.interval_text import interval_text
from pipeline.evaluation.comparison.alignment_words import PROBE_TITLES, alignment_sentence
from pipeline.evaluation.comparison.text import comparison_table
from pipeline.evaluation.comparison.words import choice_words, sentence
from pipeline.evaluation.figures.modality_titles import title_of


def significance_report(
    document: Mapping, sources: Sequence[Mapping], dataset: Mapping, alignment: Mapping[str, Mapping],
    over_seeds: Mapping[str, Mapping[str, Mapping]],
) -> str:  # fmt: skip
    """Markdown: the chosen variant, tables, tests, verdicts, sources, and the cautions that belong to them."""
    arms, chosen = document["arms"], f"**{document['chosen']}**"
    parts = [
        "# With and without adversarial training" if len(arms) > 1 else f"# Metrics of the {document['chosen']} variant",
        f"Positive class: {dataset['positive_class']}. {sentence(choice_words(arms, chosen))}; "
        "no choice of this run used the test part.",
        _leakage(dataset),
        comparison_table(dict(document)).strip(),
        _alignment(alignment, over_seeds),
        _sources(sources),
        _cautions(),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _leakage(dataset: Mapping) -> str:
    found = dataset["leakage"]
    if not found:
        return "No patient and no identical image is on both sides of the split."
    return "**LEAKAGE was allowed, so these scores are flattered:** " + " ".join(found)


def _alignment(alignment: Mapping[str, Mapping], over_seeds: Mapping[str, Mapping[str, Mapping]]) -> str:
    valid = {"raw": alignment["raw"], **_reading(over_seeds, "valid")}
    by_modality = _reading(over_seeds, "valid_by_modality")
    floor = next(iter(by_modality.values()))["floor"]
    lines = [
        "## Does the modality still show in the features?", "",
        "Three fresh probes tell X-ray from CT, each cell of modality × label weighing alike, cross-fitted by patient: balanced "
        "accuracy, where 0.5 is chance. Validation patients; `raw` of the one training of s04, the others means over the "
        "trainings here.", "",
        *_probe_table(valid),
        *(f"- {alignment_sentence(valid, variant)}" for variant in over_seeds), "",
        f"The modalities weighing alike whatever the label, which alone tells {floor:.3f}:", "",
        *_probe_table(by_modality),
        "The test part, stated once:", "",
        *_probe_table(_reading(over_seeds, "test")),
    ]  # fmt: skip
    return "\n".join(lines).rstrip()


def _reading(over_seeds: Mapping[str, Mapping[str, Mapping]], name: str) -> dict[str, Mapping]:
    return {variant: readings[name] for variant, readings in over_seeds.items()}


def _probe_table(scores: Mapping[str, Mapping]) -> list[str]:
    titles = " | ".join(PROBE_TITLES.values())
    lines = [f"| features | {titles} |", "|---|" + "---|" * len(PROBE_TITLES)]
    for name, mine in scores.items():
        cells = " | ".join(interval_text(mine["probes"][probe]["balanced_accuracy"]) for probe in PROBE_TITLES)
        lines.append(f"| {name} | {cells} |")
    return [*lines, ""]


def _sources(sources: Sequence[Mapping]) -> str:
    lines = ["## By source, out of fold by patient", "", "| variant | modality | source | false positives | sensitivity |",
             "|---|---|---|---|---|"]  # fmt: skip
    for entry in sources:
        cells = (_rate(entry["false_positive_rate"]), _rate(entry["sensitivity"]))
        lines.append(
            f"| {entry['variant']} | {title_of(entry['modality'])} | {entry['source'] or 'unnamed'} | {cells[0]} | {cells[1]} |"
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
