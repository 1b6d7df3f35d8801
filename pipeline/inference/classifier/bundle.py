"""A classifier's bundle: read, checked, every file compared with its hash."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from pipeline.data.preprocessing import Profile
from pipeline.inference.bundle_files import (
    CLASSIFIER,
    MANIFEST_FILE,
    Entry,
    StoredFile,
    check_file_names,
    read_description,
    require_system,
    validated,
    verify_files,
)

CLASSIFICATION, FEATURES = "classification", "features"
FEATURE_MAPS, GRADIENTS = "feature_maps", "class_activation_gradients"


class ClassifierNetwork(Entry):
    """The graph: image (B, S, S, 1) → logits, features, feature maps and the gradients that Grad-CAM needs."""

    file: str
    opset: int = 17


class ClassifierManifest(Entry):
    """`bundle.json` of a classifier, as far as classifying needs it.

    threshold: the positive class of two is named from this probability on; without a positive class, the most probable.
    """

    class_names: tuple[str, ...] = Field(min_length=2)
    positive_class: str | None = None
    threshold: float | None = Field(default=None, ge=0, le=1)
    backbone: str = ""
    profile: Profile
    network: ClassifierNetwork
    figures: dict[str, Any] = {}
    files: dict[str, StoredFile]

    @model_validator(mode="after")
    def _fits_together(self) -> ClassifierManifest:
        if len(set(self.class_names)) != len(self.class_names):
            raise ValueError("a class name stands twice in class_names")
        if self.positive_class is not None and self.positive_class not in self.class_names:
            raise ValueError(f"positive_class {self.positive_class!r} is not among class_names")
        if (self.positive_class is None) != (self.threshold is None):
            raise ValueError("positive_class and threshold belong together")
        if self.positive_class is not None and len(self.class_names) != 2:
            raise ValueError(f"a threshold decides between two classes, class_names has {len(self.class_names)}")
        check_file_names([self.network.file], self.files)
        return self


@dataclass(frozen=True)
class ClassifierBundle:
    """A classifier whose files are what `bundle.json` says."""

    path: Path
    manifest: ClassifierManifest


def load_classifier_bundle(path: Path) -> ClassifierBundle:
    """Read a bundle and check every file of it.

    Raises MissingArtifactError (no bundle, a file gone), StaleArtifactError (another schema version), UsageError (a bundle
    of another system), CorruptArtifactError (a file that was changed, a description that does not fit itself).
    """
    document = read_description(path)
    require_system(path, document, CLASSIFIER)
    manifest = validated(ClassifierManifest, document, path / MANIFEST_FILE)
    verify_files(path, manifest.files)
    return ClassifierBundle(path, manifest)
