"""How the notes are audited: read from the configuration, importable without TensorFlow."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from pipeline.data.notes.diagnosis_words import DIAGNOSIS_CONTEXT
from pipeline.engine.config import StageConfig
from pipeline.training.vision_text.settings import MaskableWords


class AuditSettings(StageConfig):
    """What the audit of the notes takes out of them, and how its intervals are drawn."""

    context_words: MaskableWords = DIAGNOSIS_CONTEXT
    """Words and phrases taken out of the notes besides s09's mask_words, to see how much of the answer hangs on them."""
    resamples: Annotated[int, Field(ge=100)] = 2000
    """Bootstrap samples of the patients for each interval."""
