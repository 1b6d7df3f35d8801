"""Every setting says what it means, and `describe` tells every one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from pipeline.engine.description import describe_stage
from stages import STAGES


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models that an annotation names, at any depth."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        for field in annotation.model_fields.values():
            yield from models_in(field.annotation)
    for inner in get_args(annotation):
        yield from models_in(inner)


def models_of(stage) -> list[type[BaseModel]]:
    return list(dict.fromkeys(models_in(stage.config)))


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.id)
def test_no_setting_is_without_a_meaning(stage):
    fields = [(model.__name__, name, field) for model in models_of(stage) for name, field in model.model_fields.items()]
    assert [(model, name) for model, name, field in fields if not (field.description or "").strip().endswith(".")] == []
    assert [model.__name__ for model in models_of(stage) if not (model.__dict__.get("__doc__") or "").strip()] == []


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.id)
def test_what_describe_tells_is_every_setting_of_every_model(stage):
    """The walk along the JSON schema and the one along the classes find the same models and keys."""
    told: dict[str, set[str]] = {}

    def gather(settings, model):
        told.setdefault(model, set()).update(setting["key"] for setting in settings)
        for setting in settings:
            if setting["section"]:
                gather(setting["settings"], setting["section"])

    gather(describe_stage(stage)["config"], stage.config.__name__)
    assert told == {model.__name__: set(model.model_fields) for model in models_of(stage)}
