"""A finished run as export reads it: every file compared with its manifest, every stage with its inputs."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.data.preprocessing import Profile
from pipeline.engine.checked_directory import CheckedDirectory
from pipeline.engine.errors import CorruptArtifactError
from pipeline.export.deidentified_text import deidentified
from pipeline.export.parity import spread_rows

if TYPE_CHECKING:
    import keras

REAL_ROWS = 8


class CheckedRun(CheckedDirectory):
    """A run as bundles are made of it. Raises as CheckedDirectory, and MissingArtifactError where s01 has not run."""

    def __init__(self, run_dir: Path | str) -> None:
        super().__init__(run_dir)
        dataset: dict[str, Any] = self.load_json("dataset")
        self.dataset = dataset | {"leakage": self.deidentified(dataset.get("leakage", []))}

    def load_network(self, name: str) -> keras.Model:
        """The network stored as ``<name>_weights`` and ``<name>_architecture``."""
        from pipeline.models.stored_models import load_model

        return load_model(*self.network_files(name))

    def network_files(self, name: str) -> tuple[Path, Path]:
        """Checked weights and architecture files of a network."""
        return self.artifact(f"{name}_weights"), self.artifact(f"{name}_architecture")

    def stored_scans(self, profile: Profile, rows: int = REAL_ROWS) -> np.ndarray:
        """``rows`` scans spread over the run's, preprocessed by ``profile``, uint8 ``(rows, S, S)``.

        Raises CorruptArtifactError where no array of s01 has that profile.
        """
        wanted = profile.model_dump(mode="json")
        for name, recorded in self.dataset["profiles"].items():
            if Profile(**recorded).model_dump(mode="json") == wanted and self.has(f"pixels_{name}"):
                pixels = self.load(f"pixels_{name}")
                return np.array(pixels[spread_rows(len(pixels), rows)])
        raise CorruptArtifactError(
            f"no array of s01 has the network's profile {wanted}.", "Run s01 and its stage again with one configuration."
        )

    def training(self) -> dict[str, Any]:
        """What a bundle says of its training: seed, configuration, versions of packages, warnings of all stages."""
        packages = {name: version for m in self.manifests.values() for name, version in m.packages.items()}
        return {"seed": self.config.get("seed"), "config": self.config, "packages": packages, "warnings": self.warnings()}

    def warnings(self) -> list[str]:
        """Warnings of all stages that name no scan and no patient, with folders of this machine left out of them."""
        record = json.loads((self.path / "run.json").read_text(encoding="utf-8"))
        texts = super().warnings()
        for folder in (str(folder) for folder in (record.get("data"), self.path) if folder):
            texts = [text.replace(folder.rstrip("/") + "/", "").replace(folder, "the data folder") for text in texts]
        return self.deidentified(texts)

    def deidentified(self, texts: Sequence[str]) -> list[str]:
        """What the run says, for whoever gets its bundle: see ``deidentified``."""
        if not texts:
            return []
        with self.artifact("scan_index").open(newline="", encoding="utf-8") as stream:
            return deidentified(texts, csv.DictReader(stream))
