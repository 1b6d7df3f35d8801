"""A configuration as text, with a comment on every value that was taken from the data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.cli.init.draft import DataFacts, Draft
from pipeline.data.recognition.recognised import SEED, Recognised
from pipeline.engine.file_names import printable
from pipeline.engine.setting_values import shown_value
from pipeline.systems import System

MEANINGS = {
    "layout": "What the folder is.",
    "manifest": "The list, relative to the data folder.",
    "modality": "Nothing in the data tells it; it was given to init.",
    "modalities": "The other modality is left out.",
    "dicom_headers": "DICOM headers tell the patient and the modality where nothing else does.",
    "labels": "Classes by label; labels that are not named are left out.",
    "attribute_columns": "Further columns that a later stage reads.",
}


def configuration_text(found: Recognised, facts: DataFacts, system: System, draft: Draft, data: Path) -> str:
    """The whole file, ending in a line break."""
    profiles = "\n".join(f"    {name}: {shown_value(profile)}" for name, profile in draft.profiles.items())
    masks = f"  # The segmenter learns from them.\n  lung_masks: {shown_value(draft.lung_masks)}\n" if draft.lung_masks else ""
    told = found.told_by or "nobody: each scan counts as a patient, and one person may be on two sides of the split"
    split = "as the data name it" if any(scan.split for scan in found.raw) else "made by patient, 70/15/15, by the seed"
    looked = "The class that is looked for; sensitivity, AUC and threshold are of it."
    positive = looked if facts.positive is not None else "None is looked for: the classes are on a par."
    return f"""# What: {system.name} on {len(facts.scans)} scans: {_line(', '.join(facts.classes))}. Written by init for
#       {_line(data)}
# Run:  run -c THIS_FILE --data DIR --out runs/NAME
# Cost: {draft.cost}.
# Data: {_line(found.choice.words)}.
#       Patients are told by {told}.
#       The split is {split}.
system: {system.name}
description: {shown_value(_line(' / '.join(facts.classes)))}
seed: {SEED}
s01:
{_data(found.settings)}  # {positive}
  positive_class: {shown_value(facts.positive)}
  # Squares of so many px, no larger than the scans are.
  profiles:
{profiles}
{masks}  sample_sheet: {shown_value(draft.sample_sheet)}
{draft.sections}"""


def _data(settings: dict[str, Any]) -> str:
    if not settings:
        return ""
    lines = [f"    # {MEANINGS[name]}\n    {name}: {shown_value(value)}\n" for name, value in settings.items()]
    return "  data:\n" + "".join(lines)


def _line(text: Any) -> str:
    """On one line of a comment, whatever a folder or a class is called."""
    return " ".join(printable(str(text)).split())
