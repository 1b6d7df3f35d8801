"""`describe s08 --augmentations`: a picture of what a configuration's augmentation does to a scan."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pipeline.engine.config import StageConfig
from pipeline.engine.contract import Stage
from pipeline.engine.errors import UsageError
from pipeline.training.classifier.augmentation_preview import write_preview
from pipeline.training.image_augmentation import AugmentationSettings

USUAL_SIZE = 224


def draw_augmentations(stage: Stage, sections: Mapping[str, StageConfig], picture: Path, image: Path | None) -> Path:
    """Write the picture and return its path: the stage's section of a configuration, or its defaults without one.

    Raises UsageError for a stage whose augmentation cannot be drawn, or where ``picture`` would replace ``image``.
    """
    field = stage.config.model_fields.get("augmentation")
    if field is None or field.annotation is not AugmentationSettings:
        raise UsageError(f"{stage.id} has no augmentation to draw.", "s08 has: describe s08 --augmentations.")
    if image is not None and picture.resolve() == image.resolve():
        raise UsageError(f"{picture} is the scan itself.", "Give --picture another place.")
    config = sections.get(stage.id) or stage.config()
    profiles = getattr(sections.get("s01"), "profiles", {})
    profile = profiles.get(config.profile)
    return write_preview(config.augmentation, profile.size if profile else USUAL_SIZE, picture, image)
