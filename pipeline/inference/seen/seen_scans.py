"""Recognises the scans that a bundle learnt from, and their copies."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.data.preprocessing import Profile, preprocess
from pipeline.data.reading.digests import pixel_sha1
from pipeline.data.splitting.picture_hash import BITS, FLIPS, bits_apart, flip_signs, hashes_of, picture_waves
from pipeline.engine.arrays import Array
from pipeline.engine.errors import CorruptArtifactError, MissingArtifactError
from pipeline.inference.bundle import MANIFEST_FILE, MEND, Bundle, Manifest, read_description, read_section
from pipeline.inference.seen.description import SECTION, SeenSection
from pipeline.inference.seen.words import TOLD, UNSEEN

ARRAYS = ("digests", "hashes", "parts", "middles")


@dataclass(frozen=True, eq=False)
class SeenScans:
    """The scans of one modality: digests uint64 (N,) sorted, hashes uint8 (N, 32), parts uint8 (N,), middles float32 (255,)."""

    profile: Profile
    digests: Array
    hashes: Array
    parts: Array
    middles: Array
    most_bits: int

    def look(self, gray: Array) -> str:
        """What uint8 (H, W) is to the bundle: of TOLD, or UNSEEN. Another format, size or quality and a mirror image are the same
        scan; a part of it is not."""
        found = self.parts[self.digests == digest_of(pixel_sha1(gray))]
        if not found.size:
            waves = picture_waves(preprocess(gray, self.profile))
            asked = [hashes_of((waves * flip_signs(flip))[None], self.middles)[0] for flip in FLIPS]
            found = self.parts[np.min([bits_apart(self.hashes, bits) for bits in asked], axis=0) <= self.most_bits]
        return TOLD[int(found.min())] if found.size else UNSEEN


def digest_of(sha1: str) -> int:
    """What is kept of a picture's SHA-1 (hex): its first eight bytes."""
    return int(sha1[:16], 16)


def seen_scans(bundle: Bundle[Manifest]) -> dict[str, SeenScans]:
    """By modality; {} where the bundle does not say. Raises as `read_section`, MissingArtifactError and CorruptArtifactError."""
    section = bundle.section(SECTION, SeenSection)
    return read_seen(bundle.path, section) if section is not None else {}


def open_section(path: Path) -> dict[str, SeenScans]:
    """The same of a bundle's folder. Raises as `seen_scans`."""
    section = read_section(read_description(path), SECTION, SeenSection, path / MANIFEST_FILE)
    return read_seen(path, section) if section is not None else {}


def read_seen(folder: Path, section: SeenSection) -> dict[str, SeenScans]:
    """The arrays that a section names. Raises MissingArtifactError (no such file), CorruptArtifactError (they do not fit)."""
    path = folder / section.file
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = dict(stored)
    except FileNotFoundError as cause:
        raise MissingArtifactError(f"{path} is missing from the bundle.", MEND) from cause
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as cause:
        raise CorruptArtifactError(f"{path}: cannot be read as NumPy arrays ({cause}).", MEND) from cause
    found: dict[str, SeenScans] = {}
    for kind in section.kinds:
        modality = kind.profile.modality
        mine = {name: arrays.get(f"{modality}_{name}", np.empty(0)) for name in ARRAYS}
        count = kind.trained_on + kind.chosen_on
        _require_shapes(path, modality, mine, count)
        found[modality] = SeenScans(kind.profile, **mine, most_bits=section.most_bits)
    return found


def _require_shapes(path: Path, modality: str, arrays: Mapping[str, Array], count: int) -> None:
    wanted = {
        "digests": ((count,), np.uint64), "hashes": ((count, (BITS + 7) // 8), np.uint8), "parts": ((count,), np.uint8),
        "middles": ((BITS,), np.float32),
    }  # fmt: skip
    for name, (shape, dtype) in wanted.items():
        array = arrays[name]
        if array.shape != shape or array.dtype != dtype:
            raise CorruptArtifactError(
                f"{path}: {modality}_{name} is {array.dtype} {array.shape}, {np.dtype(dtype)} {shape} is needed.", MEND
            )
    if count and arrays["parts"].max() >= len(TOLD):
        raise CorruptArtifactError(f"{path}: {modality}_parts names a part that there is not.", MEND)
