"""Answers as words for people and as JSON for scripts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.engine.interval_text import interval_text
from pipeline.inference.answers import CAUTION, TITLES, Answer, Finding
from pipeline.inference.multitask.bundle import MultitaskBundle

PHANTOM = (
    "No scan was given: these are answers for a generated {} (phantom with lesions), not for a patient; "
    "the gate was not asked."
)
SHIPPED = "these very weights: one training"
_SHOWN_METRICS = {"auc": "AUC", "macro_auc": "macro AUC", "accuracy": "accuracy"}


def answer_document(
    bundle: MultitaskBundle, answer: Answer, phantom: bool, placement: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The document of `predict --json`; absent values are null. placement: of `OpenedBundle`."""
    manifest = bundle.manifest
    return {
        "bundle": str(bundle.path),
        "variant": manifest.variant,
        "class_names": list(manifest.class_names),
        "positive_class": manifest.positive_class,
        "threshold": manifest.threshold,
        "answers": [finding.to_dict() for finding in answer.findings],
        "phantom": phantom,
        "warnings": list(answer.warnings),
        **(placement or {}),
    }


def answer_words(bundle: MultitaskBundle, answer: Answer, phantom: bool) -> str:
    """A line an answer, with how well the bundle did on its own test part, and the cautions."""
    manifest = bundle.manifest
    lines = [PHANTOM.format("pair" if len(manifest.modalities) > 1 else "scan")] if phantom else []
    lines += [f"{TITLES[finding.modality]:<7} {_sentence(bundle, finding)}" for finding in answer.findings]
    named = "The most probable class is named."
    if manifest.class_threshold is not None:
        named = f"{manifest.positive_class} is named from probability {manifest.class_threshold:g} on."
    lines.append(f"{named} Bundle {bundle.path}, variant {manifest.variant}.")
    if manifest.has_figures:
        basis = SHIPPED if manifest.figures.get("shipped") else manifest.figures.get("basis")
        told = f" ({basis})" if basis else ""
        lines.append(f"In brackets: how it did on its own test scans{told}, with 95 % intervals by patient.")
    return "\n".join([*lines, CAUTION])


def _sentence(bundle: MultitaskBundle, finding: Finding) -> str:
    if finding.predicted is None:
        return f"no answer: {finding.error}"
    width = max(map(len, bundle.manifest.class_names))
    if len(bundle.manifest.class_names) == 2 and finding.probability is not None:
        told = f"{bundle.manifest.positive_class} {_shown(finding.probability)}"
    else:
        told = ", ".join(f"{name} {_shown(share)}" for name, share in finding.probabilities.items())
    words = f"{finding.predicted:<{width}}  probability of {told}"
    recorded = bundle.manifest.test_metrics(finding.modality)
    shown = [f"{title} {interval_text(recorded[name])}" for name, title in _SHOWN_METRICS.items() if name in recorded]
    return words + (f"   (test {'; '.join(shown)})" if shown else "")


def _shown(probability: float) -> str:
    """Three digits; never a certainty that no test can have shown."""
    if probability < 0.001:
        return "<0.001"
    return ">0.999" if probability > 0.999 else f"{probability:.3f}"
