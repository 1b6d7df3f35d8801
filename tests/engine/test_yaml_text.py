"""YAML into values with lines: what is understood, and what is refused in a line."""

from __future__ import annotations

import pytest

from pipeline.engine.errors import ConfigError
from pipeline.engine.yaml_text import read_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("# nothing", None),
        ("a: 1.0e-3\nb: 0o17\nc: yes\nd: ~\ne: [1, x]\nf: true",
         {"a": 1e-3, "b": 15, "c": "yes", "d": None, "e": [1, "x"], "f": True}),
        ("\ufeffa: 1\r\nb: 2\r\n", {"a": 1, "b": 2}),
        ("1: a\n2.5: b\ntrue: c\n~: d\n2020-01-01: e", {"1": "a", "2.5": "b", "true": "c", "null": "d", "2020-01-01": "e"}),
        ("a: 2020-01-01\nb: 2020-13-45", {"a": "2020-01-01", "b": "2020-13-45"}),
        ("a: &x {k: 1, m: 2}\nb: {<<: *x, k: 3}\nc: *x", {"a": {"k": 1, "m": 2}, "b": {"k": 3, "m": 2}, "c": {"k": 1, "m": 2}}),
        ("a: &x {k: 1}\nb: &y {<<: *x, k: 2}\nc: *y\nd: {<<: [*x, *y]}",
         {"a": {"k": 1}, "b": {"k": 2}, "c": {"k": 2}, "d": {"k": 1}}),
        ("a: !override 1.5\nb: !override '1.5'\nc: !override [1]\nd: !override", {"a": 1.5, "b": "1.5", "c": [1], "d": None}),
    ],
)  # fmt: skip
def test_values(text, value):
    found = read_yaml(text, "c.yaml").plain
    assert found == value
    assert value is None or [*map(type, found.values())] == [*map(type, value.values())]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a:\n\t- b", r"line 2: not valid YAML: found character '\\t'"),
        ("a: 1\n---\nb: 2", "line 2: not valid YAML: but found another document"),
        ("a: 1\nb: *nope", "line 2: not valid YAML: found undefined alias 'nope'"),
        ("a: 1\na: 2", "line 2: not valid YAML: duplicate key 'a', first in line 1"),
        ("x: {b: 1, b: 2}", "line 1: not valid YAML: duplicate key 'b'"),
        ("1: a\n'1': b", "line 2: not valid YAML: duplicate key '1'"),
        ("a: &x {k: 1, k: 2}\nb: {<<: *x}", "line 1: not valid YAML: duplicate key 'k'"),
        ("a: &x {b: 1}\nc: {<<: *x, <<: *x}", "line 2: not valid YAML: found duplicate merge key"),
        ("a: {<<: 5}", "line 1: not valid YAML: expected a mapping"),
        ("a: &a [*a]", "line 1: a value contains itself"),
        ("b: 1\na: &a {b: *a}", "line 2: a value contains itself"),
        ("? [a, b]\n: 3", "line 1: a key must be a word or a number"),
        ("{a: 1}: 2", "line 1: a key must be a word or a number"),
        ("a: !foo 3", "line 1: '!foo' is no tag that is known here. Known: !override, !reset"),
        ("a: !!python/object:os.system x", "line 1: .*is no tag that is known here"),
        ("a: !!set {b}", "line 1: 'set' is no tag"),
        ("a: !!int foo", "line 1: 'foo' cannot be read as int"),
        ("a: !!float x", "line 1: 'x' cannot be read as float"),
        ("a: !!bool maybe", "line 1: 'maybe' cannot be read as bool"),
        ("a: " + "9" * 5000, "line 1: '9+' cannot be read as int"),
        ("a: \x00", "c.yaml: not valid YAML: unacceptable character"),
        ("[" * 3000, "lie too deep"),
    ],
)
def test_refusals(text, words):
    with pytest.raises(ConfigError, match=rf"^c\.yaml.*{words}" if "line" in words else words):
        read_yaml(text, "c.yaml")
