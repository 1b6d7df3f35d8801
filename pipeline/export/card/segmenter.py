"""MODEL_CARD.md of a segmenter: what it is, what it was measured to do, on whose scans, and where it fails.

Sections after Mitchell et al., *Model Cards for Model Reporting* (FAT* 2019).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.export.card import tables as tables
from pipeline.export.card.data import data_section, shown_interval
from pipeline.export.card.facts import NOT_A_DEVICE, Card, parity_section, write_sections


def write_segmenter_card(card: Card) -> str:
    """The whole card as Markdown."""
    return write_sections(card, [_what, _use, _inputs, _figures, _data, _gate, _limits, _parity, _files])


def _what(card: Card) -> str:
    document = card.document
    origin = document["training"].get("imported_from")
    made = (
        f"Its weights were imported from {', '.join(f'`{name}` (SHA-256 `{digest}`)' for name, digest in origin.items())}."
        if origin else document["training"]["config"].get("description", "")
    )  # fmt: skip
    return f"""# Lungs and diagnosis on chest X-rays: multi-head UNet

From a frontal chest X-ray this bundle outlines the lungs and tells {len(document["class_names"])} classes apart:
{", ".join(f"**{name}**" for name in document["class_names"])}. MONAI's residual UNet (channels 32 to 512) with a segmentation
head and a classification head on its decoded features.

{made}"""


def _use(card: Card) -> str:
    return f"""## Intended use

Research and teaching: lung masks for other analyses, and a study of how far such scores can be trusted.

{NOT_A_DEVICE}

```
python run_pipeline.py segment --bundle BUNDLE IMAGE... --out FOLDER
python run_pipeline.py evaluate --bundle BUNDLE --data FOLDER --out FOLDER
```"""


def _inputs(card: Card) -> str:
    document = card.document
    operations = ", ".join(document["profile"]["operations"]) or "none"
    return f"""## Inputs

A frontal chest X-ray as PNG, JPEG, TIFF, BMP or DICOM, read as 8-bit gray. Operations before resizing: {operations}. The
resize stretches to {document["image_size"]} × {document["image_size"]}; gray / 255 is repeated to three channels.
A pixel counts as lung from probability {document["threshold"]} on, after the map was resized back to the image's own size.
{_afterwards(document)}""".rstrip()


def _afterwards(document: Mapping[str, Any]) -> str:
    """What is done with the network's answers."""
    said = {
        "Of that region the two largest pieces are kept, their holes filled.": document["lung_pieces"] == "two_largest",
        "Map and logits are means over the image and its mirror image.": document["mirror_average"],
    }
    return "\n".join(sentence for sentence, holds in said.items() if holds)


def _figures(card: Card) -> str:
    rows = [[name, shown_interval(entry)] for name, entry in _intervals(card.document["figures"])]
    if not rows:
        return "## Figures on the test part\n\n**None: these weights were not evaluated here.**"
    return f"""## Figures on the test part

Of the very weights in this bundle. In brackets: 95 % bootstrap interval over patients.

{tables.table(["metric", "value"], rows)}"""


def _intervals(figures: Any, place: str = "") -> Iterator[tuple[str, Mapping]]:
    """Every ``{value, low, high}`` of nested figures, by its dotted place."""
    if not isinstance(figures, Mapping):
        return
    if {"value", "low", "high"} <= set(figures):
        yield place, figures
        return
    for name, inner in figures.items():
        yield from _intervals(inner, f"{place}.{name}" if place else str(name))


def _data(card: Card) -> str:
    if not card.dataset:
        return "\n\n".join(filter(None, [
            "## Data and their terms",
            card.extra_text.strip(),
            "A checkpoint does not say what it was trained on: ask whoever gave it, before it is passed on.",
        ]))  # fmt: skip
    return data_section(card)


def _gate(card: Card) -> str:
    if card.document.get("gate") is None:
        return "## X-ray gate\n\nNone: anything can be fed in, and nothing here checks that a picture is a chest X-ray."
    return """## X-ray gate

A picture that does not look like the training X-rays is refused by its embedding's distance from them, before it is
segmented. `--no-gate` skips it; `--strict` lets the nine simple checks decide."""


def _limits(card: Card) -> str:
    return """## Limits

- Scans from other hospitals, machines, ages or projections than those above: unknown, likely worse.
- Where all scans of one class come from one source, the diagnosis may be the source's, not the disease's.
- The classes are the only answers it has; any other disease is called one of them.
- Probabilities are not calibrated for any prevalence but that of the training part.
- Ratios read off the masks imitate clinical ones; the heart itself is not outlined."""


def _parity(card: Card) -> str:
    return parity_section(
        card, ["output, images, against", "difference"],
        "Kernels are float16 numbers, stored so; the graph computes in float32 with the very same numbers.",
    )  # fmt: skip


def _files(card: Card) -> str:
    network = card.document["network"]
    return f"""## Files

ONNX, opset {network["opset"]}, {network["layout"]} at its doors, any batch size. `bundle.json` describes them and carries the
hash of this card; every hash is checked on loading.

{tables.files_table(card.files)}"""
