"""A run folder for readers: its configuration and artifacts by name, without the stages' code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pipeline.engine.arrays import Array, open_array
from pipeline.engine.contract import MANIFEST_NAME
from pipeline.engine.errors import CorruptArtifactError, MissingArtifactError, did_you_mean
from pipeline.engine.manifest import Manifest, read_manifest
from pipeline.engine.record import read_record, recorded_invocation


class RunDirectory:
    """Reads what a run has committed. Raises MissingArtifactError where `run_dir` is not a run folder.

    `config` is the validated configuration as plain JSON values, by top-level key.
    """

    def __init__(self, run_dir: Path | str) -> None:
        self.path = Path(run_dir)
        self._record = read_record(self.path)
        self.config: dict[str, Any] = self._record["config"]
        self.manifests: dict[str, Manifest] = {}
        for folder in sorted(path.parent for path in self.path.glob(f"s*/{MANIFEST_NAME}")):
            manifest = read_manifest(folder)
            if manifest is not None:
                self.manifests[folder.name] = manifest

    def has(self, name: str) -> bool:
        """Whether the artifact has been made."""
        return any(name in manifest.outputs for manifest in self.manifests.values())

    def declares(self, name: str) -> bool:
        """Whether a stage of the run makes such an artifact, done or not."""
        return any(name in entry["artifacts"] for entry in self._record["stages"])

    def artifact(self, name: str) -> Path:
        """Return an artifact's path.

        Raises MissingArtifactError naming the command that makes it, and CorruptArtifactError
        where the file's size is not the committed one (`verify` compares the content).
        """
        for stage, manifest in self.manifests.items():
            if name in manifest.outputs:
                output = manifest.outputs[name]
                path = self.path / stage / output.file
                if not path.exists():
                    mend = f"To make it again: {self.command(stage, force=True)}"
                    raise MissingArtifactError(f"{path} is missing.", mend)
                if path.is_file() and path.stat().st_size != output.size:
                    mend = f"To make it again: {self.command(stage, force=True)}"
                    raise CorruptArtifactError(f"{path} was edited after it was made.", mend)
                return path
        raise self._not_made(name)

    def load(self, name: str) -> Array:
        """Map an array artifact read-only."""
        return open_array(self.artifact(name))

    def load_json(self, name: str) -> Any:
        """Read a JSON artifact. Raises CorruptArtifactError."""
        path = self.artifact(name)
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise CorruptArtifactError(f"{path} is not JSON ({error}).") from error

    def warnings(self) -> list[str]:
        """Return every warning of every stage, as "stage: sentence", in the run's order."""
        return [
            f"{stage}: {text}" for stage, manifest in self.manifests.items() for text in manifest.warnings
        ]

    def _not_made(self, name: str) -> MissingArtifactError:
        stages = self._record["stages"]
        declared = {artifact: entry["name"] for entry in stages for artifact in entry["artifacts"]}
        if name in declared:
            return MissingArtifactError(
                f"The artifact {name!r} is not in {self.path}: {declared[name]} has not made it.",
                f"Run: {self.command(declared[name])}",
            )
        near = did_you_mean(name, declared)
        return MissingArtifactError(f"No stage of the run {self.path} makes an artifact {name!r}.{near}")

    def command(self, only: str | None = None, force: bool = False) -> str:
        """The command that brings the run up to date, or makes one stage: at the place where the run lies now."""
        stages = () if only is None else (only.partition("_")[0],)
        return recorded_invocation(self.path, self._record).run(only=stages, force=force)
