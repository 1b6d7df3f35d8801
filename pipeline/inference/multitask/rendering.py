"""Answers as words for people and as JSON for scripts."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.inference.answers import TITLES, Answer
from pipeline.inference.multitask.bundle import Bundle

CAUTION = "Not a medical device: research software, whose answers must not guide anyone's care."
PHANTOM = "No scan was given: these are answers for a generated pair (phantom, COVID-like lesions), not for a patient."
_SHOWN_METRICS = {"auc": "AUC", "accuracy": "accuracy"}


def answer_document(bundle: Bundle, answers: Sequence[Answer], phantom: bool) -> dict:
    """The document of `predict --json`; absent values are null."""
    manifest = bundle.manifest
    return {
        "bundle": str(bundle.path),
        "variant": manifest.variant,
        "class_names": list(manifest.class_names),
        "positive_class": manifest.positive_class,
        "threshold": manifest.threshold,
        "answers": [
            {
                "modality": answer.modality,
                "probability": answer.probability,
                "predicted": answer.predicted,
                "error": answer.error,
            }
            for answer in answers
        ],
        "phantom": phantom,
    }


def answer_words(bundle: Bundle, answers: Sequence[Answer], phantom: bool) -> str:
    """A line an answer, with how well the bundle did on its own test part, and the cautions."""
    manifest = bundle.manifest
    lines = [PHANTOM] if phantom else []
    lines += [f"{TITLES[answer.modality]:<7} {_sentence(bundle, answer)}" for answer in answers]
    lines.append(
        f"Probability is of {manifest.positive_class}, which is named from {manifest.threshold:g} on. "
        f"Bundle {bundle.path}, variant {manifest.variant}."
    )
    if manifest.figures.test:
        basis = f" ({manifest.figures.basis})" if manifest.figures.basis else ""
        lines.append(f"In brackets: how it did on its own test scans{basis}, with 95 % intervals by patient.")
    return "\n".join([*lines, CAUTION])


def _sentence(bundle: Bundle, answer: Answer) -> str:
    if answer.error is not None:
        return f"no answer: {answer.error}"
    width = max(map(len, bundle.manifest.class_names))
    words = f"{answer.predicted:<{width}}  probability {_shown(answer.probability)}"
    recorded = bundle.test_metrics(answer.modality)
    shown = [_metric(title, recorded[name]) for name, title in _SHOWN_METRICS.items() if name in recorded]
    return words + (f"   (test {'; '.join(shown)})" if shown else "")


def _shown(probability: float) -> str:
    """Three digits; never a certainty that no test can have shown."""
    if probability < 0.001:
        return "<0.001"
    return ">0.999" if probability > 0.999 else f"{probability:.3f}"


def _metric(title: str, interval: dict[str, float | None]) -> str:
    if interval.get("value") is None:
        return f"{title} undefined"
    text = f"{title} {interval['value']:.3f}"
    if interval.get("low") is None or interval.get("high") is None:
        return text
    return f"{text} [{interval['low']:.3f}, {interval['high']:.3f}]"
