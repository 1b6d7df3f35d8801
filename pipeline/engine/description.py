"""A stage's declaration in plain values: its configuration's keys, its inputs and outputs."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from pipeline.engine.config import StageConfig
from pipeline.engine.contract import Artifact, Stage
from pipeline.engine.files import plain_json

_BOUNDS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<", "multiple_of": "multiple of", "min_length": "length ≥",
           "max_length": "length ≤"}  # fmt: skip


def describe_stage(stage: Stage, config: StageConfig | None = None) -> dict[str, Any]:
    """Return name, summary, configuration keys, inputs and outputs of a stage.

    Inputs and outputs depend on the configuration: without one, the defaults are used, and both
    are None where the configuration has keys without default.
    """
    section = config if config is not None else _defaults(stage)
    inputs = outputs = None
    if section is not None:
        inputs = [{"name": item.name, "optional": item.optional} for item in stage.inputs(section)]
        outputs = [_describe_artifact(item) for item in stage.outputs(section)]
    values = config.model_dump(mode="json") if config is not None else {}
    return {
        "name": stage.name,
        "summary": stage.summary,
        "config": [_describe_key(stage, key, values) for key in stage.config.model_fields],
        "inputs": inputs,
        "outputs": outputs,
    }


def _defaults(stage: Stage) -> StageConfig | None:
    try:
        return stage.config()
    except ValidationError:
        return None


def _describe_key(stage: Stage, key: str, values: dict[str, Any]) -> dict[str, Any]:
    entry = stage.config.model_fields[key]
    kind = entry.annotation
    bounds = [
        f"{sign} {getattr(rule, name)}"
        for rule in entry.metadata
        for name, sign in _BOUNDS.items()
        if getattr(rule, name, None) is not None
    ]
    default = None if entry.is_required() else entry.get_default(call_default_factory=True)
    return {
        "key": key,
        "type": kind.__name__ if isinstance(kind, type) else str(kind).replace("typing.", ""),
        "required": entry.is_required(),
        "default": _plain(default),
        "value": values.get(key),
        "bounds": ", ".join(bounds),
        "description": entry.description or "",
    }


def _plain(value: Any) -> Any:
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    return plain_json(value)


def _describe_artifact(artifact: Artifact) -> dict[str, Any]:
    return {
        "name": artifact.name,
        "file": artifact.file,
        "shape": list(artifact.shape) if artifact.shape is not None else None,
        "dtype": artifact.dtype,
        "unit": artifact.unit,
        "meaning": artifact.meaning,
    }
