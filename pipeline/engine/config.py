"""The configuration of a run: YAML files laid over each other, validated as a whole before any work."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from pydantic import ConfigDict, ValidationError

from pipeline.engine.config_faults import describe_faults
from pipeline.engine.config_files import BASE, read_config_file
from pipeline.engine.errors import ConfigError, did_you_mean
from pipeline.engine.overrides import TOP_LEVEL_KEYS, with_override
from pipeline.engine.settings import Settings
from pipeline.engine.written import Origin, Written, written

if TYPE_CHECKING:
    from pipeline.engine.contract import Stage

T = TypeVar("T")
LARGEST_SEED = 2**31 - 1
_LEADING_PLACE = re.compile(r"s\d\d(\.\w+)*")


class StageConfig(Settings):
    """Base of every stage's configuration: unknown keys refused, frozen, no silent conversion."""

    model_config = ConfigDict(strict=True)

    def following(self, others: Mapping[str, StageConfig]) -> Self:
        """This section with what it takes over from the others of the run (keyed by short id); itself where there is nothing.

        Raises as `check_with`.
        """
        return self

    def check_with(self, others: Mapping[str, StageConfig]) -> None:
        """Check this section against the others of the run (keyed by short id).

        Raises ConfigError where they contradict each other; its message begins with the place of the setting.
        """


@dataclass(frozen=True)
class RunConfig:
    """A validated configuration.

    `stages` holds the sections by short id, in the run's order; `raw` is the whole as plain JSON
    values with every default filled in. `source` and `overrides` say where it came from, and
    `written`, value by value, where each was written.
    """

    system: str
    description: str
    seed: int
    stages: Mapping[str, StageConfig]
    raw: Mapping[str, Any]
    written: Written = field(repr=False, compare=False)
    source: Path | None = None
    overrides: tuple[str, ...] = field(default=())


def load_run_config(path: Path | str, stages: Sequence[Stage], overrides: Sequence[str] = ()) -> RunConfig:
    """Read and validate a YAML 1.2 file and its bases, after setting `overrides` such as ``"s04.fit.epochs=20"``.

    Raises ConfigError naming the file and line, the key, its value and what is allowed; UsageError for a
    malformed override.
    """
    path = Path(path)
    tree = read_config_file(path)
    for override in overrides:
        tree = with_override(tree, override)
    return _build(tree, stages, path, overrides)


def build_run_config(
    document: Mapping[str, Any],
    stages: Sequence[Stage],
    source: Path | None = None,
    overrides: Sequence[str] = (),
    read_from: str = "configuration",
) -> RunConfig:
    """Validate a configuration given as a table. read_from: what its faults are said to stand in. Raises ConfigError."""
    return _build(written(document, Origin(read_from)), stages, source, overrides)


def _build(tree: Written, stages: Sequence[Stage], source: Path | None, overrides: Sequence[str]) -> RunConfig:
    by_id = {stage.id: stage for stage in stages}
    _check_top_level(tree, by_id)
    sections = {short: _validate_section(stage, tree.value[short]) for short, stage in by_id.items() if short in tree.value}
    if not sections:
        raise ConfigError(f"{tree.origin.source}: no stage is named.", f"Add a section: {', '.join(by_id)}.")
    # In the run's order: a section follows those that were settled before it.
    for short in sections:
        sections[short] = _told_where(tree, partial(sections[short].following, sections))
    for section in sections.values():
        _told_where(tree, partial(section.check_with, sections))
    document = tree.plain
    seed, system = int(document.get("seed", 0)), str(document["system"])
    description = str(document.get("description") or "")
    raw: dict[str, Any] = {"system": system, "description": description, "seed": seed}
    raw |= {short: section.model_dump(mode="json") for short, section in sections.items()}
    return RunConfig(system, description, seed, sections, raw, tree, source, tuple(overrides))


def _check_top_level(tree: Written, by_id: Mapping[str, Stage]) -> None:
    for key, inner in tree.value.items():
        if key in TOP_LEVEL_KEYS or key in by_id:
            continue
        full_names = {stage.name: short for short, stage in by_id.items()}
        hint = f" Write {full_names[key]!r}." if key in full_names else ""
        hint = hint or did_you_mean(key, [*TOP_LEVEL_KEYS, BASE, *by_id])
        kind = "stage" if key[:1] == "s" and key[1:2].isdigit() else "key"
        raise ConfigError(f"{inner.origin.words}: unknown {kind} {key!r}.{hint}", f"Known: {', '.join(by_id)}.")
    where, system = tree.along(("system",)).origin, tree.value.get("system")
    if system is None or not isinstance(system.value, str) or not system.value.strip():
        said = f"{where.source}: 'system' is missing" if system is None else f"{where.words}: system is {system.plain!r}, no name"
        raise ConfigError(f"{said}.", "Such as: system: respiratory_mtl")
    seed = tree.value["seed"].plain if "seed" in tree.value else 0
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed <= LARGEST_SEED:
        where = tree.along(("seed",)).origin
        raise ConfigError(f"{where.words}: seed is {seed!r}: it must be a whole number from 0 to {LARGEST_SEED}.")


def _validate_section(stage: Stage, section: Written) -> StageConfig:
    values = {} if section.value is None else section.plain
    if not isinstance(values, dict):
        raise ConfigError(f"{section.origin.words}: {stage.id} is {values!r}: it must be a table of keys.")
    try:
        # Strict validation accepts a list for a tuple, or a string for a path, only as JSON.
        return stage.config.model_validate_json(json.dumps(values, default=str), strict=True)
    except ValidationError as error:
        raise ConfigError(describe_faults(error, stage.config, stage.id, section)) from error


def _told_where(tree: Written, check: Callable[[], T]) -> T:
    """What a check gives; a ConfigError of it that begins with the place of a setting says where that was written."""
    try:
        return check()
    except ConfigError as error:
        place = _LEADING_PLACE.match(error.message)
        where = tree.along(place[0].split(".") if place else ()).origin
        raise ConfigError(f"{where.words}: {error.message}", error.remedy) from error
