"""The state of every stage of a run, for people and scripts; nothing is changed or locked."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pipeline.engine.config import RunConfig
from pipeline.engine.contract import Stage
from pipeline.engine.errors import CorruptArtifactError
from pipeline.engine.hash_cache import HashCache
from pipeline.engine.inspection import Inspector, StageState
from pipeline.engine.invocation import Invocation
from pipeline.engine.outputs import refuse_inside
from pipeline.engine.planner import Planner, Step
from pipeline.engine.record import data_folder
from pipeline.engine.runner import CACHE_FILE
from pipeline.engine.wiring import Wiring, wire

Condition = Literal["fresh", "stale", "absent", "missing", "edited", "unreadable"]


@dataclass(frozen=True)
class StageSurvey:
    """One stage's condition, why it is so, and what its manifest tells."""

    stage: str
    state: Condition
    reason: str
    duration_s: float | None = None
    finished_at: str = ""
    warnings: list[str] = field(default_factory=list)
    accepted: list[dict[str, str]] = field(default_factory=list)


def survey_run(
    config: RunConfig,
    stages: Sequence[Stage],
    run_dir: Path,
    data: Path | str | None = None,
    hashes: HashCache | None = None,
) -> list[StageSurvey]:
    """Return every stage's condition. A stage that rests on one that is not fresh is stale itself.

    hashes: what remembers those of files; the run's own cache by default, to which new ones are added.
    """
    wiring = wire(config, stages)
    surveys: dict[str, StageSurvey] = {}
    with nullcontext(hashes) if hashes is not None else HashCache(cache_file(run_dir)) as cache:
        inspector = Inspector(wiring, config, run_dir, data_folder(data, run_dir), cache)
        for item in wiring:
            surveys[item.name] = _survey(inspector, wiring, item.name, surveys)
    return list(surveys.values())


def plan_run(
    config: RunConfig,
    stages: Sequence[Stage],
    run_dir: Path,
    data: Path | str | None = None,
    first: str | None = None,
    last: str | None = None,
    only: str | Sequence[str] | None = None,
    force: bool = False,
    flags: frozenset[str] = frozenset(),
) -> list[Step]:
    """Return what `run_pipeline` would do with the same arguments, refusals included."""
    wiring = wire(config, stages)
    folder = data_folder(data, run_dir)
    refuse_inside([run_dir], [folder])
    with HashCache(cache_file(run_dir)) as cache:
        inspector = Inspector(wiring, config, run_dir, folder, cache)
        invocation = Invocation(run_dir, config.source, folder, config.overrides, flags)
        return Planner(inspector, wiring.select(first, last, only), force, invocation).plan()


def cache_file(run_dir: Path) -> Path | None:
    """A run that does not exist yet is not begun by looking at it."""
    return run_dir / CACHE_FILE if run_dir.is_dir() else None


def _survey(inspector: Inspector, wiring: Wiring, name: str, earlier: dict[str, StageSurvey]) -> StageSurvey:
    try:
        state = inspector.state(name)
    except CorruptArtifactError as error:
        return StageSurvey(name, "unreadable", error.message)
    shaky = [item for item in wiring.ancestors(name) if earlier[item.name].state != "fresh"]
    condition: Condition = state.kind
    reason = _reason(state)
    if condition == "fresh" and shaky:
        condition, reason = "stale", f"rests on {shaky[0].id}, which is {earlier[shaky[0].name].state}"
    if state.manifest is None:
        return StageSurvey(name, condition, reason)
    manifest = state.manifest
    return StageSurvey(
        name,
        condition,
        reason,
        manifest.duration_s,
        manifest.finished_at,
        manifest.warnings,
        manifest.accepted,
    )


def _reason(state: StageState) -> str:
    if state.kind == "missing":
        return "missing: " + ", ".join(state.missing)
    if state.kind == "edited":
        return "edited after it was made: " + ", ".join(state.edited)
    if state.kind == "stale":
        return "changed: " + "; ".join(state.changes)
    if state.kind == "absent":
        return "not made yet"
    return f"not compared: {state.unchecked}" if state.unchecked else "unchanged"
