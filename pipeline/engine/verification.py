"""Reads every committed file again and compares it with its manifest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pipeline.engine.contract import MANIFEST_NAME
from pipeline.engine.errors import CorruptArtifactError, MissingArtifactError, PipelineError
from pipeline.engine.files import sha256_file
from pipeline.engine.manifest import read_manifest
from pipeline.engine.progress import Reporter
from pipeline.engine.record import read_record, recorded_invocation

Finding = Literal["ok", "edited", "missing", "unreadable", "undeclared"]


@dataclass(frozen=True)
class FileCheck:
    """One file of a run: `expected` and `found` are SHA-256 digests, or empty."""

    stage: str
    artifact: str
    file: str
    state: Finding
    expected: str = ""
    found: str = ""


def verify_run(run_dir: Path, reporter: Reporter | None = None) -> list[FileCheck]:
    """Hash every committed file of a run, whatever the hash cache says.

    Raises MissingArtifactError where `run_dir` is not a run folder.
    """
    stages = [entry["name"] for entry in read_record(run_dir)["stages"]]
    reporter = reporter or Reporter(quiet=True)
    checks: list[FileCheck] = []
    for name in reporter.track(stages, label="verify"):
        checks += _verify_stage(run_dir / name, name)
    return checks


def verification_error(run_dir: Path, checks: list[FileCheck]) -> PipelineError | None:
    """Return what `verify` ends with: None where every file is as committed."""
    wrong = {state: [c for c in checks if c.state == state] for state in ("edited", "unreadable", "missing")}
    damaged = wrong["edited"] + wrong["unreadable"]
    if not damaged and not wrong["missing"]:
        return None
    first = (damaged or wrong["missing"])[0]
    count = len(damaged) + len(wrong["missing"])
    message = f"{first.stage}/{first.file} is {first.state}"
    message += f", and so are {count - 1} more." if count > 1 else "."
    mend = f"Put it back, or make it again: {_run_again(run_dir, first.stage)}"
    return (CorruptArtifactError if damaged else MissingArtifactError)(message, mend)


def _run_again(run_dir: Path, stage: str) -> str:
    return recorded_invocation(run_dir, read_record(run_dir)).run(only=(stage.partition("_")[0],), force=True)


def _verify_stage(folder: Path, name: str) -> Iterator[FileCheck]:
    try:
        manifest = read_manifest(folder)
    except CorruptArtifactError:
        yield FileCheck(name, "", MANIFEST_NAME, "unreadable")
        return
    if manifest is None:
        if folder.exists():
            yield FileCheck(name, "", MANIFEST_NAME, "missing")
        return
    known = {MANIFEST_NAME}
    for artifact, output in manifest.outputs.items():
        for file, expected in output.files.items():
            known.add(file)
            yield _verify_file(folder, FileCheck(name, artifact, file, "ok", expected))
    for path in sorted(folder.rglob("*")):
        file = path.relative_to(folder).as_posix()
        if path.is_file() and file not in known:
            yield FileCheck(name, "", file, "undeclared")


def _verify_file(folder: Path, check: FileCheck) -> FileCheck:
    state: Finding = "ok"
    found = ""
    try:
        found = sha256_file(folder / check.file)
        state = "ok" if found == check.expected else "edited"
    except (FileNotFoundError, NotADirectoryError):
        state = "missing"
    return FileCheck(check.stage, check.artifact, check.file, state, check.expected, found)
