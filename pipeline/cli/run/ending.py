"""What a `run` ends with: what it made, where to read and look, and what to do next."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.engine.config import RunConfig
from pipeline.engine.contract import Stage
from pipeline.engine.invocation import Invocation
from pipeline.engine.listing import counted
from pipeline.engine.record import data_folder
from pipeline.engine.rundir import RunDirectory
from pipeline.engine.runner import StageOutcome
from pipeline.engine.survey import survey_run
from pipeline.next_commands import next_commands

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
    going_on = Invocation(folder, settings.source, data_folder(data, folder), settings.overrides, flags)
    return {
        "run": str(folder),
        "stages": [
            {"stage": each.name, "action": each.action, "reason": each.reason, "duration_s": round(each.duration_s, 3)}
            for each in outcomes
        ],
        "behind": behind,
        "reports": [str(path) for path in made if path.name == REPORT],
        "figures": {str(place): pictures.count(place) for place in dict.fromkeys(pictures)},
        "next": next_commands(run, going_on, behind),
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
