"""What a `run` ends with: what it made, where to read and look, and what to do next."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.engine.config import RunConfig
from pipeline.engine.contract import Stage
from pipeline.engine.invocation import Invocation, typed
from pipeline.engine.listing import counted
from pipeline.engine.record import data_folder
from pipeline.engine.rundir import RunDirectory
from pipeline.engine.runner import StageOutcome
from pipeline.engine.survey import survey_run
from pipeline.systems import systems_of_run

REPORT, PICTURE = "report.md", ".png"
NEXT = "Next:"


def ending(
    settings: RunConfig, stages: Sequence[Stage], folder: Path, data: Path | None, flags: frozenset[str],
    outcomes: Sequence[StageOutcome],
) -> dict[str, Any]:  # fmt: skip
    """The document of `run --json`.

    behind: stages of the configuration that are not up to date yet. reports: every one of the run. figures: {folder: how many}.
    next: command lines, each of which works as it stands but for the words in capitals.
    """
    run = RunDirectory(folder)
    behind = [survey.stage for survey in survey_run(settings, stages, folder, data) if survey.state != "fresh"]
    made = [folder / stage / output.file for stage, manifest in run.manifests.items() for output in manifest.outputs.values()]
    pictures = [path.parent for path in made if path.suffix == PICTURE]
    return {
        "run": str(folder),
        "stages": [
            {"stage": each.name, "action": each.action, "reason": each.reason, "duration_s": round(each.duration_s, 3)}
            for each in outcomes
        ],
        "behind": behind,
        "reports": [str(path) for path in made if path.name == REPORT],
        "figures": {str(place): pictures.count(place) for place in dict.fromkeys(pictures)},
        "next": _next(settings, run, data, flags, behind),
    }


def ending_words(document: dict[str, Any]) -> str:
    """The document for people; a path or a command stands on a line of its own, to be copied."""
    ran = [stage for stage in document["stages"] if stage["action"] == "ran"]
    seconds = sum(stage["duration_s"] for stage in ran)
    lines = [f"{document['run']}: {len(ran)} run in {seconds:.1f} s, {len(document['stages']) - len(ran)} unchanged"]
    lines += [f"logged as MLflow run {document['mlflow_run']}"] if "mlflow_run" in document else []
    lines += [f"Report: {path}" for path in document["reports"]]
    lines += [f"Figures: {place} ({counted(count, 'picture')})" for place, count in document["figures"].items()]
    if document["behind"]:
        lines.append(f"Not up to date yet: {', '.join(document['behind'])}")
    return "\n".join([*lines, NEXT, *(f"  {command}" for command in document["next"])])


def _next(
    settings: RunConfig, run: RunDirectory, data: Path | None, flags: frozenset[str], behind: Sequence[str]
) -> list[str]:
    """The run itself while something of it is left to do; then what is done with what it holds."""
    if behind:
        return [Invocation(run.path, settings.source, data_folder(data, run.path), settings.overrides, flags).run()]
    place, systems = shlex.quote(str(run.path)), systems_of_run(run)
    commands = [f"compare --run {place} --out DIR", f"export --run {place} --out DIR"]
    chosen = [f"{command} --system {system.name}" if len(systems) > 1 else command for system in systems for command in commands]
    asked = [system.asking("--run", run.path, lambda name: run.has(f"probabilities_{name}")) for system in systems]
    return [typed(words) for words in (*chosen, *asked)] or [typed(f"status --out {place}")]
