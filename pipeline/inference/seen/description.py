"""What is written of the scans that a bundle learnt from: its section `seen`."""

from __future__ import annotations

from pydantic import Field

from pipeline.data.preprocessing import Profile
from pipeline.inference.bundle import Entry, Section

SECTION = "seen"
# Of 255 bits, how many a copy may differ in. Over 2,678 real scans: copies of half the size, or stretched to 512 px, differ in at
# most 6, halved ones stored as JPEG of quality 60 in at most 13; of scans under two patients' names, those that differ in 24 or
# less are one picture (looked at one by one), the others differ in 39 or more.
MOST_BITS = 24


class SeenKind(Entry):
    """The scans of one modality. profile: how a scan becomes what its hash is taken of. trained_on, chosen_on: how many."""

    profile: Profile
    trained_on: int = Field(ge=0)
    chosen_on: int = Field(ge=0)


class SeenSection(Section):
    """`seen` of a bundle's description.

    file: an archive of NumPy arrays, of each modality `<modality>_digests` uint64 (N,) (the first eight bytes of the pixels'
    SHA-1, sorted), `<modality>_hashes` uint8 (N, 32), `<modality>_parts` uint8 (N,) (places in TOLD) and `<modality>_middles`
    float32 (255,). Nothing is salted: a salt would lie beside the digests and hide nothing from whoever holds a scan, and without
    the scan neither a digest nor 255 signs show a picture. most_bits: how many bits of its hash a copy may differ in.
    """

    file: str
    most_bits: int = Field(default=MOST_BITS, ge=0, le=255)
    kinds: tuple[SeenKind, ...] = Field(min_length=1)
