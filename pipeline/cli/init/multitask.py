"""The sections of the respiratory multi-task system: one modality or two, two classes or more."""

from __future__ import annotations

from pipeline.cli.init.draft import DataFacts, Draft

ROLES = ("task", "shared")


def draft(facts: DataFacts) -> Draft:
    """s02 to s06: frozen features, the arms that hide the modality where there are two, and their comparison."""
    modalities, few = facts.modalities, facts.few
    embedders = "\n".join(
        f"    {name}_{role}: {{backbone: EfficientNetLite0, profile: {name}}}" for name in modalities for role in ROLES
    )
    batch, epochs, patience = (16, 12, 3) if few else (64, 30, 6)
    fit = f"{{epochs: {epochs}, patience: {patience}, batch_size: {batch}, learning_rate: 3.0e-4}}"
    both = len(modalities) > 1
    variants = "[plain, adversarial, erased]" if both else "[plain]"
    hidden = f"  adversarial: {{epoch_budget: 60, batch_size: {2 * batch}, learning_rate: 3.0e-4}}\n" if both else ""
    said = "without and with the modality hidden from the shared features" if both else "one modality: there is none to hide"
    sections = f"""s02:
  # A network that has seen ImageNet, frozen; a layer on it learns. Task: each modality's own features; shared: what both give.
  embedders:
{embedders}
  dropout: 0.5
  fit: {{epochs: {epochs}, patience: {patience}, batch_size: {batch}, learning_rate: 1.0e-4, weight_decay: 1.0e-2}}
s03:
  fit: {fit}
s04:
  # The arms that are compared: {said}.
  variants: {variants}
  fit: {fit}
{hidden}  finetune: {fit}
s05:
  fit: {fit}
s06:
  # The whole chain trained anew: over seeds on this split, and over folds by patient. More of both, narrower intervals.
  seeds: {3 if few else 5}
  folds: {facts.folds}
"""
    profiles = {modality: {"modality": modality, "size": facts.side} for modality in modalities}
    return Draft(profiles, sections, "minutes on a CPU for a few hundred scans; s06 takes most of it", sample_sheet=True)
