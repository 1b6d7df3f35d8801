"""A finished run of the respiratory-scan pipeline as export reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from pipeline.data.run_classes import RunClasses
from pipeline.data.scans import MODALITIES, PAIRED
from pipeline.engine.errors import CorruptArtifactError
from pipeline.export.checked_run import CheckedRun

SYSTEM = "respiratory_mtl"
ROLES = ("task", "shared")


class FinishedRun(CheckedRun):
    """The artifacts of a run of the respiratory-scan pipeline. Raises as CheckedRun, where a stage up to s05 has not run too."""

    def __init__(self, run_dir: Path) -> None:
        super().__init__(run_dir)
        self.choice: dict[str, Any] = self.load_json("choice")
        self.embedders: dict[str, dict[str, Any]] = self.load_json("embedder_recipe")["embedders"]

    @property
    def classes(self) -> RunClasses:
        """What it tells apart."""
        return RunClasses.of(self.dataset)

    @property
    def modalities(self) -> tuple[str, ...]:
        """Those that the run has networks of."""
        return tuple(name for name in MODALITIES if f"{name}_{ROLES[0]}" in self.embedders)

    @property
    def answered(self) -> tuple[str, ...]:
        """What there is a head for: each modality, and the pair where there are both."""
        return (*self.modalities, PAIRED) if len(self.modalities) > 1 else self.modalities

    @property
    def variant(self) -> str:
        """The variant that validation chose."""
        return self.choice["chosen"]

    def probabilities(self, name: str) -> np.ndarray:
        """What the chosen variant's head gave for every scan of a modality, or every pair: float32 ``(N,)``, of more than two
        classes ``(N, K)``."""
        return np.asarray(self.load(f"probabilities_{name}"))[self.choice["variants"].index(self.variant)]

    @property
    def stored_precision(self) -> str:
        """``float16`` where every network's kernels were rounded to it, else ``float32``."""
        recipes = [self.load_json("embedder_recipe")["recipe"], self.load_json("task_recipe"),
                   self.load_json("shared_recipe")["recipe"], self.load_json("head_recipe")]  # fmt: skip
        return "float16" if all(recipe["precision"] == "float16" for recipe in recipes) else "float32"

    def network_files(self, name: str) -> tuple[Path, Path]:
        """Checked weights and architecture files of a network; ``head_<modality>`` is the chosen variant's."""
        if not name.startswith("head_"):
            return super().network_files(name)
        stem = f"head_{self.variant}_{name.removeprefix('head_')}"
        weights, architecture = (self.artifact("heads") / f"{stem}{suffix}" for suffix in (".weights.h5", ".json"))
        for path in (weights, architecture):
            if not path.is_file():
                raise CorruptArtifactError(f"{path} is missing from the stage's heads.", "Run s05 again (--only s05 --force).")
        return weights, architecture
