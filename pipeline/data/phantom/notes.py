"""What a clinician might have written about a phantom patient: history and symptoms, now and then the diagnosis itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.engine.seeds import derive_seed

# How often a finding is written down, by condition: none of them tells a class with certainty.
_FINDINGS: dict[str, dict[str, float]] = {
    "dry cough": {"covid": 0.7, "bacterial": 0.15, "viral": 0.45, "normal": 0.1},
    "productive cough": {"covid": 0.1, "bacterial": 0.7, "viral": 0.2, "normal": 0.05},
    "fever for several days": {"covid": 0.6, "bacterial": 0.4, "viral": 0.5, "normal": 0.05},
    "sudden high fever with chills": {"covid": 0.1, "bacterial": 0.6, "viral": 0.15, "normal": 0.02},
    "loss of smell": {"covid": 0.5, "bacterial": 0.03, "viral": 0.08, "normal": 0.02},
    "runny nose and sore throat": {"covid": 0.2, "bacterial": 0.1, "viral": 0.6, "normal": 0.1},
    "shortness of breath": {"covid": 0.5, "bacterial": 0.5, "viral": 0.35, "normal": 0.1},
    "pain on breathing in": {"covid": 0.1, "bacterial": 0.45, "viral": 0.1, "normal": 0.15},
    "low lymphocyte count": {"covid": 0.5, "bacterial": 0.1, "viral": 0.3, "normal": 0.03},
    "raised white cell count": {"covid": 0.1, "bacterial": 0.6, "viral": 0.1, "normal": 0.03},
    "seen before planned surgery": {"covid": 0.02, "bacterial": 0.02, "viral": 0.02, "normal": 0.6},
}
_DIAGNOSES = {
    "covid": "Suspected COVID-19.",
    "bacterial": "Suspected bacterial pneumonia.",
    "viral": "Suspected viral pneumonia.",
    "normal": "No pneumonia suspected.",
}
_NAMED_SHARE = 0.25
_WITHOUT_NOTE_SHARE = 0.15
_WORDS = {"M": "man", "F": "woman"}


@dataclass(frozen=True)
class PhantomHistory:
    """``age`` in years, ``sex`` "M" or "F", and the ``note``, "" for a patient of whom nothing was written."""

    age: int
    sex: str
    note: str


def write_history(seed: int, condition: str) -> PhantomHistory:
    """Age, sex and note of one patient; the same arguments give the same text.

    Age and sex do not depend on the condition. The findings are drawn one by one with the condition's rates; one
    note in four names the diagnosis, so that what masks such words has something to mask, and one patient in seven
    has no note.
    """
    generator = np.random.default_rng(derive_seed(seed, "phantom", "history"))
    age, sex = int(np.clip(generator.normal(52, 17), 18, 95)), "MF"[int(generator.integers(2))]
    drawn = generator.random(len(_FINDINGS))
    is_named, is_missing = generator.random() < _NAMED_SHARE, generator.random() < _WITHOUT_NOTE_SHARE
    if is_missing:
        return PhantomHistory(age, sex, "")
    present = [name for chance, (name, rates) in zip(drawn, _FINDINGS.items(), strict=True) if chance < rates[condition]]
    told = ", ".join(present) if present else "no complaints"
    note = f"{age}-year-old {_WORDS[sex]} with {told}."
    return PhantomHistory(age, sex, f"{note} {_DIAGNOSES[condition]}" if is_named else note)


