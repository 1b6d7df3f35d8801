"""`reference`: the pages of the documentation that the code itself writes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.reference.command_line import command_line_page
from pipeline.cli.reference.interface import interface_document
from pipeline.cli.reference.settings_page import settings_page
from pipeline.cli.reference.stage_artifacts import stage_tables
from pipeline.cli.telling.document import AsJson, tell
from pipeline.engine.contract import Stage
from pipeline.engine.errors import DataError
from pipeline.engine.files import atomic_write_text
from pipeline.engine.shipped_files import shipped

COMMAND_LINE, CONFIGURATION, OUTPUTS = "cli.md", "configuration.md", "outputs.md"
INTERFACE = "openapi.json"
BEGIN, END = "<!-- reference: begin -->", "<!-- reference: end -->"


def reference(
    context: typer.Context,
    docs: Annotated[Path, typer.Option("--docs", help="The documentation's folder.")] = Path("docs"),
    as_json: AsJson = False,
) -> None:
    """Write what the code says of itself: cli.md, configuration.md, the artifacts in outputs.md, openapi.json."""
    pages = reference_pages(context.obj, docs)
    for path, text in pages.items():
        atomic_write_text(path, text)
    tell(as_json, {"written": [path.as_posix() for path in pages]}, "\n".join(str(path) for path in pages))


def reference_pages(stages: Sequence[Stage], docs: Path) -> dict[Path, str]:
    """What the pages should hold, by file. Raises DataError where outputs.md has no place for the artifacts."""
    outputs = docs / OUTPUTS
    try:
        text = outputs.read_text(encoding="utf-8")
    except OSError as cause:
        raise DataError(f"{outputs}: cannot be read ({cause}).", "Give --docs the documentation's folder.") from cause
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise DataError(f"{outputs}: has no lines {BEGIN} and {END}.", "Put them where the stages' artifacts belong.")
    tables = stage_tables(stages, shipped("configs"))
    return {
        docs / COMMAND_LINE: command_line_page(),
        docs / CONFIGURATION: settings_page(stages),
        outputs: f"{before}{BEGIN}\n\n{tables}\n{END}{after}",
        docs / INTERFACE: interface_document(),
    }
