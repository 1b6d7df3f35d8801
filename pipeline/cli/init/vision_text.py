"""The sections of vision and text: scans with a note each."""

from __future__ import annotations

from pipeline.cli.init.draft import DataFacts, Draft
from pipeline.engine.errors import UsageError
from pipeline.engine.setting_values import shown_value


def draft(facts: DataFacts) -> Draft:
    """s09 and s10. Raises UsageError: both modalities, no column of notes, more than two classes."""
    modality = facts.one_modality("vision_text")
    if not facts.notes:
        raise UsageError("Which column of the list holds the notes?", "Give --notes COLUMN.")
    if facts.positive is None:
        raise UsageError("Vision and text looks for one class.", "Give --positive-class; the others are then one.")
    sections = f"""s09:
  profile: {modality}
  note_column: {shown_value(facts.notes)}
  # Words that name a diagnosis are taken out of every note; add your own to mask_words, or the note gives the answer away.
  encoder: {{source: minilm}}
  folds: {facts.folds}
  repeats: 1
s10: {{}}
"""
    return Draft({modality: {"modality": modality, "size": facts.side}}, sections, "a minute or two for a hundred cases")
