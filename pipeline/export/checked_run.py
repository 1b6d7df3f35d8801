"""A finished run as export reads it: every file checked against its manifest, every stage against its inputs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.engine.errors import CorruptArtifactError, StaleArtifactError, UsageError
from pipeline.engine.files import sha256_file
from pipeline.engine.rundir import RunDirectory

if TYPE_CHECKING:
    import keras

FIRST_SYSTEM = "respiratory_mtl"


class CheckedRun:
    """The artifacts of a run of one system, for reading. `system` is the subclass's to say.

    Raises:
        MissingArtifactError: not a run folder, or s01 has not run.
        StaleArtifactError: a stage was made from artifacts that have been made again since.
        UsageError: a run of another system.
    """

    system: str

    def __init__(self, run_dir: Path) -> None:
        self.run = RunDirectory(run_dir)
        system = run_system(self.run)
        if system != self.system:
            raise UsageError(f"{run_dir} is a run of {system!r}.", f"This export reads runs of {self.system!r}.")
        self.dataset: dict[str, Any] = self.run.load_json("dataset")
        self._refuse_stale()

    def checked_file(self, name: str) -> Path:
        """The file of an artifact, its content compared with the committed hash.

        Raises:
            CorruptArtifactError: it was changed after it was made.
        """
        path = self.run.artifact(name)
        self._compare(path, next(m.outputs[name].sha256 for m in self.run.manifests.values() if name in m.outputs))
        return path

    def load_network(self, name: str) -> keras.Model:
        """The network stored as ``<name>_weights`` and ``<name>_architecture``."""
        from pipeline.models.stored_models import load_model

        return load_model(*self.network_files(name))

    def network_files(self, name: str) -> tuple[Path, Path]:
        """Checked weights and architecture files of a network."""
        return self.checked_file(f"{name}_weights"), self.checked_file(f"{name}_architecture")

    def warnings(self) -> list[str]:
        """Warnings of all stages, with folders of this machine left out of them."""
        record = json.loads((self.run.path / "run.json").read_text(encoding="utf-8"))
        folders = [str(folder) for folder in (record.get("data"), self.run.path) if folder]
        texts = self.run.warnings()
        for folder in folders:
            texts = [text.replace(folder.rstrip("/") + "/", "").replace(folder, "the data folder") for text in texts]
        return texts

    def packages(self) -> dict[str, str]:
        """Versions of the packages that the stages ran with."""
        return {name: version for m in self.run.manifests.values() for name, version in m.packages.items()}

    def _compare(self, path: Path, committed: str) -> None:
        found = sha256_file(path)
        if found != committed:
            raise CorruptArtifactError(
                f"{path} was changed after it was made (SHA-256 {found[:12]}…, committed {committed[:12]}…).",
                f"Run its stage again: --only {path.relative_to(self.run.path).parts[0].partition('_')[0]} --force",
            )

    def _refuse_stale(self) -> None:
        made = {name: (stage, output.sha256) for stage, m in self.run.manifests.items() for name, output in m.outputs.items()}
        for stage, manifest in self.run.manifests.items():
            for name, read in manifest.inputs.items():
                producer, present = made.get(name, ("", read))
                if read and read != present:
                    raise StaleArtifactError(
                        f"{stage} was made from another {name!r} than {producer} now holds.",
                        f"Bring the run up to date: python run_pipeline.py run -c CONFIG --out {self.run.path}",
                    )


def run_system(run: RunDirectory) -> str:
    """The system of a run's configuration; one that names none is of the first."""
    return run.config.get("system", FIRST_SYSTEM)
