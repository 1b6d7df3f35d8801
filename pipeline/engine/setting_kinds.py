"""What a setting may be, in words: read from the JSON schema that pydantic makes of its model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Schema = Mapping[str, Any]
Holds = Literal["", "section", "list", "table"]

_NAMES = {"integer": "whole number", "number": "number", "string": "text", "boolean": "true or false", "null": "null"}
_BOUNDS = (("minimum", "≥"), ("exclusiveMinimum", ">"), ("maximum", "≤"), ("exclusiveMaximum", "<"),
           ("multipleOf", "multiple of"))  # fmt: skip
_LENGTHS = (("minItems", "≥"), ("minProperties", "≥"), ("maxItems", "≤"), ("maxProperties", "≤"))


@dataclass(frozen=True)
class Kind:
    """type: in words. choices: the values among which it is one. bounds: of numbers, of how many. model: the section that it
    is, or holds many of (`holds`)."""

    type: str
    choices: tuple[Any, ...] = ()
    bounds: str = ""
    model: str = ""
    holds: Holds = ""

    @property
    def words(self) -> str:
        """All of it in a line: `whole number, ≥ 1`, `frozen | finetune`, `list of clahe | opening`."""
        choices = " | ".join(map(str, self.choices))
        named = f"{self.type} {choices}".strip() if self.type.endswith(" of") or not self.type else self.type
        if choices and named == self.type:
            named = f"{named} or {choices}"
        return f"{named}, {self.bounds}" if self.bounds else named


def kind_of(schema: Schema) -> Kind:
    """The kind of one property of a schema."""
    parts = [kind_of(part) for part in schema.get("anyOf", ())]
    if parts:
        return _joined(parts)
    if "$ref" in schema:
        return Kind("section", model=str(schema["$ref"]).rpartition("/")[2], holds="section")
    if "enum" in schema or "const" in schema:
        return Kind("", tuple(schema.get("enum", [schema.get("const")])))
    bounds = [f"{sign} {schema[name]}" for name, sign in _BOUNDS if name in schema]
    lengths = [f"length {sign} {schema[name]}" for name, sign in _LENGTHS if name in schema]
    inner = schema.get("items", schema.get("additionalProperties"))
    if isinstance(inner, Mapping):
        return _many("list" if "items" in schema else "table", inner, lengths)
    return Kind(_NAMES.get(str(schema.get("type")), "any value"), bounds=", ".join(bounds))


def _many(holds: Literal["list", "table"], inner: Schema, lengths: list[str]) -> Kind:
    each = kind_of(inner)
    many = " or ".join(f"{word}s" for word in each.type.split(" or ")) if each.type else ""
    bounds = [f"each {each.bounds}"] if each.bounds else []
    return Kind(f"{holds} of {many}".strip(), each.choices, ", ".join([*bounds, *lengths]), each.model, holds)


def _joined(parts: list[Kind]) -> Kind:
    types = [part.type for part in parts if part.type]
    choices = tuple(choice for part in parts for choice in part.choices)
    bounds = ", ".join(part.bounds for part in parts if part.bounds)
    many = next((part for part in parts if part.model), Kind(""))
    if choices and types == ["null"]:
        return Kind("", (*choices, "null"), bounds)
    return Kind(" or ".join(types), choices, bounds, many.model, many.holds)


def properties_of(schema: Schema, model: str = "") -> Iterator[tuple[str, Schema, bool]]:
    """Key, schema and whether it is required, of every setting of the schema or of a section that it defines."""
    owner = schema["$defs"][model] if model else schema
    required = owner.get("required", ())
    for key, inner in owner.get("properties", {}).items():
        yield key, inner, key in required


def meaning_of(schema: Schema, model: str = "") -> str:
    """What a section, or one setting's schema, is said to mean, on one line."""
    owner = schema["$defs"][model] if model else schema
    return " ".join(str(owner.get("description", "")).split())
