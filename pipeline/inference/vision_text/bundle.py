"""A vision-and-text bundle: read, checked, every file compared with its hash."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from pipeline.data.preprocessing import Profile
from pipeline.inference.bundle_files import (
    MANIFEST_FILE,
    VISION_TEXT,
    Entry,
    StoredFile,
    check_file_names,
    read_description,
    require_system,
    validated,
    verify_files,
)


class ImageHalf(Entry):
    """The frozen backbone: image (B, S, S, 1) float32 in [0, 1] → patches (B, patches, width)."""

    file: str
    profile: Profile
    patches: int = Field(ge=1)
    width: int = Field(ge=1)


class NoteHalf(Entry):
    """The text encoder: note_ids, note_mask (B, T) int32 → token_features (B, T, width); what it may not read."""

    file: str
    tokenizer: str
    window: int = Field(ge=3)
    width: int = Field(ge=1)
    mask_words: tuple[str, ...] = ()


class FusionManifest(Entry):
    """`bundle.json` of vision with text, as far as answering needs it."""

    class_names: tuple[str, str]
    positive_class: str
    threshold: float = Field(ge=0, le=1)
    arm: str
    image: ImageHalf
    note: NoteHalf
    network: str
    figures: dict[str, Any] = {}
    files: dict[str, StoredFile]

    @model_validator(mode="after")
    def _fits_together(self) -> FusionManifest:
        if self.positive_class not in self.class_names:
            raise ValueError(f"positive_class {self.positive_class!r} is not among class_names")
        check_file_names([self.image.file, self.note.file, self.note.tokenizer, self.network], self.files)
        return self


@dataclass(frozen=True)
class FusionBundle:
    """A bundle whose files are what `bundle.json` says."""

    path: Path
    manifest: FusionManifest


def load_fusion_bundle(path: Path) -> FusionBundle:
    """Read a bundle and check every file of it.

    Raises MissingArtifactError (no bundle, a file gone), StaleArtifactError (another schema version), UsageError (a
    bundle of another system), CorruptArtifactError (a file that was changed, a description that does not fit itself).
    """
    document = read_description(path)
    require_system(path, document, VISION_TEXT)
    manifest = validated(FusionManifest, document, path / MANIFEST_FILE)
    verify_files(path, manifest.files)
    return FusionBundle(path, manifest)
