"""A stage's declaration in plain values: its settings, its inputs and outputs."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from pipeline.engine.config import RunConfig, StageConfig
from pipeline.engine.contract import Artifact, Stage
from pipeline.engine.setting_kinds import Schema, kind_of, meaning_of, properties_of
from pipeline.engine.value_origins import value_origins


def describe_stage(stage: Stage, config: RunConfig | None = None) -> dict[str, Any]:
    """Return name, summary, settings, inputs and outputs of a stage, and with a configuration its values.

    A setting that is a section, or holds many of one, has theirs under `settings`. Inputs and outputs depend on the
    configuration: without one, the defaults are used, and both are None where the configuration has keys without default.
    """
    section = config.stages.get(stage.id) if config is not None else None
    given = section if section is not None else _defaults(stage)
    inputs = outputs = None
    if given is not None:
        inputs = [{"name": item.name, "optional": item.optional} for item in stage.inputs(given)]
        outputs = [_describe_artifact(item) for item in stage.outputs(given)]
    schema = stage.config.model_json_schema()
    return {
        "name": stage.name,
        "summary": stage.summary,
        "meaning": meaning_of(schema),
        "config": _describe_settings(schema, "", {}),
        "values": value_origins(config, [stage.id]) if config is not None and section is not None else None,
        "inputs": inputs,
        "outputs": outputs,
    }


def _defaults(stage: Stage) -> StageConfig | None:
    try:
        return stage.config()
    except ValidationError:
        return None


def _describe_settings(schema: Schema, model: str, defaults: Any) -> list[dict[str, Any]]:
    """The settings of a stage or section. defaults: what whoever holds the section gives it instead of its own."""
    return [_describe_setting(schema, *entry, defaults or {}) for entry in properties_of(schema, model)]


def _describe_setting(schema: Schema, key: str, entry: Schema, required: bool, defaults: dict[str, Any]) -> dict[str, Any]:
    kind = kind_of(entry)
    default = defaults.get(key, entry.get("default"))
    own = default if kind.holds == "section" else {}
    return {
        "key": key,
        "type": kind.type or "choice",
        "choices": list(kind.choices),
        "bounds": kind.bounds,
        "words": kind.words,
        "required": required and key not in defaults,
        "default": default,
        "description": meaning_of(entry),
        "holds": kind.holds,
        "section": kind.model,
        "section_meaning": meaning_of(schema, kind.model) if kind.model else "",
        "settings": _describe_settings(schema, kind.model, own) if kind.model else [],
    }


def _describe_artifact(artifact: Artifact) -> dict[str, Any]:
    return {
        "name": artifact.name,
        "file": artifact.file,
        "shape": list(artifact.shape) if artifact.shape is not None else None,
        "dtype": artifact.dtype,
        "unit": artifact.unit,
        "meaning": artifact.meaning,
    }
