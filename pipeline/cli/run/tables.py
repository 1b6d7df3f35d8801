"""Plans, states, checks and descriptions as text for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from pipeline.cli.tables import show
from pipeline.engine.planner import Step
from pipeline.engine.survey import StageSurvey
from pipeline.engine.verification import FileCheck

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
    table = _table("stage", "action", "reason")
    for step in steps:
        table.add_row(step.name, _coloured(step.action), step.reason)
    remedies = [step.error.remedy for step in steps if step.error is not None and step.error.remedy]
    show(table, *remedies[:1])


def print_surveys(surveys: Sequence[StageSurvey]) -> None:
    table = _table("stage", "state", "made in", "reason")
    for survey in surveys:
        duration = "" if survey.duration_s is None else f"{survey.duration_s:.1f} s"
        table.add_row(survey.stage, _coloured(survey.state), duration, survey.reason)
    show(table)
    for survey in surveys:
        show(*(f"warning: {survey.stage}: {warning}" for warning in survey.warnings))
        show(*(f"accepted: {survey.stage}: {entry['reason']} ({entry['at']})" for entry in survey.accepted))


def print_checks(checks: Sequence[FileCheck]) -> None:
    wrong = [check for check in checks if check.state != "ok"]
    show(f"{len(checks)} files read, {len(checks) - len(wrong)} as committed")
    if wrong:
        table = _table("file", "state", "committed", "found")
        for check in wrong:
            name = f"{check.stage}/{check.file}"
            table.add_row(name, _coloured(check.state), check.expected[:12], check.found[:12])
        show(table)


def print_listing(stages: Sequence[dict[str, str]]) -> None:
    table = _table("stage", "what it does")
    for stage in stages:
        table.add_row(stage["name"], stage["summary"])
    show(table)


def print_description(description: dict[str, Any]) -> None:
    keys = _table("key", "type", "default", "bounds", "meaning")
    for entry in description["config"]:
        default = "required" if entry["required"] else str(entry["default"])
        keys.add_row(entry["key"], entry["type"], default, entry["bounds"], entry["description"])
    show(f"{description['name']}: {description['summary']}", keys)
    if description["outputs"] is None:
        show("Its inputs and outputs depend on the configuration: give one with -c.")
        return
    reads = [item["name"] + (" (optional)" if item["optional"] else "") for item in description["inputs"]]
    show("reads: " + (", ".join(reads) or "no artifact"), _outputs_table(description["outputs"]))


def _outputs_table(outputs: Sequence[dict[str, Any]]) -> Table:
    table = _table("makes", "file", "shape", "dtype", "unit", "meaning")
    for item in outputs:
        shape = "" if item["shape"] is None else "(" + ", ".join(map(str, item["shape"])) + ")"
        table.add_row(item["name"], item["file"], shape, item["dtype"] or "", item["unit"], item["meaning"])
    return table


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _coloured(word: str) -> Text:
    return Text(word, style=_STYLES.get(word, ""))
