"""What is written of a gate: a bundle of its own, or a bundle's section `gate`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from pipeline.data.preprocessing import Profile
from pipeline.inference.bundle import Entry, Section, StoredFile, check_file_names

# In bundle.json of a gate that is a bundle of its own, where others name their system.
GATE, SECTION = "gate", "gate"


class KindEntry(Entry):
    """One kind of scans as a gate knows it. threshold: distances up to it are accepted.

    profile: how a scan becomes what the features are taken of. accepted_on_validation: the share of the scans that set the
    threshold. accepted_by_gate: the share of the scans it learnt from that the shipped gate takes for that kind. widens: it is so
    small that what lies within this threshold counts as that kind, too: scans of a sort of their own, as generated ones are.
    """

    statistics: str
    profile: Profile
    threshold: float = Field(gt=0, allow_inf_nan=False)
    accepted_on_validation: float | None = None
    method: str = ""
    accepted_by_gate: float | None = Field(default=None, ge=0, le=1)
    widens: bool = False


class GateSection(Section, KindEntry):
    """`gate` of a bundle's description: the scans that the bundle learnt from, as a cloud of features.

    network: the graph that makes the features; None where it is the shipped gate's, told by network_sha256. further: the other
    modalities of a bundle that reads several.
    """

    network: str | None = None
    network_sha256: str | None = Field(default=None, pattern="^[0-9a-f]{64}$")
    further: tuple[KindEntry, ...] = ()

    @model_validator(mode="after")
    def _names_its_network(self) -> GateSection:
        if self.network is None and self.network_sha256 is None:
            raise ValueError("it names neither a network nor the hash of the shipped gate's")
        return self

    @property
    def kinds(self) -> dict[str, KindEntry]:
        """By modality."""
        return {entry.profile.modality: entry for entry in (self, *self.further)}

    def needed_files(self) -> list[str]:
        return [*([self.network] if self.network else []), *(entry.statistics for entry in self.kinds.values())]


class GateManifest(Entry):
    """`bundle.json` of a gate that is a bundle of its own. kinds: "xray" and "ct", each with its own statistics."""

    system: Literal["gate"]
    network: str
    kinds: dict[str, KindEntry] = Field(min_length=1)
    files: dict[str, StoredFile]

    def needed_files(self) -> list[str]:
        return [self.network, *(entry.statistics for entry in self.kinds.values())]

    @model_validator(mode="after")
    def _fits_together(self) -> GateManifest:
        check_file_names(self.needed_files(), self.files)
        return self
