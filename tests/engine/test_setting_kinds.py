"""What a setting may be, in words, for every kind of annotation that the stages use."""

from __future__ import annotations

from typing import Annotated, Literal

import pytest
from pydantic import Field

from pipeline.engine.setting_kinds import kind_of, meaning_of, properties_of
from pipeline.engine.setting_values import shown_value
from pipeline.engine.settings import Settings
from pipeline.engine.yaml_text import read_yaml


class Inner(Settings):
    """A section."""

    size: int
    """Its size,
    px."""


Positive = Annotated[float, Field(gt=0)]


@pytest.mark.parametrize(
    ("annotation", "words", "model", "holds"),
    [
        (int, "whole number", "", ""),
        (Annotated[int, Field(ge=1, le=9, multiple_of=3)], "whole number, ≥ 1, ≤ 9, multiple of 3", "", ""),
        (Annotated[float, Field(gt=0, lt=0.5)], "number, > 0, < 0.5", "", ""),
        (bool, "true or false", "", ""),
        (str | None, "text or null", "", ""),
        (Positive | None, "number or null, > 0", "", ""),
        (Literal["a", "b"], "a | b", "", ""),
        (Literal["a", "b"] | None, "a | b | null", "", ""),
        (Annotated[int, Field(ge=0)] | Literal["all"], "whole number or all, ≥ 0", "", ""),
        (tuple[str, ...], "list of texts", "", ""),
        (tuple[int | str, ...], "list of whole numbers or texts", "", ""),
        (tuple[Literal["a", "b"], ...], "list of a | b", "", ""),
        (Annotated[tuple[Positive, ...], Field(min_length=1)], "list of numbers, each > 0, length ≥ 1", "", ""),
        (dict[str, str], "table of texts", "", ""),
        (Annotated[dict[str, Literal["a", "b"]], Field(min_length=1)], "table of a | b, length ≥ 1", "", ""),
        (Inner, "section", "Inner", "section"),
        (Inner | None, "section or null", "Inner", "section"),
        (tuple[Inner, ...], "list of sections", "Inner", "list"),
        (dict[str, Inner], "table of sections", "Inner", "table"),
        (None, "null", "", ""),
    ],
)
def test_kinds(annotation, words, model, holds):
    section = type("Section", (Settings,), {"__annotations__": {"key": annotation}})
    (_, schema, required), = properties_of(section.model_json_schema())  # fmt: skip
    kind = kind_of(schema)
    assert (kind.words, kind.model, required) == (words, model, True)
    assert kind.holds == holds or not model


def test_the_docstring_under_a_setting_is_its_meaning_on_one_line():
    schema = type("Section", (Settings,), {"__annotations__": {"inner": Inner}}).model_json_schema()
    assert meaning_of(schema, "Inner") == "A section."
    assert [meaning_of(entry) for _, entry, _ in properties_of(schema, "Inner")] == ["Its size, px."]


@pytest.mark.parametrize(
    "value",
    [None, True, 0, 1.0, 1e-7, 1.5e-7, -2e30, "word", "two words", "", " ", "null", "yes", "1", "1e5", "1.0e-3", "2020-01-01",
     "a: b", "a #b", "*x", "&x", "!x", "OTHER_*", "é", "a\nb", "a\tb", 'say "no"', "-", "?", "~", "0x1f", "0o7", ".5", ".nan",
     "<<", "=", "[a]", ["a, b", None, 1], {"a": {"b": [1.0, "x y"]}, "1": "2", "a: b": 3}, [], {}, "a/b.png", "a-b+c",
     "trailing "],
    ids=repr,
)  # fmt: skip
def test_a_shown_value_is_read_as_what_it_was(value):
    text = f"block: {shown_value(value)}\nlist: [{shown_value(value)}, x]\ntable: {{key: {shown_value(value)}}}"
    read = read_yaml(text, "c.yaml").plain
    for found in (read["block"], read["list"][0], read["table"]["key"]):
        assert found == value and type(found) is type(value)
