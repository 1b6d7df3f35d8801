"""MODEL_CARD.md: what a bundle is, what it may be used for, what it was measured to do, and where it fails.

Sections after Mitchell et al., *Model Cards for Model Reporting* (FAT* 2019).
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.export.card import tables as tables

NOT_A_DEVICE = (
    "**This is not a medical device.** It has not been cleared by any authority and must not be used to diagnose, "
    "to triage, to rule out disease or to decide on treatment."
)


@dataclass(frozen=True)
class CardFacts:
    """What a card speaks of: ``bundle.json`` without its file table, the run's ``dataset.json``, data terms, files."""

    document: Mapping
    dataset: Mapping
    data_terms: Sequence[Mapping]
    extra_text: str
    files: Mapping[str, Mapping]


def write_card(facts: CardFacts) -> str:
    """The whole card as Markdown."""
    sections = [_what, _use, _inputs, _figures, _sources, _data, _limits, _threshold, _parity, _files]
    return "\n\n".join(text for section in sections if (text := section(facts).strip())) + "\n"


def _what(facts: CardFacts) -> str:
    document = facts.document
    description = document["training"]["config"].get("description", "")
    trained = (
        "shared features learnt with adversarial training, which hides from them which modality a scan is"
        if document["variant"] == "adversarial" else "shared features learnt without adversarial training"
    )  # fmt: skip
    return f"""# {document["positive_class"]} on chest X-ray and CT: {document["variant"]} variant

{description}

From a chest X-ray, an axial CT slice, or both, this bundle computes the probability of **{document["positive_class"]}** against
{document["class_names"][0]}. Frozen image backbones feed trained embeddings (1280), a task-specific extractor (640) and a shared
extractor (640) for each modality, then a head for each modality and one for the pair. Variant: {trained}; validation chose it."""


def _use(facts: CardFacts) -> str:
    return f"""## Intended use

Research and teaching: to study multi-modal, multi-task learning on chest scans, and to see how far such scores can be trusted.

{NOT_A_DEVICE}

```
python run_pipeline.py predict --bundle BUNDLE --xray XRAY.png --ct CT.png
python run_pipeline.py predict --bundle BUNDLE --csv pairs.csv --out answers.csv
```

Either half of a pair may be left out. The second command reads the columns `id,xray,ct`."""


def _inputs(facts: CardFacts) -> str:
    rows = [
        [name, tables.TITLES[p["modality"]], f"{p['size']} × {p['size']}", ", ".join(p["operations"]) or "none"]
        for name, p in sorted(facts.document["profiles"].items())
    ]
    return f"""## Inputs

A frontal chest X-ray or one axial lung-window CT slice as PNG, JPEG, TIFF, BMP or DICOM; read as 8-bit gray. The
preprocessing below is applied by `predict`, exactly as in training; a graph's door takes gray values in [0, 1].

{tables.table(["profile", "modality", "size, px", "operations before resizing"], rows)}

CLAHE: clip 4.0, 8 × 8 tiles. Opening: 2 × 2. The resize stretches to a square."""


def _figures(facts: CardFacts) -> str:
    figures = facts.document["figures"]
    rows = figures["test_rows"] or {}
    sizes = "; ".join(
        f"{tables.TITLES[name]}: {entry['rows']} rows, {entry['positive']} positive" for name, entry in _ordered(rows)
    )
    parts = [
        "## Figures on the test part",
        f"{figures['basis'].capitalize()}. In brackets: 95 % bootstrap interval over patients"
        + ("; ± the standard deviation over seeds, that is the training's own noise." if figures["training_noise"] else ".")
        + (f" {sizes}." if sizes else ""),
        tables.metrics_table(figures["test"], figures["training_noise"]),
        "Pairs join scans that share a label, not scans of one patient, so either half alone gives a pair's label away. Read "
        "the paired column beside both single columns and beside the control, in which each X-ray keeps its label and is given "
        "a CT slice at random.",
    ]
    if figures["training_noise"]:
        parts.append("The weights in this bundle are one such training. Their own figures:")
        parts.append(tables.metrics_table(figures["shipped"], None))
    if figures["verdicts"]:
        parts += ["With against without adversarial training:", "\n".join(map(_verdict, figures["verdicts"]))]
    if figures["notes"]:
        parts.append("\n".join(f"- {note}" for note in figures["notes"]))
    return "\n\n".join(parts)


