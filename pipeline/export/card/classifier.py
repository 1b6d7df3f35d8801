"""MODEL_CARD.md of a classifier: what it is, what it was measured to do, on whose scans, and where it fails.

Sections after Mitchell et al., *Model Cards for Model Reporting* (FAT* 2019).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.export.card import tables as tables
from pipeline.export.card.data import data_section, shown_interval
from pipeline.export.card.facts import NOT_A_DEVICE, Card, parity_section, write_sections

PARTS = {
    "test": "test part, the weights in this bundle",
    "folds": "out of fold, all scans, a head trained anew for each fold",
    "validation": "validation (what was chosen, was chosen on it)",
}
METRICS = {
    "accuracy": "accuracy", "balanced_accuracy": "balanced accuracy", "macro_f1": "macro F1", "macro_auc": "AUC (macro)",
    "macro_average_precision": "average precision (macro)", "cohen_kappa": "Cohen's kappa", "mcc": "Matthews correlation",
    "brier": "Brier score (lower is better)",
}  # fmt: skip
CLASS_COLUMNS = {
    "sensitivity": "sensitivity", "specificity": "specificity", "precision": "precision", "f1": "F1", "auc": "AUC",
}  # fmt: skip


def write_classifier_card(card: Card) -> str:
    """The whole card as Markdown."""
    return write_sections(card, [_what, _use, _inputs, _figures, _data, _limits, _parity, _files])


def _what(card: Card) -> str:
    document = card.document
    names = ", ".join(f"**{name}**" for name in document["class_names"])
    return f"""# {" / ".join(document["class_names"])} on chest X-rays: {document["backbone"]}

From a frontal chest X-ray this bundle tells {len(document["class_names"])} classes apart: {names}. One convolutional network
with a head on its mean feature maps.

{document["training"]["config"].get("description", "")}"""


def _use(card: Card) -> str:
    return f"""## Intended use

Research and teaching: a baseline, and a study of how far such scores and heat maps can be trusted.

{NOT_A_DEVICE}

```
python run_pipeline.py classify --bundle BUNDLE IMAGE... --out FOLDER --gradcam
python run_pipeline.py evaluate --bundle BUNDLE --data FOLDER --out FOLDER
```"""


def _inputs(card: Card) -> str:
    document = card.document
    profile = document["profile"]
    operations = ", ".join(profile["operations"]) or "none"
    return f"""## Inputs and decision

A frontal chest X-ray as PNG, JPEG, TIFF, BMP or DICOM, read as 8-bit gray. Operations before resizing: {operations}. The
resize stretches to {profile["size"]} × {profile["size"]}; the network takes gray / 255.

{_decision(document)}"""


def _decision(document: Mapping[str, Any]) -> str:
    positive = document["positive_class"]
    if positive is None:
        return "The class with the largest probability is named."
    chosen = f"; the rule `{document['threshold_rule']}` chose that on validation rows" if document["threshold_rule"] else ""
    return f"**{positive}** is named from probability {document['threshold']:.4g} on{chosen}."


def _figures(card: Card) -> str:
    figures = card.document["figures"]
    parts = {name: figures[name] for name in [*PARTS, *figures] if figures.get(name, {}).get("metrics")}
    if not parts:
        return "## Figures\n\n**The run recorded none.**"
    names = list(dict.fromkeys(name for part in parts.values() for name in part["metrics"] if name in METRICS))
    rows = [[METRICS[name], *(shown_interval(part["metrics"].get(name)) for part in parts.values())] for name in names]
    sizes = [f"{PARTS.get(name, name)}: {part['rows']} scans, {part['patients']} patients" for name, part in parts.items()]
    return f"""## Figures

In brackets: 95 % bootstrap interval over patients. {"; ".join(sizes)}.

{tables.table(["metric", *(PARTS.get(name, name) for name in parts)], rows)}

{_class_tables(parts, card.document["class_names"])}"""


def _class_tables(parts: Mapping[str, Mapping], class_names: Sequence[str]) -> str:
    said = []
    for name, part in parts.items():
        per_class = part["metrics"].get("per_class", {})
        known = [label for label in class_names if label in per_class]
        rows = [[label, *(shown_interval(per_class[label].get(column)) for column in CLASS_COLUMNS)] for label in known]
        if rows and name != "validation":
            said.append(f"{PARTS.get(name, name)}, each class against the rest:\n\n"
                        + tables.table(["class", *CLASS_COLUMNS.values()], rows))  # fmt: skip
    return "\n\n".join(said)


def _data(card: Card) -> str:
    return data_section(card)


def _limits(card: Card) -> str:
    taps = card.document["network"]["taps"]
    inner = (
        f"\n- The head also reads the pooled maps of {len(taps)} inner layers. A heat map shows what the last map contributes, "
        "not what those do." if taps else ""
    )  # fmt: skip
    return f"""## Limits

- Scans from other hospitals, machines, ages or projections than those above: unknown, likely worse.
- Where all scans of one class come from one source, the answer may be the source's, not the disease's.
- The classes are the only answers it has; any other disease is called one of them.
- Probabilities are not calibrated for any prevalence but that of the training part.
- A heat map shows where the evidence was, not that it was sound: `classify --lungs` tells its share in the lungs.{inner}"""


def _parity(card: Card) -> str:
    return parity_section(
        card, ["output, pictures", "difference"],
        "Kernels are float16 numbers, stored so; the graph computes in float32 with the very same numbers.",
    )  # fmt: skip


def _files(card: Card) -> str:
    return f"""## Files

ONNX, opset {card.document["network"]["opset"]}, any batch size. `image` (B, S, S, 1) float32 in [0, 1] gives `classification`
(B, K) logits, `features` (B, F), `feature_maps` (B, h, w, C) and `class_activation_gradients` (B, K, C): the gradient of each
logit with respect to the mean of each feature map, from which Grad-CAM is made without TensorFlow. `bundle.json` describes
the files and carries the hash of this card; every hash is checked on loading.

{tables.files_table(card.files)}"""
