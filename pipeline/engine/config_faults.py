"""Validation errors in words: file and line, key path, value, what is allowed, and the nearest known key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from pipeline.engine.errors import did_you_mean
from pipeline.engine.written import Written


def describe_faults(error: ValidationError, model: type[BaseModel], name: str, section: Written) -> str:
    """Describe the first fault in full and the key paths of the others, on one line.

    Unknown keys come first: a misspelt key is often the cause of the other faults. A file is named with each fault that
    stands in another one than the first.
    """
    faults = sorted(error.errors(include_url=False), key=lambda fault: fault["type"] != "extra_forbidden")
    first = section.along(faults[0]["loc"]).origin
    text = f"{first.words}: {_describe(faults[0], model, name)}"
    others = []
    for fault in faults[1:]:
        origin = section.along(fault["loc"]).origin
        elsewhere = "" if origin.source == first.source and not origin.override else f" ({origin.words})"
        others.append(_path(name, fault["loc"]) + elsewhere)
    others = list(dict.fromkeys(others))
    if others:
        more = ", ".join(others[:4]) + (", …" if len(others) > 4 else "")
        text += f" Also wrong: {more}."
    return text


def _describe(fault: ErrorDetails, model: type[BaseModel], section: str) -> str:
    location, value = fault["loc"], fault["input"]
    path = _path(section, location)
    if fault["type"] == "extra_forbidden":
        known = sorted({name for owner in _models_at(model, location[:-1]) for name in owner.model_fields})
        near = did_you_mean(str(location[-1]), known) or f" Known keys: {', '.join(known)}."
        return f"unknown key {path!r}.{near}"
    if fault["type"] == "missing":
        return f"{path} is missing."
    rule = fault["msg"].removeprefix("Value error, ").removeprefix("Input ")
    rule = rule.replace("should be", "must be", 1).replace("should", "must", 1).rstrip(".")
    near = _nearest_choice(fault, value)
    return f"{path} is {_short(value)}: {'it ' if rule.startswith('must') else ''}{rule}.{near}"


def _nearest_choice(fault: ErrorDetails, value: Any) -> str:
    """For a choice among named values, the nearest one."""
    if fault["type"] not in {"literal_error", "enum"} or not isinstance(value, str):
        return ""
    expected = str(fault.get("ctx", {}).get("expected", ""))
    return did_you_mean(value, [part for part in expected.split("'") if part.strip(" ,") not in {"", "or"}])


def _path(section: str, location: Sequence[int | str]) -> str:
    return ".".join([section, *(str(part) for part in location)])


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"


def _models_at(model: type[BaseModel], location: Sequence[int | str]) -> list[type[BaseModel]]:
    """Return the models that may stand at `location`; positions, keys and union tags are passed over."""
    models = [model]
    for part in location:
        fields = [owner.model_fields[part] for owner in models if part in owner.model_fields]
        if fields:
            models = [inner for found in fields for inner in _models_in(found.annotation)]
        else:
            models = [owner for owner in models if owner.__name__ == part] or models
    return models


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in get_args(annotation) for model in _models_in(inner)]
