"""The section of the classifier: a logistic regression on frozen features, which few scans suffice for."""

from __future__ import annotations

from pipeline.cli.init.draft import DataFacts, Draft
from pipeline.engine.setting_values import shown_value


def draft(facts: DataFacts) -> Draft:
    """s08. Raises UsageError where the scans are of both modalities."""
    modality = facts.one_modality("classifier")
    sections = f"""s08:
  profile: {modality}
  # In the order of the probabilities.
  classes: {shown_value(_ordered(facts))}
  backbone: EfficientNetLite0
  # Validation chooses among the penalties. `mode: finetune` lets the backbone learn too, and is slower by far.
  head: {{hidden: [], standardize: true, solver: logistic, inverse_penalties: [1.0e-3, 1.0e-2, 1.0e-1]}}
  # Folds by patient over all scans, beside the one test part.
  validation: {{folds: {facts.folds}}}
"""
    return Draft({modality: {"modality": modality, "size": facts.side}}, sections, "under a minute for a few hundred scans")


def _ordered(facts: DataFacts) -> list[str]:
    """The positive class last, as tables of two classes have it."""
    return [*(name for name in facts.classes if name != facts.positive), *([facts.positive] if facts.positive else [])]
