"""What a vision-and-text bundle says beside what every bundle says."""

from __future__ import annotations

from pydantic import Field

from pipeline.data.preprocessing import Profile
from pipeline.inference.bundle import Bundle, Entry, Manifest
from pipeline.inference.trust.scored_part import ScoredPart, part_of, scored_part


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


class FusionManifest(Manifest):
    """`bundle.json` of vision with text, as far as answering needs it."""

    class_names: tuple[str, str]
    positive_class: str
    threshold: float = Field(ge=0, le=1)
    arm: str
    image: ImageHalf
    note: NoteHalf
    network: str

    def scored_parts(self) -> tuple[ScoredPart, ...]:
        test, rows = part_of(self.figures, "stored", "test"), part_of(self.figures, "stored", "rows")
        return (scored_part(self.image.profile.modality, test, rows.get("test")),) if test else ()

    def needed_files(self) -> list[str]:
        return [self.image.file, self.note.file, self.note.tokenizer, self.network]


FusionBundle = Bundle[FusionManifest]
