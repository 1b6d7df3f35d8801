"""The scans of a checked run as its bundle is fitted on them: the array of s01 that is looked at, and the index beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.data.preprocessing import Profile
from pipeline.data.scan_index import TEXT_COLUMNS
from pipeline.data.scans import TRAIN, VALID
from pipeline.export.checked_run import CheckedRun

if TYPE_CHECKING:
    import pandas as pd


def array_of(run: CheckedRun, modality: str, wanted: Profile, size: int) -> tuple[str, Profile] | None:
    """The array of s01 that is looked at, by name: of the modality's profiles without operations the one nearest to `size`, or
    else `wanted`. None where the run has none of that modality."""
    stored = {name: Profile(**recorded) for name, recorded in run.dataset["profiles"].items() if run.has(f"pixels_{name}")}
    mine = {name: profile for name, profile in stored.items() if profile.modality == modality}
    if not mine:
        return None

    def unlike(name: str) -> tuple[bool, int]:
        profile = mine[name]
        return bool(profile.operations), int(profile != wanted) if profile.operations else abs(profile.size - size)

    name = min(mine, key=unlike)
    return name, mine[name]


def learnt_scans(run: CheckedRun, modality: str) -> pd.DataFrame:
    """The rows of `scan_index.csv` of a modality's training and validation scans, in the order of its arrays."""
    import pandas as pd

    frame = pd.read_csv(run.artifact("scan_index"), dtype=dict.fromkeys(TEXT_COLUMNS, str), keep_default_na=False)
    return frame[(frame["modality"] == modality) & frame["split"].isin([TRAIN, VALID])].sort_values("row")
