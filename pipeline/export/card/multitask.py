"""MODEL_CARD.md: what a bundle is, what it may be used for, what it was measured to do, and where it fails.

Sections after Mitchell et al., *Model Cards for Model Reporting* (FAT* 2019).
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

from pipeline.export.card import tables as tables
from pipeline.export.card.data import data_section
from pipeline.export.card.facts import NOT_A_DEVICE, Card, parity_section, write_sections


def write_card(facts: Card) -> str:
    """The whole card as Markdown."""
    return write_sections(facts, [_what, _use, _inputs, _figures, _sources, _data, _limits, _threshold, _parity, _files])


def _what(facts: Card) -> str:
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


def _use(facts: Card) -> str:
    return f"""## Intended use

Research and teaching: to study multi-modal, multi-task learning on chest scans, and to see how far such scores can be trusted.

{NOT_A_DEVICE}

```
python run_pipeline.py predict --bundle BUNDLE --xray XRAY.png --ct CT.png
python run_pipeline.py predict --bundle BUNDLE --csv pairs.csv --out answers.csv
```

Either half of a pair may be left out. The second command reads the columns `id,xray,ct`."""


def _inputs(facts: Card) -> str:
    rows = [
        [name, tables.TITLES[p["modality"]], f"{p['size']} × {p['size']}", ", ".join(p["operations"]) or "none"]
        for name, p in sorted(facts.document["profiles"].items())
    ]
    return f"""## Inputs

A frontal chest X-ray or one axial lung-window CT slice as PNG, JPEG, TIFF, BMP or DICOM; read as 8-bit gray. The
preprocessing below is applied by `predict`, exactly as in training; a graph's door takes gray values in [0, 1].

{tables.table(["profile", "modality", "size, px", "operations before resizing"], rows)}

CLAHE: clip 4.0, 8 × 8 tiles. Opening: 2 × 2. The resize stretches to a square."""


def _figures(facts: Card) -> str:
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


def _sources(facts: Card) -> str:
    sources = facts.document["figures"]["sources"]
    if not sources:
        return ""
    return f"""## By source, out of fold by patient

Every scan judged by a training that never saw its patient, threshold {facts.document["threshold"]}. A source whose
scans all carry one label can be recognised in place of the disease: many false positives in a look-alike source are the
sign of it.

{tables.sources_table(sources)}"""


def _data(facts: Card) -> str:
    unread = f" {facts.dataset.get('unreadable', 0)} files could not be read."
    return data_section(facts, unread)


def _limits(facts: Card) -> str:
    return textwrap.dedent("""\
        ## Limits

        - Scans from other hospitals, machines, ages, projections or windowings than those above: unknown, likely worse.
        - The figures of one split of few patients: read the intervals, not the middle values.
        - Probabilities are not calibrated for any prevalence but that of the training part.
        - A CT answer speaks of one slice, not of a volume; an X-ray answer of frontal views.
        - The negative class holds only the conditions that the data hold; any other disease may be called either way.
        - Anything can be fed in: nothing here checks that a picture is a chest scan.""")


def _threshold(facts: Card) -> str:
    threshold, positive = facts.document["threshold"], facts.document["positive_class"]
    return f"""## Threshold

Probability ≥ {threshold} is called {positive}: the middle, not tuned on any part of the data."""


def _parity(facts: Card) -> str:
    rounded = (
        "Kernels were rounded to float16 before any figure was taken and are stored so; the graphs compute in float32 with the "
        "very same numbers, so the figures speak of what is shipped."
    )
    return parity_section(facts, ["graph", "against", "rows", "difference"], rounded, detailed=True)


def _files(facts: Card) -> str:
    return f"""## Files

ONNX, opset 17, any batch size; a file ending in `.gz` is compressed (gzip), losslessly. `bundle.json` describes them and carries
the hash of this card; every hash is checked on loading.
Keep the files together: a graph may read kernels from the `.bin` files beside it.

{tables.files_table(facts.files)}"""
