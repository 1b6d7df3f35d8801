"""A stage's settings, section by section: what `describe` prints and the documents' tables are made of."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pipeline.engine.setting_values import shown_value

LONGEST_DEFAULT = 60
_PLACES = {"list": ".N", "table": ".NAME", "section": ""}


@dataclass(frozen=True)
class SettingSection:
    """path: where it stands, `s02.embedders.{xray_task, ct_task}` for equal ones side by side, N for a position in a list, NAME
    for a name of one's own. settings: as `describe_stage` gives them."""

    path: str
    meaning: str
    settings: list[dict[str, Any]]


def setting_sections(description: dict[str, Any]) -> list[SettingSection]:
    """Every section of a stage's description, the stage's own first, each before those inside it."""
    short = description["name"].partition("_")[0]
    return list(_sections(short, description["meaning"], description["config"]))


def _sections(path: str, meaning: str, settings: list[dict[str, Any]]) -> Iterator[SettingSection]:
    yield SettingSection(path, meaning, settings)
    alike: dict[str, list[dict[str, Any]]] = {}
    for setting in settings:
        if setting["settings"]:
            alike.setdefault(json.dumps([setting["section"], setting["holds"], setting["settings"]]), []).append(setting)
    for group in alike.values():
        names = [setting["key"] for setting in group]
        place = names[0] if len(names) == 1 else "{" + ", ".join(names) + "}"
        inner = f"{path}.{place}{_PLACES[group[0]['holds']]}"
        yield from _sections(inner, group[0]["section_meaning"], group[0]["settings"])


def default_words(setting: dict[str, Any]) -> str:
    """`required`, or the default as YAML has it, long ones cut; nothing where the defaults stand in the section itself."""
    default = setting["default"]
    if setting["required"]:
        return "required"
    if setting["holds"] == "section" and default is not None:
        return ""
    text = shown_value(default)
    if len(text) <= LONGEST_DEFAULT:
        return text
    return f"{text[: LONGEST_DEFAULT - 10].rpartition(', ')[0]}, … ({len(default)} in all)"
