"""Every value of a configuration with where it was written: the merged whole, explained."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pipeline.engine.config import RunConfig
from pipeline.engine.overrides import TOP_LEVEL_KEYS
from pipeline.engine.written import Written, dotted

DEFAULT = "default"


def value_origins(config: RunConfig, sections: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """`{"path", "value", "origin"}` of every value: of the whole, or of some stages by short id.

    Tables and lists of tables are opened, lists of scalars are one value. origin: `file:line`, `--set` or `default`.
    """
    keys = [*TOP_LEVEL_KEYS, *config.stages] if sections is None else sections
    return [
        {"path": dotted(path), "value": value, "origin": ", ".join(origin_of(config.written, path))}
        for key in keys
        for path, value in _leaves(config.raw[key], (key,))
    ]


def origin_of(tree: Written, path: Sequence[int | str]) -> list[str]:
    """Where a value was written, `default` where nowhere; a list's too where a --set changed one of its items."""
    found = tree.at(path)
    if found is None:
        return [DEFAULT]
    items = found.value if isinstance(found.value, list) else []
    return list(dict.fromkeys([str(found.origin), *(str(item.origin) for item in items if item.origin.override)]))


def _leaves(value: Any, path: tuple[int | str, ...]) -> Iterator[tuple[tuple[int | str, ...], Any]]:
    inner: list[tuple[int | str, Any]] = []
    if isinstance(value, dict):
        inner = list(value.items())
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        inner = list(enumerate(value))
    if not inner:
        yield path, value
    for key, item in inner:
        yield from _leaves(item, (*path, key))
