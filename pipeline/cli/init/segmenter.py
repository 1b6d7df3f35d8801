"""The section of the segmenter: lungs outlined and classes named, learnt from scans with lung masks."""

from __future__ import annotations

from pipeline.cli.init.draft import DataFacts, Draft
from pipeline.engine.errors import DataError
from pipeline.engine.setting_values import shown_value

FEW_MASKS = "channels: [16, 32, 64, 128], decoded_channels: 32"


def draft(facts: DataFacts) -> Draft:
    """s07. Raises UsageError where the scans are of both modalities, DataError where none has a mask."""
    modality = facts.one_modality("radiography_unet")
    if not facts.masks:
        raise DataError("No scan has a lung mask, from which the segmenter learns.",
                        "Lay them out as {class}/images and {class}/masks, or give a list a column mask.")  # fmt: skip
    network = f"\n  # Few scans: a small network.\n  architecture: {{{FEW_MASKS}}}" if facts.few else ""
    epochs, batch, rate = (24, 8, "3.0e-3") if facts.few else (60, 16, "1.0e-3")
    sections = f"""s07:
  profile: {modality}
  classes: {shown_value(facts.classes)}
  positive_class: {shown_value(facts.positive)}{network}
  fit:
    epochs: {epochs}
    batch_size: {batch}
    learning_rate: {rate}
    schedule: cosine
    warmup_epochs: 1
    augmentation: {{rotation_degrees: 10, shift: 0.05, scale: 0.1, gamma: 0.2}}
"""
    profiles = {modality: {"modality": modality, "size": facts.side}}
    return Draft(profiles, sections, "minutes for a hundred scans on a CPU, hours for thousands", lung_masks=(modality,))
