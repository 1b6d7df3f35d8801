"""As much of a checked run as is looked at of its scans: arrays of s01, the index, and what else a test puts in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.data.preprocessing import Profile, preprocess
from pipeline.data.reading.digests import pixel_sha1

SPLITS = ("train", "train", "valid", "test")


class MadeScanRun:
    """Scans by modality, uint8 pictures; every fourth is of the test part and the one before it of validation.

    labels: of a modality's scans, "COVID" for all where not said. config: of the run.
    """

    def __init__(
        self, folder: Path, scans: Mapping[str, Sequence[np.ndarray]], profiles: Mapping[str, dict],
        labels: Mapping[str, Sequence[str]] | None = None, config: dict | None = None,
    ) -> None:  # fmt: skip
        self.arrays = {
            f"pixels_{name}": np.stack([preprocess(gray, Profile(**profile)) for gray in scans[profile["modality"]]])
            for name, profile in profiles.items()
        }  # fmt: skip
        self.dataset, self.folder, self.asked = {"profiles": dict(profiles)}, folder, []
        self.path, self.config, self.artifacts = folder, config or {}, {"scan_index"}
        rows = [
            {"id": f"{modality}{row}", "modality": modality, "row": row, "split": SPLITS[row % 4], "pixel_sha1": pixel_sha1(gray),
             "label": labels[modality][row] if labels is not None else "COVID"}
            for modality, pictures in scans.items() for row, gray in enumerate(pictures)
        ]  # fmt: skip
        self.put("scan_index", pd.DataFrame(rows))

    def put(self, name: str, table: pd.DataFrame) -> None:
        """A table among its artifacts."""
        table.to_csv(self.folder / f"{name}.csv", index=False)
        self.artifacts.add(name)

    def has(self, name: str) -> bool:
        return name in self.arrays or name in self.artifacts

    def load(self, name: str) -> np.ndarray:
        self.asked.append(name)
        return self.arrays[name]

    def artifact(self, name: str) -> Path:
        return self.folder / f"{name}.csv"
