"""A run as it is shown: its stages with their states, files and warnings, who works in it, and what comes next."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import psutil  # type: ignore[import-untyped]

from pipeline.engine.commit import STAGING_NAME
from pipeline.engine.errors import CorruptArtifactError, PipelineError
from pipeline.engine.lock import OWNER_NAME, owner_of
from pipeline.engine.manifest import read_manifest
from pipeline.engine.record import read_record, recorded_invocation
from pipeline.engine.rundir import RunDirectory
from pipeline.engine.survey import Condition
from pipeline.next_commands import next_commands
from pipeline.service.runs.run_files import AbsentError, RunFile, files_of, is_stage
from pipeline.service.runs.served_run import ServedRun
from pipeline.service.runs.surveys import Survey, Surveys

CLOCK_S = 2.0
State = Condition | Literal["unknown"]


@dataclass(frozen=True)
class StageView:
    """One stage. state: of the survey, "unknown" where there is none. is_begun: it lies half made in the staging folder."""

    name: str
    summary: str
    state: State
    reason: str
    is_begun: bool = False
    finished_at: str = ""
    duration_s: float | None = None
    warnings: list[str] = field(default_factory=list)
    accepted: list[str] = field(default_factory=list)
    files: list[RunFile] = field(default_factory=list)


@dataclass(frozen=True)
class RunView:
    """A run. working: the process and the host that work in it now. problem: why the states cannot be told."""

    name: str
    system: str
    description: str
    stages: list[StageView]
    working: tuple[int, str] | None
    problem: str
    is_finished: bool
    next: list[str]

    @property
    def fresh(self) -> int:
        """Stages that are up to date."""
        return sum(stage.state == "fresh" for stage in self.stages)

    @property
    def warnings(self) -> list[tuple[str, str]]:
        """Stage and sentence of every warning."""
        return [(stage.name, warning) for stage in self.stages for warning in stage.warnings]


def view_of(run: ServedRun, surveys: Surveys) -> RunView:
    """What there is of a run now. Raises MissingArtifactError, CorruptArtifactError where it is no run any more."""
    record = read_record(run.path)
    survey = surveys.of(run)
    names = [entry["name"] for entry in record["stages"] if isinstance(entry, dict) and is_stage(entry.get("name"))]
    # A stage of the configuration that the record does not name is none of this run.
    stages = [_stage_view(run, name, survey, surveys.summaries.get(name, "")) for name in names]
    config = record["config"]
    return RunView(
        run.name, str(config.get("system", "")), str(config.get("description", "")), stages, _working(run.path),
        survey.problem, survey.is_finished, _next(run, stages) if survey.is_finished and not survey.problem else [],
    )  # fmt: skip


def file_at(run: ServedRun, place: str) -> RunFile:
    """The file of that path in the run. Raises AbsentError where no stage has committed it, or it is of no kind that is shown."""
    stage = place.partition("/")[0]
    try:
        manifest = read_manifest(run.root / stage) if is_stage(stage) and _lies_in(run.root, stage) else None
        found = [file for file in files_of(stage, manifest) if file.place == place] if manifest is not None else []
    except (CorruptArtifactError, TypeError, ValueError, AttributeError, OSError):
        found = []
    if not found:
        raise AbsentError("The run has no such report, figure or table.")
    return found[0]


def _stage_view(run: ServedRun, name: str, survey: Survey, summary: str) -> StageView:
    told = survey.stages.get(name)
    state: State = told.state if told is not None else "unknown"
    reason = told.reason if told is not None else ""
    is_begun = _lies_in(run.root, f"{STAGING_NAME}/{name}")
    try:
        manifest = read_manifest(run.root / name) if _lies_in(run.root, name) else None
        if manifest is None:
            return StageView(name, summary, state, reason, is_begun)
        return StageView(
            name, summary, state, reason, is_begun, str(manifest.finished_at), float(manifest.duration_s),
            list(map(str, manifest.warnings)), [f"{entry['reason']} ({entry['at']})" for entry in manifest.accepted],
            sorted(files_of(name, manifest), key=lambda file: file.file),
        )  # fmt: skip
    except CorruptArtifactError as error:
        return StageView(name, summary, state, reason or error.message, is_begun)
    except (TypeError, ValueError, KeyError, AttributeError, OSError):  # JSON, and no manifest
        return StageView(name, summary, state, reason or "its manifest cannot be read", is_begun)


def _lies_in(root: Path, folder: str) -> bool:
    """Whether it is a folder of the run itself, behind no link."""
    path = root / folder
    return path.is_dir() and path.resolve() == path


def _working(run_dir: Path) -> tuple[int, str] | None:
    """Of this machine's processes only the one that wrote it down; of another machine's what is written."""
    owner = owner_of(run_dir)
    if owner is None or owner[1] != socket.gethostname():
        return owner
    try:
        # A later process may have its number.
        begun = psutil.Process(owner[0]).create_time()
        return owner if begun <= (run_dir / OWNER_NAME).stat().st_mtime + CLOCK_S else None
    except (psutil.Error, OSError, ValueError, OverflowError):
        return None


def _next(run: ServedRun, stages: list[StageView]) -> list[str]:
    behind = [stage.name for stage in stages if stage.state != "fresh"]
    try:
        going_on = recorded_invocation(run.path, read_record(run.path))
        return next_commands(RunDirectory(run.path), going_on, behind)
    except PipelineError:
        return []
