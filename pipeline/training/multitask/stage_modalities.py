"""Which modalities the stages of the chain take on: those that s02 embeds, said once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Self

from pipeline.data.scans import MODALITIES, PAIRED
from pipeline.engine.config import StageConfig
from pipeline.engine.errors import ConfigError

Modality = Literal["xray", "ct"]
# of two classes (no axis of classes), or of more
PROBABILITY_UNIT = "probability of the positive class of two, or of each of K classes"
TITLES = {"xray": "X-rays", "ct": "CT slices"}


class OfModalities(StageConfig):
    """What s03 to s06 share."""

    modalities: tuple[Modality, ...] = MODALITIES
    """Those that s02.embedders embed; it follows them by itself."""

    def following(self, others: Mapping[str, StageConfig]) -> Self:
        embedded = getattr(others.get("s02"), "modalities", None)
        if embedded is None or embedded == self.modalities:
            return self
        if "modalities" in self.model_fields_set:
            short = next(short for short, section in others.items() if section is self)
            raise ConfigError(
                f"{short}.modalities: {', '.join(self.modalities)}, but s02 embeds {', '.join(embedded)}.", "Leave it out."
            )
        return self.model_copy(update={"modalities": embedded})


def answered_rows(config: OfModalities) -> dict[str, str]:
    """What heads answer, and the symbol of its rows: each modality, and the pairs where there are both."""
    rows = {modality: f"N_{modality}" for modality in config.modalities}
    return rows | {PAIRED: "P"} if len(rows) > 1 else rows
