"""Plans, states and checks as text for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rich.text import Text

from pipeline.cli.telling.tables import plain_table, show
from pipeline.engine.planner import Step
from pipeline.engine.survey import StageSurvey
from pipeline.engine.verification import FileCheck
from pipeline.systems import System

_STYLES = {
    "fresh": "green", "skip": "green", "ok": "green", "run": "yellow", "stale": "yellow", "absent": "yellow",
    "undeclared": "yellow", "refuse": "red", "missing": "red", "edited": "red", "unreadable": "red",
}  # fmt: skip


def step_record(step: Step) -> dict[str, Any]:
    """Return a step of a plan as JSON values; `exit_code` and `remedy` are set for a refusal."""
    error = step.error
    return {
        "stage": step.name,
        "action": step.action,
        "reason": step.reason,
        "remedy": error.remedy if error else "",
        "exit_code": error.exit_code if error else 0,
    }


def print_steps(steps: Sequence[Step]) -> None:
    """A plan, and how to mend the first refusal."""
    remedies = [step.error.remedy for step in steps if step.error is not None and step.error.remedy]
    rows = [(step.name, _coloured(step.action), step.reason) for step in steps]
    show(plain_table(("stage", "action", "reason"), rows), *remedies[:1])


def print_surveys(surveys: Sequence[StageSurvey], folder: Path, systems: Iterable[System]) -> None:
    """The stages' states, then what is to be said of each, and which systems the run holds."""
    rows = [
        (survey.stage, _coloured(survey.state), "" if survey.duration_s is None else f"{survey.duration_s:.1f} s", survey.reason)
        for survey in surveys
    ]
    show(plain_table(("stage", "state", "made in", "reason"), rows))
    for survey in surveys:
        show(*(f"warning: {survey.stage}: {warning}" for warning in survey.warnings))
        show(*(f"accepted: {survey.stage}: {entry['reason']} ({entry['at']})" for entry in survey.accepted))
    show(*(f"holds {system.name}: {system.command} --run {folder}" for system in systems))


def print_checks(checks: Sequence[FileCheck]) -> None:
    """How many files are as committed, and which are not."""
    wrong = [
        (f"{check.stage}/{check.file}", _coloured(check.state), check.expected[:12], check.found[:12])
        for check in checks if check.state != "ok"
    ]  # fmt: skip
    show(f"{len(checks)} files read, {len(checks) - len(wrong)} as committed")
    if wrong:
        show(plain_table(("file", "state", "committed", "found"), wrong))


def print_listing(stages: Sequence[dict[str, str]]) -> None:
    """The stages in their order."""
    show(plain_table(("stage", "what it does"), [(stage["name"], stage["summary"]) for stage in stages]))


def _coloured(word: str) -> Text:
    return Text(word, style=_STYLES.get(word, ""))
