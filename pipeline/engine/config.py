"""The configuration of a run: one YAML file, validated as a whole before any work."""

from __future__ import annotations

import copy
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from pipeline.engine.config_faults import describe_faults
from pipeline.engine.errors import ConfigError, UsageError, did_you_mean

if TYPE_CHECKING:
    from pipeline.engine.contract import Stage

LARGEST_SEED = 2**31 - 1
TOP_LEVEL_KEYS = ("system", "seed", "description")


class StageConfig(BaseModel):
    """Base of every stage's configuration: unknown keys refused, frozen, no silent conversion."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    def check_with(self, others: Mapping[str, StageConfig]) -> None:
        """Check this section against the others of the run (keyed by short id).

        Raises ConfigError where they contradict each other.
        """


@dataclass(frozen=True)
class RunConfig:
    """A validated configuration.

    `stages` holds the sections by short id, in the run's order; `raw` is the whole as plain JSON
    values with every default filled in. `source` and `overrides` say where it came from.
    """

    system: str
    description: str
    seed: int
    stages: Mapping[str, StageConfig]
    raw: Mapping[str, Any]
    source: Path | None = None
    overrides: tuple[str, ...] = field(default=())


def load_run_config(path: Path | str, stages: Sequence[Stage], overrides: Sequence[str] = ()) -> RunConfig:
    """Read and validate a YAML 1.2 file, after setting `overrides` such as ``"s04.epochs=20"``.

    Raises ConfigError naming the file, the key, its value and what is allowed; UsageError for a
    malformed override.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        near = did_you_mean(path.name, [p.name for p in path.parent.glob("*.yaml")])
        raise ConfigError(f"Cannot read the configuration {path}: {_cause(error)}.{near}") from error
    document = _parse_yaml(text, str(path))
    if not isinstance(document, dict):
        raise ConfigError(f"{path}: not a table of keys.", "Write 'system:' and a section per stage.")
    for override in overrides:
        _apply_override(document, override)
    return build_run_config(document, stages, source=path, overrides=overrides)


def build_run_config(
    document: Mapping[str, Any],
    stages: Sequence[Stage],
    source: Path | None = None,
    overrides: Sequence[str] = (),
) -> RunConfig:
    """Validate a configuration given as a table. Raises ConfigError."""
    where = str(source) if source else "configuration"
    by_id = {stage.id: stage for stage in stages}
    _check_top_level(document, by_id, where)
    sections: dict[str, StageConfig] = {}
    for short, stage in by_id.items():
        if short in document:
            sections[short] = _validate_section(stage, document[short], where)
    if not sections:
        raise ConfigError(f"{where}: no stage is named.", f"Add a section: {', '.join(by_id)}.")
    for section in sections.values():
        section.check_with(sections)
    seed = int(document.get("seed", 0))
    system = str(document["system"])
    description = str(document.get("description") or "")
    raw: dict[str, Any] = {"system": system, "description": description, "seed": seed}
    raw |= {short: section.model_dump(mode="json") for short, section in sections.items()}
    return RunConfig(system, description, seed, sections, raw, source, tuple(overrides))


def _check_top_level(document: Mapping[str, Any], by_id: Mapping[str, Stage], where: str) -> None:
    for key in document:
        if key in TOP_LEVEL_KEYS or key in by_id:
            continue
        full_names = {stage.name: short for short, stage in by_id.items()}
        hint = f" Write {full_names[key]!r}." if key in full_names else ""
        hint = hint or did_you_mean(str(key), [*TOP_LEVEL_KEYS, *by_id])
        kind = "stage" if str(key)[:1] == "s" and str(key)[1:2].isdigit() else "key"
        raise ConfigError(f"{where}: unknown {kind} {str(key)!r}.{hint}", f"Known: {', '.join(by_id)}.")
    if not isinstance(document.get("system"), str) or not document["system"].strip():
        raise ConfigError(f"{where}: 'system' is missing.", "Such as: system: respiratory_mtl")
    seed = document.get("seed", 0)
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed <= LARGEST_SEED:
        raise ConfigError(f"{where}: seed is {seed!r}: it must be a whole number from 0 to {LARGEST_SEED}.")


def _validate_section(stage: Stage, section: Any, where: str) -> StageConfig:
    values = {} if section is None else section
    if not isinstance(values, dict):
        raise ConfigError(f"{where}: {stage.id} is {values!r}: it must be a table of keys.")
    try:
        # Strict validation accepts a list for a tuple, or a string for a path, only as JSON.
        return stage.config.model_validate_json(json.dumps(values, default=str))
    except ValidationError as error:
        raise ConfigError(f"{where}: {describe_faults(error, stage.config, stage.id, values)}") from error


def _parse_yaml(text: str, where: str) -> Any:
    try:
        return YAML(typ="safe", pure=True).load(io.StringIO(text))
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" line {mark.line + 1}" if mark is not None else ""
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise ConfigError(f"{where}{line}: not valid YAML: {problem}.") from error


def _apply_override(document: dict[str, Any], override: str) -> None:
    path, equals, text = override.partition("=")
    keys = path.strip().split(".")
    if not equals or not all(keys):
        raise UsageError(f"--set {override!r} is not of the form key.path=value.", "Example: s04.epochs=20")
    if keys[0] not in document and keys[0] not in TOP_LEVEL_KEYS:
        near = did_you_mean(keys[0], document)
        raise ConfigError(f"--set {override!r}: this run has no section {keys[0]!r}.{near}")
    value = _parse_yaml(text, f"--set {override!r}") if text.strip() else None
    place: Any = document
    for key in keys[:-1]:
        place = _descend(place, key, override)
    last = keys[-1]
    if isinstance(place, list):
        _descend(place, last, override)
        place[int(last)] = value
    else:
        place[last] = value


def _descend(place: Any, key: str, override: str) -> Any:
    if isinstance(place, list):
        if not key.isdigit() or int(key) >= len(place):
            raise ConfigError(f"--set {override!r}: {key!r} is not a position from 0 to {len(place) - 1}.")
        return place[int(key)]
    if place.get(key) is None:
        place[key] = {}
    inner = place[key] = copy.copy(place[key])
    if not isinstance(inner, dict | list):
        raise ConfigError(f"--set {override!r}: {key!r} is {inner!r}, not a table.")
    return inner


def _cause(error: OSError | UnicodeDecodeError) -> str:
    return (error.strerror or str(error)).lower() if isinstance(error, OSError) else "it is not UTF-8 text"