def _verdict(entry: Mapping) -> str:
    return f"- {tables.TITLES.get(entry['modality'], entry['modality'])}, {entry['b']} against {entry['a']}: {entry['sentence']}"


def _ordered(rows: Mapping[str, Mapping]) -> list[tuple[str, Mapping]]:
    return [(name, rows[name]) for name in tables.TITLES if name in rows]


def _sources(facts: CardFacts) -> str:
    sources = facts.document["figures"]["sources"]
    if not sources:
        return ""
    return f"""## By source, out of fold by patient

Every scan judged by a training that never saw its patient, threshold {facts.document["threshold"]}. A source whose
scans all carry one label can be recognised in place of the disease: many false positives in a look-alike source are the
sign of it.

{tables.sources_table(sources)}"""


def _data(facts: CardFacts) -> str:
    leakage = facts.dataset["leakage"]
    statement = (
        "**Leakage was allowed, so the scores above are flattered:** " + " ".join(leakage) if leakage
        else "No known patient and no identical image is on both sides of the split."
    )  # fmt: skip
    warnings = "\n".join(f"- {text}" for text in facts.document["training"]["warnings"])
    parts = [
        "## Data and their terms",
        facts.extra_text.strip(),
        tables.counts_table(facts.dataset["counts"]),
        tables.terms_table(facts.data_terms),
        "Terms are those that the data folder's own manifest states. No scan is part of this bundle. Weights learnt from scans "
        "under a non-commercial licence, or under none, are for research only.",
        f"{statement} {facts.dataset.get('unreadable', 0)} files could not be read.",
        f"Warnings of the run:\n\n{warnings}" if warnings else "",
    ]
    return "\n\n".join(part for part in parts if part)


def _limits(facts: CardFacts) -> str:
    return textwrap.dedent("""\
        ## Limits

        - Scans from other hospitals, machines, ages, projections or windowings than those above: unknown, likely worse.
        - The figures of one split of few patients: read the intervals, not the middle values.
        - Probabilities are not calibrated for any prevalence but that of the training part.
        - A CT answer speaks of one slice, not of a volume; an X-ray answer of frontal views.
        - The negative class holds only the conditions that the data hold; any other disease may be called either way.
        - Anything can be fed in: nothing here checks that a picture is a chest scan.""")


def _threshold(facts: CardFacts) -> str:
    threshold, positive = facts.document["threshold"], facts.document["positive_class"]
    return f"""## Threshold

Probability ≥ {threshold} is called {positive}: the middle, not tuned on any part of the data."""


def _parity(facts: CardFacts) -> str:
    parity = facts.document["parity"]
    precision = facts.document["stored_precision"]
    stored = (
        "Kernels were rounded to float16 before any figure was taken and are stored so; the graphs compute in float32 with the "
        "very same numbers, so the figures speak of what is shipped."
        if precision == "float16" else "Weights are stored in float32."
    )  # fmt: skip
    rows = [
        [name, check["against"], f"{check['rows']:,}", f"{check['max_difference']:.1e}"]
        for name, check in sorted(parity["checks"].items())
    ]
    return f"""## Parity with Keras

{stored} Largest difference {parity["keras_max_difference"]:.1e}, limit {parity["limit"]:.0e} (`{parity["measure"]}`).

{tables.table(["graph", "against", "rows", "difference"], rows)}"""


def _files(facts: CardFacts) -> str:
    return f"""## Files

ONNX, opset 17, any batch size; a file ending in `.gz` is compressed (gzip), losslessly. `bundle.json` describes them and carries
the hash of this card; every hash is checked on loading.
Keep the files together: a graph may read kernels from the `.bin` files beside it.

{tables.files_table(facts.files)}"""
