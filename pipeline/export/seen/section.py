"""The section `seen` of a bundle: digests and perceptual hashes of the scans that its run trained on and chose by."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.data.layouts.data_source import DataSource
from pipeline.data.notes.clinical_notes import NoteMasker
from pipeline.data.preprocessing import Profile
from pipeline.data.scan_index import ATTRIBUTE_KEYS
from pipeline.data.splitting.picture_hash import hashes_of, middles, picture_waves
from pipeline.engine.errors import UsageError
from pipeline.engine.files import atomic_write_bytes
from pipeline.export.checked_run import CheckedRun
from pipeline.export.run_scans import array_of, learnt_scans
from pipeline.inference.seen.description import MOST_BITS, SECTION
from pipeline.inference.seen.seen_scans import digest_of
from pipeline.inference.seen.words import PARTS, TOLD

if TYPE_CHECKING:
    import pandas as pd

FILE = "seen.npz"
# The array nearest to this size is hashed, px: much more than the hash's own, little enough to be fast.
SIZE = 224


def write_seen(
    run: CheckedRun, document: Mapping[str, Any], profiles: Mapping[str, Profile], folder: Path
) -> dict[str, Any] | None:
    """Write the arrays of `SeenSection` into ``folder``; returns the entry of ``bundle.json``, None where the run has no scan
    that the bundle learnt from.

    document: of the bundle. profiles: its own, by modality. Only s01 of the run is needed. Equal runs give equal bytes.
    """
    arrays: dict[str, np.ndarray] = {}
    kinds = []
    for modality, wanted in profiles.items():
        stored, mine = array_of(run, modality, wanted, SIZE), _learnt(run, document, learnt_scans(run, modality))
        if stored is None or mine.empty:
            continue
        name, profile = stored
        pixels = run.load(f"pixels_{name}")
        waves = np.stack([picture_waves(np.asarray(pixels[row])) for row in mine["row"]])
        middle = middles(waves)
        digests = np.array([digest_of(sha1) for sha1 in mine["pixel_sha1"]], np.uint64)
        parts = np.array([TOLD.index(PARTS[split]) for split in mine["split"]], np.uint8)
        hashes = hashes_of(waves, middle)
        # By their digests: the order of the run's scans is nobody's business.
        order = np.lexsort((*hashes.T[::-1], parts, digests))
        told = {"digests": digests[order], "hashes": hashes[order], "parts": parts[order], "middles": middle}
        arrays |= {f"{modality}_{what}": array for what, array in told.items()}
        counts = {told.replace(" ", "_"): int((parts == place).sum()) for place, told in enumerate(TOLD)}
        kinds.append({"profile": profile.model_dump(mode="json"), **counts})
    if not kinds:
        return None
    content = BytesIO()
    np.savez(content, **arrays)
    atomic_write_bytes(folder / FILE, content.getvalue())
    return {"version": 1, "file": FILE, "most_bits": MOST_BITS, "kinds": kinds}


def refuse_other_split(run: CheckedRun, document: Mapping[str, Any], bundle: Path) -> None:
    """Raise UsageError where a run's scans or their split are not those of the run that a bundle says it is of."""
    training = document.get("training") or {}
    config = (training.get("config") or {}).get("s01")
    mend = "Give the run that it was exported from, or one of s01 alone with that configuration, seed and data."
    for what, mine, its in (
        ("seed", training.get("seed"), run.config.get("seed")),
        ("s01.data", _source(config), _source(run.config.get("s01"))),
    ):
        if mine is not None and mine != its:
            raise UsageError(f"{bundle} was trained with another {what} than {run.path}: {SECTION} would name other scans.", mend)


def _source(config: Mapping[str, Any] | None) -> DataSource | None:
    return DataSource.model_validate(config["data"]) if config is not None and "data" in config else None


def _learnt(run: CheckedRun, document: Mapping[str, Any], scans: pd.DataFrame) -> pd.DataFrame:
    """Those of the scans that a network has learnt from: of the bundle's classes, and with a note where it reads notes."""
    import pandas

    mine = scans[scans["label"].isin(document["class_names"])]
    if "note" not in document:
        return mine
    if run.has("fusion_split_predictions"):
        compared = pandas.read_csv(run.artifact("fusion_split_predictions"), dtype={"id": str})["id"]
        return mine[mine["id"].isin(compared)]
    attributes = pandas.read_csv(run.artifact("scan_attributes"), dtype=str, keep_default_na=False)
    columns = [name for name in attributes if name not in ATTRIBUTE_KEYS]
    if len(columns) != 1:
        raise UsageError(f"{run.path}: which of {', '.join(columns)} is the note?", "Give a run whose s09 is done.")
    masker = NoteMasker(tuple(document["note"]["mask_words"]))
    noted = attributes["id"][[bool(masker.mask(note).text) for note in attributes[columns[0]]]]
    return mine[mine["id"].isin(noted)]
