"""A stage's description for people: its settings section by section, what it reads and what it makes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from pipeline.cli.run.setting_sections import default_words, setting_sections
from pipeline.cli.telling.tables import show

NARROWEST_TEXT = 36


def print_description(description: dict[str, Any]) -> None:
    """Fits a terminal of 80 columns; where inputs and outputs are not known without a configuration, says so."""
    show(Text(f"{description['name']}: {description['summary']}"))
    for section in setting_sections(description):
        show("", Text(f"{section.path}: {section.meaning}"), _entries(map(_setting, section.settings)))
    if description["outputs"] is None:
        show("", Text("What it reads and makes depends on the configuration: give one with -c."))
        return
    reads = [item["name"] + (" (optional)" if item["optional"] else "") for item in description["inputs"]]
    show("", Text("reads: " + (", ".join(reads) or "no artifact")))
    show("", "makes:", _entries(map(_artifact, description["outputs"])))


def _setting(setting: dict[str, Any]) -> tuple[str, str, str]:
    default = default_words(setting)
    kind = setting["words"] + (f"; {default}" if default == "required" else f"; default {default}" if default else "")
    return setting["key"], kind, setting["description"]


def _artifact(artifact: dict[str, Any]) -> tuple[str, str, str]:
    shape = "" if artifact["shape"] is None else "(" + ", ".join(map(str, artifact["shape"])) + ")"
    layout = " ".join(part for part in (shape, artifact["dtype"] or "", artifact["unit"]) if part)
    return artifact["name"], f"{artifact['file']}" + (f"  {layout}" if layout else ""), artifact["meaning"]


def _entries(rows: Iterable[tuple[str, str, str]]) -> Padding:
    """Name on the left; beside it what it is and, beneath, what it means."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(overflow="fold")
    table.add_column(overflow="fold", min_width=NARROWEST_TEXT)
    for name, kind, meaning in rows:
        table.add_row(Text(name, style="bold"), Text(kind, style="cyan") + Text(f"\n{meaning}"))
    return Padding(table, (0, 0, 0, 2))
