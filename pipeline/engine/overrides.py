"""`--set key.path=value`: one value laid over what the files say."""

from __future__ import annotations

from dataclasses import replace

from pipeline.engine.errors import ConfigError, UsageError, did_you_mean
from pipeline.engine.written import Merging, Origin, Written, settled
from pipeline.engine.yaml_text import read_yaml

TOP_LEVEL_KEYS = ("system", "seed", "description")


def with_override(tree: Written, override: str) -> Written:
    """Return the tree with a value set, such as ``"s04.fit.epochs=20"``; ``!reset`` takes the key out.

    Raises UsageError for a malformed override, ConfigError where it leads nowhere.
    """
    path, equals, text = override.partition("=")
    keys = path.strip().split(".")
    if not equals or not all(keys):
        raise UsageError(f"--set {override!r} is not of the form key.path=value.", "Example: s04.fit.epochs=20")
    if keys[0] not in tree.value and keys[0] not in TOP_LEVEL_KEYS:
        near = did_you_mean(keys[0], tree.value)
        raise ConfigError(f"--set {override!r}: this run has no section {keys[0]!r}.{near}")
    value = read_yaml(text, "", override) if text.strip() else Written(None, Origin("", override=override))
    return _with_value(tree, keys, value)


def _with_value(place: Written, keys: list[str], value: Written) -> Written:
    key, *deeper = keys
    words = value.origin.words
    if isinstance(place.value, list):
        if not key.isdecimal() or int(key) >= len(place.value):
            raise ConfigError(f"{words}: {key!r} is not a position from 0 to {len(place.value) - 1}.")
        items = list(place.value)
        items[int(key)] = _with_value(_table(items[int(key)], key, value), deeper, value) if deeper else settled(value, (key,))
        return replace(place, value=items)
    if deeper:
        inner = place.value.get(key, Written(None, value.origin))
        return place.having(key, _with_value(_table(inner, key, value), deeper, value))
    if value.merging is not Merging.RESET:
        return place.having(key, settled(value, (key,)))
    if key not in place.value:
        raise ConfigError(f"{words}: there is no {key!r} to take out.{did_you_mean(key, place.value)}")
    return place.without(key)


def _table(inner: Written, key: str, value: Written) -> Written:
    """What a path goes on into. Raises ConfigError where it is neither a table nor a list."""
    if inner.value is None:
        return Written({}, value.origin)
    if not isinstance(inner.value, dict | list):
        raise ConfigError(f"{value.origin.words}: {key!r} is {inner.plain!r}, not a table.")
    return inner
