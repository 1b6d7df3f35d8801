"""The report of a comparison: what was found, how sure it is, and what would make it untrue."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from pipeline.data.scans import PAIRED
from pipeline.engine.interval_text import interval_text
from pipeline.evaluation.comparison.alignment_words import PROBE_TITLES, alignment_sentence
from pipeline.evaluation.comparison.text import comparison_table
from pipeline.evaluation.comparison.words import choice_words, sentence
from pipeline.evaluation.figures.modality_titles import title_of
from pipeline.evaluation.tables.text_grid import text_grid


def significance_report(
    document: Mapping, sources: Sequence[Mapping], dataset: Mapping, alignment: Mapping[str, Mapping],
    over_seeds: Mapping[str, Mapping[str, Mapping]],
) -> str:  # fmt: skip
    """Markdown: the chosen variant, tables, tests, verdicts, sources, and the cautions that belong to them."""
    arms, chosen = document["arms"], f"**{document['chosen']}**"
    parts = [
        "# With and without adversarial training" if len(arms) > 1 else f"# Metrics of the {document['chosen']} variant",
        f"{_classes(dataset)} {sentence(choice_words(arms, chosen))}; "
        "no choice of this run used the test part.",
        _leakage(dataset),
        comparison_table(dict(document)).strip(),
        _alignment(alignment, over_seeds) if over_seeds else "",
        _sources(sources),
        _cautions(document["modalities"]),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _classes(dataset: Mapping) -> str:
    names, positive = dataset["class_names"], dataset["positive_class"]
    if len(names) == 2:
        return f"Positive class: {positive}."
    return f"Classes: {', '.join(names)}; the most probable one is named."


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
        "What it costs: AUC of the diagnosis that each extractor itself makes, without the heads, on validation.", "",
        *_diagnosis_table(_reading(over_seeds, "diagnosis")),
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


def _diagnosis_table(made: Mapping[str, Mapping]) -> list[str]:
    modalities = list(next(iter(made.values())))
    lines = [f"| features | {' | '.join(map(title_of, modalities))} |", "|---|" + "---|" * len(modalities)]
    lines += [f"| {name} | {' | '.join(interval_text(mine[m]) for m in modalities)} |" for name, mine in made.items()]
    return [*lines, ""]


def _sources(sources: Sequence[Mapping]) -> str:
    columns = ["variant", "modality", "source", *(rate_columns(sources[0]) if sources else ())]
    rows = [
        [entry["variant"], title_of(entry["modality"]), entry["source"] or "unnamed", *map(_rate, source_rates_of(entry))]
        for entry in sources
    ]
    return f"## By source, out of fold by patient\n\n{text_grid(columns, rows)}"


def rate_columns(entry: Mapping) -> list[str]:
    """What the rates of a source are, in words: see `source_rates`."""
    if "sensitivity_of" in entry:
        return [f"sensitivity of {name}" for name in entry["sensitivity_of"]]
    return ["false positives", "sensitivity"]


def source_rates_of(entry: Mapping) -> list[Mapping | None]:
    """The rates of a source, in the order of `rate_columns`."""
    if "sensitivity_of" in entry:
        return list(entry["sensitivity_of"].values())
    return [entry["false_positive_rate"], entry["sensitivity"]]


def _rate(rate: Mapping | None) -> str:
    if rate is None:
        return "no such scan"
    return f"{interval_text(rate, 1, percent=True)} of {rate['n']} ({rate['patients']} patients)"


def _cautions(modalities: Collection[str]) -> str:
    pairs = (
        "- Pairs are drawn by label, since no patient here is known to have both scans: a pair reveals its label through "
        "either half. Read the paired scores beside both single-modality scores and `shuffled_pairs`, where the CT half is "
        "dealt anew.\n"
    )
    return (
        f"## How to read this\n\n{pairs if PAIRED in modalities else ''}"
        "- A source whose scans all carry one label can be recognised instead of the disease: the rates by "
        "source show how often that happens.\n"
        "- Training noise is the spread over seeds on one split; intervals speak of new patients."
    )
