"""A run folder whose artifacts are compared with their manifests before they are given out: for whoever quotes its numbers."""

from __future__ import annotations

from pathlib import Path

from pipeline.engine.errors import CorruptArtifactError, StaleArtifactError
from pipeline.engine.files import sha256_file
from pipeline.engine.rundir import RunDirectory


class CheckedDirectory(RunDirectory):
    """The artifacts of a run, each compared with the committed hash before it is given out.

    Raises:
        MissingArtifactError: not a run folder.
        StaleArtifactError: a stage was made from artifacts that have been made again since.
        CorruptArtifactError, here and of whatever reads an artifact: it was changed after it was made.
    """

    def __init__(self, run_dir: Path | str) -> None:
        super().__init__(run_dir)
        self._sound: set[str] = set()
        self._refuse_stale()

    def artifact(self, name: str) -> Path:
        """The file or the folder of an artifact, its content compared with the committed hashes."""
        path = super().artifact(name)
        if name not in self._sound:
            stage, output = next((s, m.outputs[name]) for s, m in self.manifests.items() if name in m.outputs)
            for file, committed in output.files.items():
                self._compare(self.path / stage / file, committed)
            self._sound.add(name)
        return path

    def _compare(self, path: Path, committed: str) -> None:
        stage = path.relative_to(self.path).parts[0].partition("_")[0]
        mend = f"Run its stage again: --only {stage} --force"
        if not path.is_file():
            raise CorruptArtifactError(f"{path} is missing from its stage's artifact.", mend)
        found = sha256_file(path)
        if found != committed:
            raise CorruptArtifactError(
                f"{path} was changed after it was made (SHA-256 {found[:12]}…, committed {committed[:12]}…).", mend
            )

    def _refuse_stale(self) -> None:
        made = {name: (stage, output.sha256) for stage, m in self.manifests.items() for name, output in m.outputs.items()}
        for stage, manifest in self.manifests.items():
            for name, read in manifest.inputs.items():
                producer, present = made.get(name, ("", read))
                if read and read != present:
                    raise StaleArtifactError(
                        f"{stage} was made from another {name!r} than {producer} now holds.",
                        f"Bring the run up to date: {self.command()}",
                    )
