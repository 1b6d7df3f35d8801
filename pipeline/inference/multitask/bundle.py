"""A bundle of the respiratory-scan pipeline, every file of it compared with its hash before anything is used."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from pipeline.data.preprocessing import Profile
from pipeline.inference.bundle_files import (
    MANIFEST_FILE,
    MULTI_TASK,
    Entry,
    StoredFile,
    check_file_names,
    read_description,
    require_system,
    validated,
    verify_files,
)

Modality = Literal["xray", "ct"]


class Backbone(Entry):
    """A frozen backbone: image (B, size, size, 1) float32 in [0, 1] → features (B, feature_width)."""

    file: str
    size: int = Field(ge=1)
    feature_width: int = Field(ge=1)


class Embedder(Entry):
    """Which backbone looks at the scan, preprocessed by which profile."""

    backbone: str
    profile: str


class Embedders(Entry):
    """A modality's two embedders."""

    task: Embedder
    shared: Embedder


class ModalityNetwork(Entry):
    """Everything behind the backbones of one modality: both extractors and the head in one graph."""

    network: str
    embedders: Embedders


class PairedNetwork(Entry):
    """The head on both modalities' joint features."""

    network: str


class Figures(Entry):
    """Test metrics {modality: {metric: {value, low, high}}}, and what they are of (a mean over trainings, or one)."""

    basis: str = ""
    test: dict[str, dict[str, Any]] = {}


class BundleManifest(Entry):
    """`bundle.json`, as far as predicting needs it."""

    variant: str
    class_names: tuple[str, str]
    positive_class: str
    threshold: float = Field(ge=0, le=1)
    profiles: dict[str, Profile]
    backbones: dict[str, Backbone]
    modalities: dict[Modality, ModalityNetwork] = Field(min_length=1)
    paired: PairedNetwork | None = None
    figures: Figures = Figures()
    files: dict[str, StoredFile]

    @model_validator(mode="after")
    def _references_resolve(self) -> BundleManifest:
        if self.positive_class not in self.class_names:
            raise ValueError(f"positive_class {self.positive_class!r} is not among class_names")
        for modality, network in self.modalities.items():
            for embedder in (network.embedders.task, network.embedders.shared):
                backbone, profile = self.backbones.get(embedder.backbone), self.profiles.get(embedder.profile)
                if backbone is None or profile is None:
                    raise ValueError(f"{modality}: backbone or profile of an embedder is not declared: {embedder}")
                if backbone.size != profile.size or profile.modality != modality:
                    raise ValueError(f"{modality}: profile {embedder.profile!r} does not fit backbone {embedder.backbone!r}")
        check_file_names(self.graphs(self.modalities), self.files)
        return self

    def graphs(self, modalities: Iterable[str]) -> list[str]:
        """The ONNX files that answers of these modalities need, each once, backbones first; `paired` for both."""
        wanted = [self.modalities[name] for name in modalities if name in self.modalities]
        pairs = [embedder for network in wanted for embedder in (network.embedders.task, network.embedders.shared)]
        files = [self.backbones[embedder.backbone].file for embedder in pairs] + [network.network for network in wanted]
        if len(wanted) == 2 and self.paired is not None:
            files.append(self.paired.network)
        return list(dict.fromkeys(files))


@dataclass(frozen=True)
class Bundle:
    """A bundle whose files are what `bundle.json` says."""

    path: Path
    manifest: BundleManifest

    @property
    def negative_class(self) -> str:
        first, second = self.manifest.class_names
        return second if first == self.manifest.positive_class else first

    def predicted(self, probability: float) -> str:
        """The class name at a probability of the positive class: positive where >= threshold."""
        manifest = self.manifest
        return manifest.positive_class if probability >= manifest.threshold else self.negative_class

    def test_metrics(self, modality: str) -> dict[str, dict[str, float | None]]:
        """{metric: {"value", "low", "high"}} on the test part of the run it came from; {} where not recorded."""
        recorded = self.manifest.figures.test.get(modality, {})
        return {name: interval for name, interval in recorded.items() if isinstance(interval, dict)}


def load_bundle(path: Path) -> Bundle:
    """Read a bundle and check every file of it.

    Raises MissingArtifactError (no bundle, a file gone), StaleArtifactError (another schema version), UsageError (a bundle
    of another system), CorruptArtifactError (a file whose SHA-256 is not the recorded one, naming both; a broken `bundle.json`).
    """
    document = read_description(path)
    require_system(path, document, MULTI_TASK)
    manifest = validated(BundleManifest, document, path / MANIFEST_FILE)
    verify_files(path, manifest.files)
    return Bundle(path, manifest)
