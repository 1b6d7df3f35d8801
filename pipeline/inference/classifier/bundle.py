"""What a classifier's bundle says beside what every bundle says."""

from __future__ import annotations

from pydantic import Field

from pipeline.data.preprocessing import Profile
from pipeline.inference.bundle import Bundle, Entry, Manifest
from pipeline.inference.trust.scored_part import ScoredPart, part_of, scored_part

CLASSIFICATION, FEATURES = "classification", "features"
FEATURE_MAPS, GRADIENTS = "feature_maps", "class_activation_gradients"


class ClassifierNetwork(Entry):
    """The graph: image (B, S, S, 1) → logits, features, feature maps and the gradients that Grad-CAM needs."""

    file: str
    opset: int = 17


class ClassifierManifest(Manifest):
    """`bundle.json` of a classifier, as far as classifying needs it."""

    backbone: str = ""
    profile: Profile
    threshold: float | None = Field(default=None, ge=0, le=1)
    network: ClassifierNetwork

    def scored_parts(self) -> tuple[ScoredPart, ...]:
        test = part_of(self.figures, "test")
        part = scored_part(self.profile.modality, part_of(test, "metrics"), test.get("rows"), test.get("patients"))
        return (part,) if test else ()

    def check_parts(self) -> None:
        if (self.positive_class is None) != (self.threshold is None):
            raise ValueError("positive_class and threshold belong together")
        if self.positive_class is not None and len(self.class_names) != 2:
            raise ValueError(f"a threshold decides between two classes, class_names has {len(self.class_names)}")

    def needed_files(self) -> list[str]:
        return [self.network.file]


ClassifierBundle = Bundle[ClassifierManifest]
