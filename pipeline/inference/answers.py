"""What a bundle says of a case: the same type for every system."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from pipeline.data.scans import CT, PAIRED, XRAY
from pipeline.engine.arrays import Array

if TYPE_CHECKING:
    from pipeline.inference.scan_preview import Preview

TITLES = {XRAY: "X-ray", CT: "CT", PAIRED: "Paired"}
CAUTION = "Not a medical device: research software, whose answers must not guide anyone's care."
Cell = float | int | str | None
MOST_DIGITS = 8


@dataclass(frozen=True, slots=True)
class Finding:
    """What is said of one modality.

    modality: "xray", "ct" or "paired" ("" where no scan was looked at). probabilities: {class: [0, 1]}, summing to 1; {} where
    there is no answer. probability: of the positive class, None without one. predicted: class name, or None. confidence: the
    probability of the class that was named; of two below 0.5 where a threshold other than 0.5 named it. threshold: the
    probability from which the positive class of two is named, None where the most probable class is. activations: {method:
    float32 (H, W) in [0, 1]} of the class that was named, at the scan's own size. error: why there is no answer, or None.

    gate: what the gate took the scan for ("xray", "ct", "neither"), or "not asked"; "" where there was no scan. refused: it is
    not what it was given as. distance: from the scans that the bundle learnt from, about 1 for one like them, and
    distance_threshold: from which on it is unlike them; None where the bundle does not say. seen: whether it is one of those or
    a copy: "trained on", "chosen on" (validation) or "no"; None where the bundle does not say. warnings: what was assumed while
    the scan was read, and what to be wary of. preview: a small picture of the scan, for notebooks.
    """

    modality: str
    probabilities: Mapping[str, float] = field(default_factory=dict)
    probability: float | None = None
    predicted: str | None = None
    confidence: float | None = None
    activations: Mapping[str, Array] = field(default_factory=dict, compare=False)
    error: str | None = None
    gate: str = ""
    refused: bool = False
    distance: float | None = None
    distance_threshold: float | None = None
    seen: str | None = None
    warnings: tuple[str, ...] = ()
    threshold: float | None = None
    preview: Preview | None = field(default=None, repr=False, compare=False)

    @property
    def caption(self) -> str:
        """The class that was named and how sure: `COVID 93.4 %`; "" where there is no answer.

        Never a certainty that no test can have shown: `NORMAL >99.9 %`. Where a threshold named the less probable class of two,
        so: `NORMAL (PNEUMONIA 69.3 %, below the threshold of 72 %)`, `PNEUMONIA (35.0 %, reaches the threshold of 30 %)`.
        """
        if self.confidence is None:
            return ""
        if self.threshold is None or self.confidence >= 0.5 or len(self.probabilities) != 2:
            return f"{self.predicted} {percent(self.confidence)}"
        if self.threshold <= 0.5:
            said = _beside(self.confidence, self.threshold, "reaches")
            return f"{self.predicted} ({said})"
        ((other, share),) = ((name, share) for name, share in self.probabilities.items() if name != self.predicted)
        return f"{self.predicted} ({other} {_beside(share, self.threshold, 'below')})"

    @property
    def title(self) -> str:
        """What it is said of, in words."""
        return TITLES.get(self.modality, "Note")

    def to_dict(self) -> dict[str, Any]:
        """JSON values, the same keys for every system; what is absent, or no finite number, is None. No heat maps."""
        return {
            "modality": self.modality,
            "predicted": self.predicted,
            "caption": self.caption,
            "confidence": _number(self.confidence),
            "probability": _number(self.probability),
            "probabilities": {name: _number(share) for name, share in self.probabilities.items()},
            "threshold": _number(self.threshold),
            "error": self.error,
            "gate": self.gate,
            "refused": self.refused,
            "distance": _number(self.distance),
            "distance_threshold": _number(self.distance_threshold),
            "seen": self.seen,
            "warnings": list(self.warnings),
        }


def percent(share: float) -> str:
    """A probability of a class for people; never a certainty that no test can have shown."""
    return f"{'>99.9' if share > 0.999 else f'{100 * share:.1f}'} %"


def _beside(share: float, threshold: float, how: str) -> str:
    """A probability beside the threshold, with as many digits as tell them apart."""
    digits = 1
    while share < threshold and digits < MOST_DIGITS and round(100 * share, digits) >= round(100 * threshold, digits):
        digits += 1
    limit = f"{100 * threshold:.{digits}f}".rstrip("0").rstrip(".")
    return f"{100 * share:.{digits}f} %, {how} the threshold of {limit} %"


@dataclass(frozen=True, repr=False)
class Answer:
    """What is said of one case. Its first finding is also its own, for the systems that have but one. Notebooks show it as HTML.
    Answers are equal that say the same (`to_dict`): no array is compared.

    lung_probs: float32 (H, W) in [0, 1], and lung_mask: bool (H, W), at the scan's own size, by a segmenter. geometry: the
    measures of the mask. features: (F,) float32. used: the halves that the answer rests on, masked: the words that were taken
    out of the note. warnings: what was assumed of a scan or a note, and what to be wary of. extra: further columns of its row.
    """

    findings: tuple[Finding, ...]
    lung_probs: Array | None = field(default=None, compare=False)
    lung_mask: Array | None = field(default=None, compare=False)
    geometry: Mapping[str, int | float | None] = field(default_factory=dict)
    features: Array | None = field(default=None, compare=False)
    used: tuple[str, ...] = ()
    masked: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    extra: Mapping[str, Cell] = field(default_factory=dict)

    @classmethod
    def failed(cls, error: str) -> Answer:
        """There is none, and why."""
        return cls((Finding("", error=error),))

    @property
    def refused(self) -> bool:
        """Whether a gate took one of its scans for something else."""
        return any(finding.refused for finding in self.findings)

    @property
    def probabilities(self) -> Mapping[str, float]:
        return self.findings[0].probabilities

    @property
    def predicted(self) -> str | None:
        return self.findings[0].predicted

    @property
    def confidence(self) -> float | None:
        return self.findings[0].confidence

    @property
    def activations(self) -> Mapping[str, Array]:
        return self.findings[0].activations

    @property
    def error(self) -> str | None:
        return self.findings[0].error

    def to_dict(self) -> dict[str, Any]:
        """JSON values, the same keys for every system (`Finding.to_dict`); what is absent is empty or None. No arrays."""
        return {
            "findings": [finding.to_dict() for finding in self.findings],
            "geometry": {name: _number(value) for name, value in self.geometry.items()},
            "used": list(self.used),
            "masked": list(self.masked),
            "warnings": list(self.warnings),
            "extra": {name: value if isinstance(value, str) else _number(value) for name, value in self.extra.items()},
        }

    def __repr__(self) -> str:
        """One line for people: each finding's class and probability, or why there is none, and the warnings."""
        several = len(self.findings) > 1
        said = [
            (f"{finding.title}: " if several else "") + (finding.caption or f"no answer ({finding.error})")
            for finding in self.findings
        ]
        warned = [f"warning: {sentence}" for sentence in self.warnings]
        return f"<Answer {' | '.join([*said, *warned])}>"

    def _repr_html_(self) -> str:
        from pipeline.inference.answer_page import answer_html  # commands need no page

        return answer_html(self)

    def without_pictures(self, extra: Mapping[str, Cell] | None = None) -> Answer:
        """What is kept of many answers: no array but the features; `extra` becomes its further columns."""
        findings = tuple(replace(finding, activations={}, preview=None) for finding in self.findings)
        return replace(self, findings=findings, lung_probs=None, lung_mask=None, extra=dict(extra or {}))


def _number(value: float | int | None) -> float | int | None:
    """None for what JSON has no number for."""
    return value if value is not None and math.isfinite(value) else None
