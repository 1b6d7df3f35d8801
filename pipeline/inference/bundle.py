"""A bundle folder: read, and every file of it compared with its hash before anything is used."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from pipeline.data.preprocessing import Profile
from pipeline.engine.errors import CorruptArtifactError, MissingArtifactError, StaleArtifactError
from pipeline.engine.files import sha256_file

SCHEMA_VERSION = 1
MANIFEST_FILE = "bundle.json"
Modality = Literal["xray", "ct"]

_MEND = "Fetch the bundle again, or export it again: export --run DIR --out DIR."


class _Entry(BaseModel):
    # A bundle may carry more than this reader knows (figures, training, parity).
    model_config = ConfigDict(extra="ignore", frozen=True)


class Backbone(_Entry):
    """A frozen backbone: image (B, size, size, 1) float32 in [0, 1] → features (B, feature_width)."""

    file: str
    size: int = Field(ge=1)
    feature_width: int = Field(ge=1)


class Embedder(_Entry):
    """Which backbone looks at the scan, preprocessed by which profile."""

    backbone: str
    profile: str


class Embedders(_Entry):
    """A modality's two embedders."""

    task: Embedder
    shared: Embedder


class ModalityNetwork(_Entry):
    """Everything behind the backbones of one modality: both extractors and the head in one graph."""

    network: str
    embedders: Embedders


class PairedNetwork(_Entry):
    """The head on both modalities' joint features."""

    network: str


class Figures(_Entry):
    """Test metrics {modality: {metric: {value, low, high}}}, and what they are of (a mean over trainings, or one)."""

    basis: str = ""
    test: dict[str, dict[str, Any]] = {}


class StoredFile(_Entry):
    """What a file must be."""

    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    bytes: int = Field(ge=0)


class BundleManifest(_Entry):
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
        for name in {*self.graphs(self.modalities), *self.files}:
            if name not in self.files:
                raise ValueError(f"files gives no hash for {name!r}")
            if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
                raise ValueError(f"file {name!r} lies outside the bundle")
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

    Raises MissingArtifactError (no bundle, a file gone), StaleArtifactError (another schema version),
    CorruptArtifactError (a file whose SHA-256 is not the recorded one, naming both; a broken `bundle.json`).
    """
    bundle = Bundle(path, _read_manifest(path))
    for name, stored in bundle.manifest.files.items():
        _verify(path / name, stored)
    return bundle


def _read_manifest(path: Path) -> BundleManifest:
    source = path / MANIFEST_FILE
    if not source.is_file():
        if (path / "run.json").is_file():
            raise MissingArtifactError(f"{path} is a run, not a bundle.", f"Give it as --run {path}.")
        what = "holds no bundle.json" if path.is_dir() else "no such folder"
        raise MissingArtifactError(f"{path}: {what}.", "Give a bundle's folder; export --run DIR --out DIR makes one.")
    try:
        document = json.loads(source.read_bytes())
    except (ValueError, OSError) as cause:
        raise CorruptArtifactError(f"{source}: cannot be read as JSON ({cause}).", _MEND) from cause
    version = document.get("schema_version") if isinstance(document, dict) else None
    if version != SCHEMA_VERSION:
        raise StaleArtifactError(
            f"{source}: schema_version is {version!r}, this program reads {SCHEMA_VERSION}.",
            "Use the program that exported it, or export the bundle again.",
        )
    try:
        return BundleManifest.model_validate(document)
    except ValidationError as cause:
        fault = cause.errors()[0]
        place = ".".join(str(part) for part in fault["loc"])
        raise CorruptArtifactError(f"{source}: {place + ': ' if place else ''}{fault['msg']}.", _MEND) from cause


def _verify(path: Path, stored: StoredFile) -> None:
    try:
        found = sha256_file(path)
    except FileNotFoundError as cause:
        raise MissingArtifactError(f"{path} is missing from the bundle.", _MEND) from cause
    except OSError as cause:
        raise CorruptArtifactError(f"{path}: cannot be read ({cause.strerror}).", _MEND) from cause
    if found != stored.sha256:
        raise CorruptArtifactError(
            f"{path} was changed: its SHA-256 is {found}, bundle.json says {stored.sha256}.", _MEND
        )
